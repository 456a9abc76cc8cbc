"""GTP 2, the other side: speaking to a program that plays Go."""

from __future__ import annotations

import collections
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import final

from shinso.faults import UsageFault
from shinso.language import _


class EngineFailed(Exception):
    """The program refused a command, answered nothing in time, or is gone; the text says which."""


@final
class Program:
    """A running GTP program. Lines that it prints before an answer are passed over.

    lost: an answer did not come; what it says from now on cannot be told from an answer to something
    else, so a new one has to be started.
    """

    def __init__(self, command: str, *, timeout_s: float = 120.0) -> None:
        """timeout_s: for a whole answer. Raises UsageFault GO-PROGRAM where the command cannot be
        started."""
        self.command, self.timeout_s = command, timeout_s
        self.lost = False
        try:
            # A session of its own: Ctrl-C is for the referee, who then ends the programs himself.
            self._process = subprocess.Popen(
                shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, bufsize=1, encoding="utf-8", errors="replace",
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError, IndexError) as error:
            raise UsageFault(
                "GO-PROGRAM",
                place=command,
                found=str(error),
                next_step=_("give a command that starts a GTP program, such as 'gnugo --mode gtp'"),
            ) from error
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._complaints: collections.deque[str] = collections.deque(maxlen=20)
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        threading.Thread(target=self._hear, args=(self._process.stderr,), daemon=True).start()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    def _hear(self, stream: Iterable[str]) -> None:
        for line in stream:
            if line.strip():
                self._complaints.append(line.strip())

    @property
    def running(self) -> bool:
        return not self.lost and self._process.poll() is None

    def ask(self, command: str, *, timeout_s: float | None = None) -> str:
        """The answer to a command, without its sign. timeout_s: other than usual.

        Raises EngineFailed.
        """
        assert self._process.stdin is not None
        end = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise self._gone(command) from None
        answer: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=max(end - time.monotonic(), 0.001))
            except queue.Empty:
                self.lost = True
                raise EngineFailed(f"{self.command}: no answer to {command!r} in time") from None
            if line is None:
                raise self._gone(command)
            if not line.strip():
                if answer:
                    break
            elif answer or line[0] in "=?":
                answer.append(line)
        text = "\n".join(answer)
        if text[0] == "?":
            raise EngineFailed(f"{self.command}: {command!r} was answered with {text!r}")
        return text[1:].strip()

    def _gone(self, command: str) -> EngineFailed:
        """With what it said last on standard error, which mostly is the reason."""
        self.lost = True
        time.sleep(0.05)  # that is read by another thread
        said = f" ({self._complaints[-1]})" if self._complaints else ""
        return EngineFailed(f"{self.command}: gone at {command!r}{said}")

    def can(self, command: str) -> bool:
        """Whether the program knows a command."""
        try:
            return self.ask(f"known_command {command}") == "true"
        except EngineFailed:
            return False

    def close(self) -> None:
        """Ask it to quit; end it, and what it started, where it does not."""
        try:
            assert self._process.stdin is not None
            if not self.lost:
                self._process.stdin.write("quit\n")
            self._process.stdin.close()
            self._process.wait(0.2 if self.lost else 3)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """End it at once, from whichever thread: an answer that is waited for will not come."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (OSError, AttributeError):  # gone already; no groups on this system
            self._process.kill()
