"""A game record: what an SGF file says of one game, as actions; its faults named by file and move."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shinso.faults import DataFault
from shinso.games.go import BLACK, WHITE, Position, Rules
from shinso.games.sgf import Node, decode, parse, write
from shinso.games.vertices import LARGEST
from shinso.language import _

COLORS = {"B": BLACK, "W": WHITE}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One game. moves: (colour, action) of the main line. black, white: stones set up before it.

    komi: None where the file does not say it, or says what cannot be (0 and 650 stand in many
    files that mean 6.5). winner: BLACK, WHITE or None. details: other properties of the root.
    """

    name: str = ""
    side: int = 19
    komi: float | None = None
    handicap: int = 0
    black: tuple[int, ...] = ()
    white: tuple[int, ...] = ()
    turn: int = BLACK
    moves: tuple[tuple[int, int], ...] = ()
    comments: tuple[str, ...] = ()
    result: str = ""
    details: dict[str, str] = field(default_factory=dict)

    @property
    def winner(self) -> int | None:
        return {"B+": BLACK, "W+": WHITE}.get(self.result[:2].upper())

    def start(self, komi: float = 7.0) -> Position:
        """The position before the first move. komi: for a record without one. Simple ko: servers do
        not ask for more."""
        rules = Rules(
            side=self.side, komi=self.komi if self.komi is not None else komi, ko="simple"
        )
        return Position.start(rules, self.black, self.white, self.turn)

    def positions(self, komi: float = 7.0) -> Iterator[Position]:
        """The position before each move and the last one; DataFault SGF-MOVE for an illegal move."""
        position = self.start(komi)
        yield position
        for number, (color, action) in enumerate(self.moves, 1):
            position = position.with_turn(color)
            if not position.legal()[action]:
                raise DataFault(
                    "SGF-MOVE",
                    place=f"{self.name} move {number}",
                    found=f"{'?BW'[color]}[{_letters(action, self.side)}]",
                    why=_("the rules forbid this move"),
                    next_step=_("mend the file there, or leave it out"),
                )
            position = position.play_legal(action)
            yield position


def read_record(path: Path) -> Record:
    """The first game of a file; DataFault with code, place and reason where it cannot be."""
    return record_of(parse(decode(path.read_bytes()), str(path))[0], str(path))


def record_of(root: Node, name: str = "SGF") -> Record:
    """The main line of a game tree as a record. DataFaults SGF-GAME, SGF-SIZE, SGF-POINT, SGF-SETUP."""
    if root.first("GM", "1") not in ("1", ""):
        raise _fault(
            "SGF-GAME", f"{name} GM", root.first("GM"), _("this is a record of another game")
        )
    side = _side(root, name)
    moves: list[tuple[int, int]] = []
    comments: list[str] = []
    setup: dict[str, list[int]] = {"AB": [], "AW": []}
    turn = None
    for node in root.main_line():
        for key in ("AB", "AW", "AE"):
            if key in node.properties and (moves or key == "AE"):
                place = f"{name} move {len(moves) + 1}"
                raise _fault(
                    "SGF-SETUP", place, key, _("stones are set up in the middle of a game")
                )
            for value in node.properties.get(key, []):
                setup[key] += _points(value, side, f"{name} {key}")
        for key, color in COLORS.items():
            if key in node.properties:
                place = f"{name} move {len(moves) + 1}"
                moves.append((color, _point(node.first(key), side, place, passes=True)))
                comments.append(node.first("C"))
        if not moves and node.first("PL")[:1].upper() in COLORS:
            turn = COLORS[node.first("PL")[:1].upper()]
    handicap = root.first("HA")
    known = ("AB", "AW", "SZ", "KM", "HA", "RE", "PL")
    return Record(
        name=name,
        side=side,
        komi=clean_komi(root.first("KM"), side),
        handicap=int(handicap) if handicap.isdecimal() else 0,
        black=tuple(setup["AB"]),
        white=tuple(setup["AW"]),
        turn=turn or (moves[0][0] if moves else (WHITE if setup["AB"] else BLACK)),
        moves=tuple(moves),
        comments=tuple(comments),
        result=root.first("RE"),
        details={key: values[0] for key, values in root.properties.items() if key not in known},
    )


def tree_of(record: Record) -> Node:
    """The record as a game tree, which ``sgf.write`` writes."""
    properties = {"GM": ["1"], "FF": ["4"], "CA": ["UTF-8"], "SZ": [str(record.side)]}
    if record.komi is not None:
        properties["KM"] = [f"{record.komi:g}"]
    if record.handicap:
        properties["HA"] = [str(record.handicap)]
    for key, stones in (("AB", record.black), ("AW", record.white)):
        if stones:
            properties[key] = [_letters(action, record.side) for action in stones]
    first = record.moves[0][0] if record.moves else BLACK
    if record.turn != first or (record.black and record.turn == BLACK):
        properties["PL"] = ["?BW"[record.turn]]
    if record.result:
        properties["RE"] = [record.result]
    properties |= {key: [value] for key, value in record.details.items() if key not in properties}
    root = node = Node(properties)
    comments = record.comments or ("",) * len(record.moves)
    for (color, action), comment in zip(record.moves, comments, strict=True):
        child = Node({"?BW"[color]: [_letters(action, record.side)]})
        if comment:
            child.properties["C"] = [comment]
        node.children.append(child)
        node = child
    return root


def write_record(record: Record) -> str:
    """The record as SGF text."""
    return write(tree_of(record))


def clean_komi(text: str, side: int) -> float | None:
    """Komi in points, or None where the text gives none that can be meant.

    Servers write 650 for 6.5 and 375 for 3.75 stones, which are 7.5 points, and 0 where none was
    noted.
    """
    try:
        komi = float(text)
    except ValueError:
        return None
    if komi in (375.0, 3.75):
        komi = 7.5
    elif abs(komi) >= 100 and komi % 5 == 0:
        komi /= 100
    return komi if 0 < abs(komi) < side * side and (komi * 2).is_integer() else None


def _side(root: Node, name: str) -> int:
    text = root.first("SZ", "19") or "19"
    if text.isdecimal() and 2 <= int(text) <= LARGEST:
        return int(text)
    pair = re.fullmatch(r"(\d+):(\d+)", text)
    if pair and pair[1] == pair[2] and 2 <= int(pair[1]) <= LARGEST:
        return int(pair[1])
    raise _fault("SGF-SIZE", f"{name} SZ", text, _("boards are square, with 2 to 19 lines"))


def _point(text: str, side: int, place: str, *, passes: bool) -> int:
    """An action: "" is a pass, and so is "tt" where the board has no such point."""
    if passes and (text == "" or (text == "tt" and side <= 19)):
        return side * side
    column, row = (LETTERS.find(letter) for letter in text.ljust(2, "?")[:2])
    if len(text) == 2 and 0 <= column < side and 0 <= row < side:
        return row * side + column
    raise _fault("SGF-POINT", place, repr(text), _("no point of this board"))


def _points(text: str, side: int, place: str) -> Sequence[int]:
    """One point, or all of a rectangle ``aa:cc``."""
    first, sign, last = text.strip().partition(":")
    begin = _point(first, side, place, passes=False)
    if not sign:
        return [begin]
    end = _point(last, side, place, passes=False)
    rows = range(begin // side, end // side + 1)
    return [r * side + c for r in rows for c in range(begin % side, end % side + 1)]


def _letters(action: int, side: int) -> str:
    if action == side * side:
        return ""
    return LETTERS[action % side] + LETTERS[action // side]


def _fault(code: str, place: str, found: str, why: str) -> DataFault:
    step = _("mend the file there, or leave it out")
    return DataFault(code, place=place, found=found, why=why, next_step=step)
