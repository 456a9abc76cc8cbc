"""``shinso go match A B``: two GTP programs, colours alternating; Elo with its interval, SGF kept."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.cli.parsing import Parser
from shinso.faults import UsageFault
from shinso.language import _

if TYPE_CHECKING:
    from shinso.games.match import Played, Standing


def run(arguments: Sequence[str]) -> int:
    parser = Parser("go match", _("let two GTP programs play a match"))
    parser.add_argument("first", metavar="A", help=_("command of a GTP program, in quotes"))
    parser.add_argument("second", metavar="B", help=_("{seed} in it becomes the game's number"))
    parser.add_argument("--games", type=int, default=20)
    parser.add_argument("--side", type=int, default=9)
    parser.add_argument("--komi", type=float, default=7.0)
    parser.add_argument("--ko", choices=("simple", "positional"), default="simple")
    parser.add_argument("--opening", type=int, default=0, help=_("random moves before each game"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--arbiter", default="",
        help=_("a GTP program that is asked for dead stones; the players are without"),
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, default=120.0, help=_("seconds for an answer"))
    parser.add_argument("-o", "--output", type=Path, help=_("a folder for the games as SGF"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    read = parser.read(arguments)
    if read.games < 1 or read.timeout <= 0 or read.opening < 0 or read.seed < 0:
        raise UsageFault(
            "USAGE", place="shinso go match", found=_("a number below its least value"),
            next_step="shinso go match --help",
        )  # fmt: skip
    from shinso.games.go import Rules
    from shinso.games.match import play_match

    try:
        rules = Rules(side=read.side, komi=read.komi, ko=read.ko)
    except ValueError as error:
        raise UsageFault("SETTING-REFUSED", place="shinso go match", found=str(error)) from error

    def watch(number: int, game: Played) -> None:
        color = _("black") if game.first_is_black else _("white")
        fault = f"  {game.fault}" if game.fault else ""
        print(f"  {number + 1}/{read.games}  A: {color}  {game.record.result}{fault}", flush=True)

    standing = play_match(
        (read.first, read.second), games=read.games, rules=rules, arbiter=read.arbiter,
        opening=read.opening, seed=read.seed, timeout_s=read.timeout, folder=read.output,
        watch=None if read.json else watch,
    )  # fmt: skip
    found = as_dict(standing)
    if read.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    share, elo = standing.share, standing.elo
    print(
        _("A {points:g} of {games} points, {share:.0%} ({low:.0%}–{high:.0%})").format(
            points=standing.points, games=len(standing.games),
            share=share.value, low=share.low, high=share.high,
        )
    )  # fmt: skip
    print(f"Elo A − B: {elo.value:+.0f} ({elo.low:+.0f} … {elo.high:+.0f})")
    print(
        _("seconds a move: A {first:.2f}, B {second:.2f}; forfeited: {count}").format(
            first=standing.seconds_a_move(0), second=standing.seconds_a_move(1),
            count=len(standing.faults),
        )
    )  # fmt: skip
    return 0


def as_dict(standing: Standing) -> dict[str, Any]:
    """The standing as JSON can hold it: infinities become null."""

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    share, elo = standing.share, standing.elo
    return {
        "games": len(standing.games),
        "points": standing.points,
        "share": [share.value, share.low, share.high],
        "elo": [finite(elo.value), finite(elo.low), finite(elo.high)],
        "seconds_a_move": [standing.seconds_a_move(0), standing.seconds_a_move(1)],
        "faults": standing.faults,
        "results": [game.record.result for game in standing.games],
    }
