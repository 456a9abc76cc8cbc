"""A game record: what an SGF file says of one game, as actions; its faults named by file and move."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shinso.faults import DataFault, UsageFault
from shinso.games.go import BLACK, WHITE, Position, Rules
from shinso.games.sgf import Node, parse_bytes, write
from shinso.games.vertices import LARGEST
from shinso.language import _

COLORS = {"B": BLACK, "W": WHITE}
HANDICAP_KOMI = 0.5
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One game. moves: (colour, action) of the main line. black, white: stones set up before it.

    komi: None where the file does not say it, or says what cannot be (650 stands in many files that
    mean 6.5, and 0 in many without handicap that mean any). winner: BLACK, WHITE or None. details: other properties of the root.
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
        """The position before the first move. komi: for a record without one; with handicap stones
        half a point, by custom. Simple ko: servers do not ask for more."""
        usual = HANDICAP_KOMI if len(self.black) > 1 else komi
        rules = Rules(
            side=self.side, komi=self.komi if self.komi is not None else usual, ko="simple"
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
    return record_of(parse_bytes(path.read_bytes(), str(path))[0], str(path))


def record_of(root: Node, name: str = "SGF") -> Record:
    """The main line of a game tree as a record. DataFaults SGF-GAME, SGF-SIZE, SGF-POINT,
    SGF-SETUP."""
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
            if key in node.properties and moves:
                place = f"{name} move {len(moves) + 1}"
                raise _fault(
                    "SGF-SETUP", place, key, _("stones are set up in the middle of a game")
                )
            for value in node.properties.get(key, []):
                points = _points(value, side, f"{name} {key}")
                if key == "AE":
                    for stones in setup.values():
                        stones[:] = [one for one in stones if one not in points]
                else:
                    setup[key] += [one for one in points if one not in setup[key]]
        for key, color in COLORS.items():
            if key in node.properties:
                place = f"{name} move {len(moves) + 1}"
                moves.append((color, _point(node.first(key), side, place, passes=True)))
                comments.append(node.first("C"))
        if not moves and node.first("PL")[:1].upper() in COLORS:
            turn = COLORS[node.first("PL")[:1].upper()]
    _refuse_bad_setup(setup, side, name)
    handicap = _count(root.first("HA"))
    # Where stones were given 0 is meant, and where it was shinso that wrote it.
    meant = max(handicap, len(setup["AB"])) > 1 or root.first("AP").startswith("shinso")
    known = ("AB", "AW", "SZ", "KM", "HA", "RE", "PL")
    return Record(
        name=name,
        side=side,
        komi=clean_komi(root.first("KM"), side, zero=meant),
        handicap=handicap,
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


def clean_komi(text: str, side: int, *, zero: bool = False) -> float | None:
    """Komi in points, or None where the text gives none that can be meant. zero: whether 0 can be.

    Servers write 650 for 6.5 and 375 for 3.75 stones, which are 7.5 points, and 0 where none was
    noted. Some countries write a comma.
    """
    try:
        komi = float(text.replace(",", "."))
    except ValueError:
        return None
    if abs(komi) in (275.0, 325.0, 375.0):
        komi /= 100
    if abs(komi) in (2.75, 3.25, 3.75):  # stones of a Chinese count, each of which is two points
        komi *= 2
    elif abs(komi) >= 100 and komi % 5 == 0:
        komi /= 100
    if komi == 0:
        return 0.0 if zero else None
    return komi if abs(komi) < side * side and (komi * 2).is_integer() else None


def _count(text: str) -> int:
    """A whole number of at most three digits; 0 for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 0


def _refuse_bad_setup(setup: dict[str, list[int]], side: int, name: str) -> None:
    """DataFault SGF-SETUP where stones stand on one another or without a liberty."""
    if not any(setup.values()):
        return
    try:
        Position.start(Rules(side=side), setup["AB"], setup["AW"])
    except UsageFault as fault:
        raise _fault("SGF-SETUP", f"{name} AB AW", fault.place, fault.why) from fault


def _side(root: Node, name: str) -> int:
    text = root.first("SZ", "19") or "19"
    if 2 <= _count(text) <= LARGEST:
        return int(text)
    pair = re.fullmatch(r"([0-9]{1,3}):([0-9]{1,3})", text)
    if pair and pair[1] == pair[2] and 2 <= int(pair[1]) <= LARGEST:
        return int(pair[1])
    raise _fault("SGF-SIZE", f"{name} SZ", text[:20], _("boards are square, with 2 to 19 lines"))


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
    rows = sorted((begin // side, end // side))  # whichever corners are named
    columns = sorted((begin % side, end % side))
    return [
        r * side + c for r in range(rows[0], rows[1] + 1) for c in range(columns[0], columns[1] + 1)
    ]


def _letters(action: int, side: int) -> str:
    if action == side * side:
        return ""
    return LETTERS[action % side] + LETTERS[action // side]


def _fault(code: str, place: str, found: str, why: str) -> DataFault:
    step = _("mend the file there, or leave it out")
    return DataFault(code, place=place, found=found, why=why, next_step=step)
