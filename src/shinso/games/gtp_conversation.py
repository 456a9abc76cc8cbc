"""A conversation by GTP 2 (Farnebäck 2002): lines in, answers out, whatever comes in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

from shinso.faults import Fault
from shinso.games.gtp_words import Refusal


class Conversation(ABC):
    """Answers each line with the method ``do_`` of its command, which takes the words behind it and
    returns the answer, in pieces where it comes bit by bit. Raises nothing.

    Commands of other programs have a dash behind the program's name: ``do_lz_analyze`` answers
    ``lz-analyze``.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        self.done = False
        self._stop: Callable[[], bool] = lambda: True

    def converse(
        self, lines: Iterable[str], *, waiting: Callable[[], bool] | None = None
    ) -> Iterator[str]:
        """The answer to each line. waiting: whether a next line has come, which ends an analysis."""
        self._stop = waiting or self._stop
        for line in lines:
            yield from self.answer(line)
            if self.done:
                return

    def answer(self, line: str) -> Iterator[str]:
        """Pieces of the answer to one line; nothing for an empty line or a comment."""
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line.replace("\t", " ")).split("#")[0]
        words = text.split()
        if not words:
            return
        number = words.pop(0) if words[0].isascii() and words[0].isdigit() else ""
        name = words.pop(0) if words else ""
        if name not in self._commands():
            yield f"?{number} unknown command\n\n"
            return
        run = getattr(self, "do_" + name.replace("-", "_"))
        try:
            found = run(words)
            if isinstance(found, str):
                yield f"={number}" + (f" {found}" if found else "") + "\n\n"
                return
            yield f"={number}\n"
            yield from found
            yield "\n"
        except Refusal as refusal:
            yield f"?{number} {refusal}\n\n"
        except Fault as fault:
            told = "; ".join(fault.text().split("\n"))
            yield f"?{number} {told}\n\n"
        except Exception as error:  # a bug of ours must not end the game
            yield f"?{number} internal error: {type(error).__name__}: {error}\n\n"

    # About the program

    def do_protocol_version(self, _words: list[str]) -> str:
        return "2"

    def do_name(self, _words: list[str]) -> str:
        return "shinso"

    def do_version(self, _words: list[str]) -> str:
        return self.version

    def do_known_command(self, words: list[str]) -> str:
        return "true" if words and words[0] in self._commands() else "false"

    def do_list_commands(self, _words: list[str]) -> str:
        return "\n".join(self._commands())

    def _commands(self) -> list[str]:
        names = (name[3:] for name in dir(self) if name.startswith("do_"))
        return sorted(re.sub("^(kata|kgs|lz)_", r"\1-", name) for name in names)

    def do_quit(self, _words: list[str]) -> str:
        self.done = True
        return ""

    # The game

    @abstractmethod
    def do_genmove(self, words: list[str]) -> str:
        """The move of a colour, which is played, or ``resign``."""
