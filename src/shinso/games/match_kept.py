"""A match on disk: what was agreed, a line for each game, the games as SGF."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from shinso.faults import DataFault, UsageFault
from shinso.games.match_game import Played
from shinso.games.record import Record, read_record, write_record
from shinso.language import _

AGREED, GAMES = "match.json", "games.jsonl"


@final
class Kept:
    """A folder with ``match.json``, ``games.jsonl`` and ``001.sgf`` and so on.

    A line of ``games.jsonl`` is written when its game is over and its SGF is there; one that was
    torn by a crash is no game.
    """

    def __init__(self, folder: Path, agreed: Mapping[str, Any]) -> None:
        """agreed: what must be the same for games to belong together.

        UsageFault GO-OTHER-MATCH where the folder holds a match that was played otherwise.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / AGREED
        wanted = json.loads(json.dumps(agreed))
        if not path.exists():
            path.write_text(json.dumps(wanted, indent=1, ensure_ascii=False) + "\n", "utf-8")
            return
        try:
            before = json.loads(path.read_text("utf-8"))
        except ValueError:
            before = {}
        other = sorted(name for name in {*before, *wanted} if before.get(name) != wanted.get(name))
        if other:
            raise UsageFault(
                "GO-OTHER-MATCH",
                place=str(path),
                found=", ".join(
                    f"{name}: {before.get(name)!r} ≠ {wanted.get(name)!r}" for name in other
                ),
                why=_("the games of this folder were played otherwise"),
                next_step=_("give another folder, or the same words as before"),
            )

    def games(self) -> dict[int, Played]:
        """Number → game, of those that are whole. DataFault GO-MATCH-DAMAGED for another line."""
        path = self.folder / GAMES
        text = path.read_text("utf-8", errors="replace") if path.exists() else ""
        *lines, torn = text.split("\n")
        found: dict[int, Played] = {}
        for place, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                found[int(row["game"])] = self._played(row)
            except (ValueError, KeyError, TypeError) as error:
                raise DataFault(
                    "GO-MATCH-DAMAGED",
                    place=f"{path}:{place}",
                    found=line[:80],
                    why=_("this is no line about a game"),
                    next_step=_("take the line out: its game will be played again"),
                ) from error
        if torn:
            path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return found

    def _played(self, row: Mapping[str, Any]) -> Played:
        name = self._name(int(row["game"]))
        try:
            record = read_record(self.folder / name)
        except (OSError, DataFault):
            record = Record(name=name)
        first, second = row["seconds"]
        one, two = row["moves"]
        return Played(
            replace(record, result=str(row["result"])), bool(row["first_is_black"]),
            float(row["points"]), (float(first), float(second)), (int(one), int(two)),
            str(row["fault"]), str(row["doubt"]),
        )  # fmt: skip

    def add(self, number: int, played: Played) -> None:
        """Keep a game that is over."""
        (self.folder / self._name(number)).write_text(write_record(played.record), "utf-8")
        row = {
            "game": number, "result": played.record.result, "points": played.points,
            "first_is_black": played.first_is_black, "seconds": played.seconds,
            "moves": played.moves, "fault": played.fault, "doubt": played.doubt,
        }  # fmt: skip
        with (self.folder / GAMES).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    @staticmethod
    def _name(number: int) -> str:
        return f"{number + 1:03}.sgf"
