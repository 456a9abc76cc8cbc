"""``shinso go match A B``: two GTP programs, colours alternating; Elo with its interval, SGF kept."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.cli.parsing import Parser
from shinso.faults import Interrupted, UsageFault
from shinso.language import _
from shinso.runs.folder import is_alive

if TYPE_CHECKING:
    from shinso.games.clock import Settings
    from shinso.games.match import Standing
    from shinso.games.match_game import Played, Terms


def run(arguments: Sequence[str]) -> int:
    parser = _parser()
    read = parser.read(arguments)
    least = min(read.games - 1, read.opening, read.seed, read.parallel - 1, read.handicap)
    if least < 0 or not read.timeout > 0:
        raise UsageFault(
            "USAGE", place="shinso go match", found=_("a number below its least value"),
            next_step="shinso go match --help",
        )  # fmt: skip
    from shinso.games.go import Rules
    from shinso.games.match_game import Terms

    clock = _clock(read.time)
    try:
        rules = Rules(side=read.side, komi=read.komi, ko=read.ko)
        terms = Terms(rules=rules, opening=read.opening, handicap=read.handicap, clock=clock)
    except ValueError as error:
        raise UsageFault("SETTING-REFUSED", place="shinso go match", found=str(error)) from error
    with _alone_in(read.output):
        return _play(read, terms, arguments)


def _play(read: Any, terms: Terms, arguments: Sequence[str]) -> int:
    from shinso.games.match import play_match
    from shinso.games.match_kept import Kept

    kept = None
    if read.output is not None:
        names = (
            "first", "second", "side", "komi", "ko", "opening", "handicap", "seed", "time", "arbiter"
        )  # fmt: skip
        kept = Kept(read.output, {name: getattr(read, name) for name in names})
    watch = _Watch(read.games, silent=read.json, before=list(kept.games().items()) if kept else [])
    try:
        standing = play_match(
            (read.first, read.second), games=read.games, terms=terms, arbiter=read.arbiter,
            seed=read.seed, timeout_s=read.timeout, parallel=read.parallel, kept=kept, watch=watch,
        )  # fmt: skip
    except KeyboardInterrupt:
        if kept is None:
            raise
        raise Interrupted(shlex.join(["shinso", "go", "match", *arguments])) from None
    _say(standing, as_json=read.json)
    return 0


@contextmanager
def _alone_in(folder: Path | None) -> Iterator[None]:
    """Two matches that write into one folder would count each other's games.

    UsageFault GO-MATCH-IN-USE where another process plays there.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "playing.pid"
    try:
        other = int(path.read_text("utf-8"))
    except (OSError, ValueError):  # nobody plays, or one that was killed at its first moment
        other = 0
    if other != os.getpid() and is_alive(other):
        raise UsageFault(
            "GO-MATCH-IN-USE",
            place=str(folder),
            found=_("process {pid}").format(pid=other),
            why=_("a process is playing a match in this folder"),
            next_step=_("stop it first (Ctrl-C)"),
        )
    path.write_text(f"{os.getpid()}\n", "utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _parser() -> Parser:
    parser = Parser("go match", _("let two GTP programs play a match"))
    parser.add_argument("first", metavar="A", help=_("command of a GTP program, in quotes"))
    parser.add_argument("second", metavar="B", help=_("{seed} in it becomes the game's number"))
    parser.add_argument("--games", type=int, default=20, help=_("how many [20]"))
    parser.add_argument("--side", type=int, default=9, help=_("lines of the board [9]"))
    parser.add_argument("--komi", type=float, default=7.0, help=_("points that White gets [7]"))
    parser.add_argument("--ko", choices=("simple", "positional"), default="simple")
    parser.add_argument("--opening", type=int, default=0, help=_("random moves before each game"))
    parser.add_argument(
        "--handicap", type=int, default=0, help=_("Black's stones before White's first move")
    )
    parser.add_argument(
        "--time", default="", metavar="MAIN[+PERIOD[/STONES]]",
        help=_("each player's clock, in seconds: 300, 60+30/25 or, for every move, 0+5; "
               "who oversteps it by more than half a second loses"),
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--arbiter", default="",
        help=_("a GTP program that is asked for dead stones; the players are without"),
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, default=120.0, help=_("seconds for an answer"))
    parser.add_argument(
        "--parallel", type=int, default=1,
        help=_("games at a time, each with programs of its own [1]"),
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path,
        help=_("a folder for the games; given again, the match goes on where it was"),
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    return parser


def _clock(text: str) -> Settings | None:
    """``MAIN[+PERIOD[/STONES]]`` in seconds; UsageFault SETTING-REFUSED for anything else."""
    from shinso.games.clock import Settings

    if not text:
        return None
    number = r"(\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"{number}(?:\+{number}(?:/(\d+))?)?", text, re.ASCII)
    if found is not None:
        settings = Settings(
            main=float(found[1]), period=float(found[2] or 0),
            stones=int(found[3] or 1) if found[2] else 0,
        )  # fmt: skip
        if settings.limited:
            return settings
    raise UsageFault(
        "SETTING-REFUSED", place="--time", found=text,
        next_step=_("give seconds, such as 300, 60+30/25 or 0+5"),
    )  # fmt: skip


class _Watch:
    """A line for each game that ends, with the points so far."""

    def __init__(self, games: int, *, silent: bool, before: Sequence[tuple[int, Played]]) -> None:
        self.games, self.silent = games, silent
        some = [game for number, game in before if number < games]
        self.points, self.count = sum(game.points for game in some), len(some)
        if some and not silent:
            print(_("{count} games are there already").format(count=len(some)), flush=True)

    def __call__(self, number: int, game: Played) -> None:
        self.points, self.count = self.points + game.points, self.count + 1
        if self.silent:
            return
        color = _("black") if game.first_is_black else _("white")
        more = "".join(f"  {text}" for text in (game.fault, game.doubt) if text)
        so_far = f"A {self.points:g}/{self.count}"
        head = f"  {number + 1}/{self.games}  A: {color}  {game.record.result}"
        print(f"{head}  {so_far}{more}", flush=True)


def _say(standing: Standing, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(as_dict(standing), ensure_ascii=False))
        return
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
    if standing.doubts:
        print(
            _("{count} games were counted with all stones alive: {reason}").format(
                count=len(standing.doubts), reason=standing.doubts[0]
            )
        )


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
        "doubts": standing.doubts,
        "results": [game.record.result for game in standing.games],
    }
