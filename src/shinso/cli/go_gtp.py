"""``shinso go gtp``: the Go Text Protocol on standard input and output."""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence

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
    for piece in engine.converse(iter(sys.stdin.readline, ""), waiting=_input_waits):
        sys.stdout.write(piece)
        sys.stdout.flush()
    return 0


def _input_waits() -> bool:
    try:
        return bool(select.select([sys.stdin], [], [], 0)[0])
    except (OSError, ValueError):  # standard input is no file that can be waited for
        return True
