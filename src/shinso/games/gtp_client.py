"""GTP 2, the other side: speaking to a program that plays Go."""

from __future__ import annotations

import queue
import shlex
import subprocess
import threading
from types import TracebackType
from typing import final

from shinso.faults import UsageFault
from shinso.language import _


class EngineFailed(Exception):
    """The program refused a command, answered nothing in time, or is gone; the text says which."""


@final
class Program:
    """A running GTP program. Lines that it prints before an answer are passed over."""

    def __init__(self, command: str, *, timeout_s: float = 120.0) -> None:
        """Raises UsageFault GO-PROGRAM where the command cannot be started."""
        self.command, self.timeout_s = command, timeout_s
        try:
            self._process = subprocess.Popen(
                shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, bufsize=1, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except (OSError, ValueError, IndexError) as error:
            raise UsageFault(
                "GO-PROGRAM",
                place=command,
                found=str(error),
                next_step=_("give a command that starts a GTP program, such as 'gnugo --mode gtp'"),
            ) from error
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\r\n"))
        self._lines.put(None)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ask(self, command: str) -> str:
        """The answer to a command, without its sign. Raises EngineFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise EngineFailed(f"{self.command}: gone at {command!r}") from None
        answer: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=self.timeout_s)
            except queue.Empty:
                raise EngineFailed(f"{self.command}: no answer to {command!r} in time") from None
            if line is None:
                raise EngineFailed(f"{self.command}: gone at {command!r}")
            if not line.strip():
                if answer:
                    break
            elif answer or line[0] in "=?":
                answer.append(line)
        text = "\n".join(answer)
        if text[0] == "?":
            raise EngineFailed(f"{self.command}: {command!r} was answered with {text!r}")
        return text[1:].strip()

    def can(self, command: str) -> bool:
        """Whether the program knows a command."""
        try:
            return self.ask(f"known_command {command}") == "true"
        except EngineFailed:
            return False

    def close(self) -> None:
        """Ask it to quit; end it where it does not."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.write("quit\n")
            self._process.stdin.close()
            self._process.wait(3)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
