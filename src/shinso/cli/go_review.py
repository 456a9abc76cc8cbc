"""``shinso go review game.sgf``: win rate move by move, and the moves that cost most."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.cli.go_player import add_player_flags, player_maker
from shinso.cli.parsing import Parser
from shinso.faults import DataFault
from shinso.language import _

if TYPE_CHECKING:
    from shinso.games.record import Record


def run(arguments: Sequence[str]) -> int:
    parser = Parser("go review", _("win rate and worst moves of an SGF file"))
    parser.add_argument("game", type=Path, metavar="GAME.sgf")
    parser.add_argument("--worst", type=int, default=5, help=_("how many moves to list [5]"))
    parser.add_argument("-o", "--output", type=Path, help=_("a CSV file with every move"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))
    add_player_flags(parser)
    read = parser.read(arguments)
    make = player_maker(read)
    from shinso.games.record import read_record
    from shinso.runs.files import write_atomically

    try:
        record = read_record(read.game)
    except OSError as error:
        raise DataFault(
            "DATA-UNREADABLE", place=str(read.game), found=str(error),
            next_step=_("give an SGF file"),
        ) from error  # fmt: skip
    if record.komi is None:
        told = _("the file does not say the komi, or none that can be: counted with {komi:g}")
        print(told.format(komi=record.start().rules.komi), file=sys.stderr, flush=True)
    rows = list(review(record, make(), watch=_progress))
    worst = sorted(rows, key=lambda row: -row["loss"])[: max(read.worst, 0)]
    if read.output:
        head = list(rows[0]) if rows else []
        lines = [",".join(head), *(",".join(map(str, row.values())) for row in rows)]
        write_atomically(read.output, "\n".join(lines) + "\n")
    if read.json:
        print(json.dumps({"moves": rows, "worst": worst}, ensure_ascii=False))
        return 0
    for row in rows:
        bar = "#" * round(30 * row["black_wins"])
        print(f"{row['move']:4} {row['color']} {row['played']:5} {row['black_wins']:6.1%} {bar}")
    print(_("moves that cost most:"))
    for row in worst:
        print(
            _("  {move}: {color} {played} lost {loss:.1%}; {best} was better").format(
                move=row["move"], color=row["color"], played=row["played"],
                loss=row["loss"], best=row["best"],
            )
        )  # fmt: skip
    return 0


def _progress(done: int, total: int) -> None:
    """A line that moves, on a terminal: a long game takes a while."""
    if sys.stderr.isatty():
        end = "\r\x1b[2K" if done == total else ""
        print(f"\r{done}/{total}{end}", end="", file=sys.stderr, flush=True)


def review(
    record: Record, player: Any, *, watch: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[dict[str, Any]]:
    """A row for each move: Black's chance to win after it, what it lost, and what was better. watch:
    told how many positions are looked at, and of how many.

    What a move lost is the difference of the mover's chances before it, with the best move, and
    after it.
    """
    from shinso.games.go import BLACK
    from shinso.games.vertices import vertex

    played = [action for _color, action in record.moves]
    positions = list(record.positions())
    found = []
    for number, one in enumerate(positions):
        found.append(player.look(one, played[:number]))
        watch(number + 1, len(positions))
    chances = []
    for position, one in zip(positions, found, strict=True):
        # A position is worth what its best action is; where the game is over, what it ended with.
        value = float(one.values[one.best]) if one.visits.any() else one.value
        own = 0.5 + 0.5 * value
        chances.append(own if position.turn == BLACK else 1 - own)
    for number, (color, action) in enumerate(record.moves):
        lost = chances[number] - chances[number + 1]
        yield {
            "move": number + 1,
            "color": "?BW"[color],
            "played": vertex(action, record.side),
            "black_wins": round(chances[number + 1], 4),
            "loss": round(max(lost if color == BLACK else -lost, 0.0), 4),
            "best": vertex(found[number].best, record.side),
        }
