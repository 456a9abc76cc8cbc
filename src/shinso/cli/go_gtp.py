"""``shinso go gtp``: the Go Text Protocol on standard input and output."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import final

from shinso.cli.go_player import add_player_flags, player_maker
from shinso.cli.parsing import Parser
from shinso.language import _


def run(arguments: Sequence[str]) -> int:
    parser = Parser("go gtp", _("play by the Go Text Protocol, for any Go client"))
    parser.add_argument(
        "--side", type=int, default=9, help=_("lines of the board at the start [9]")
    )
    parser.add_argument("--no-resign", action="store_true", help=_("play every game to its end"))
    add_player_flags(parser)
    read = parser.read(arguments)
    from importlib.metadata import version

    from shinso.games.gtp import Engine

    engine = Engine(
        player_maker(read, resign=not read.no_resign), version=version("shinso"), side=read.side
    )
    lines = Lines()
    for piece in engine.converse(lines, waiting=lambda: lines.waiting):
        sys.stdout.write(piece)
        sys.stdout.flush()
    return 0


@final
class Lines:
    """Lines of standard input as they come, read ahead by a thread: only so is it known whether another
    one waits, wherever the stream holds it. Bytes that are no text become "�"."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in _pieces():
                self._lines.put(line)
        finally:
            self._lines.put(None)

    @property
    def waiting(self) -> bool:
        """Whether a next line, or the end, has come."""
        return not self._lines.empty()

    def __iter__(self) -> Iterator[str]:
        while (line := self._lines.get()) is not None:
            yield line


def _pieces() -> Iterator[str]:
    """The lines of standard input; what has no end yet is no line but at the stream's end."""
    try:
        stream = sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):  # no file: a stream of text takes its place
        yield from sys.stdin
        return
    # Not through Python's buffer: a thread that waits in it must not be there when Python ends.
    kept = b""
    while part := os.read(stream, 65536):
        *whole, kept = (kept + part).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", errors="replace")
    yield kept.decode("utf-8", errors="replace")
