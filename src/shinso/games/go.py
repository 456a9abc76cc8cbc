"""Go: rules, positions, and the game as a search sees it.

Area scoring (Tromp–Taylor), simple ko or positional superko, suicide as an option. The board itself
is one array, explained in ``go_board_numba``; this file is the face of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Int, Int8, UInt64

from shinso.faults import UsageFault
from shinso.games import go_board_numba as field
from shinso.games import go_rules_numba as kernels
from shinso.games.vertices import LARGEST, vertex
from shinso.language import _

BLACK, WHITE = 1, 2


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is agreed before a game. side: 2 to 19 points; komi: points that White gets.

    ko: "positional" forbids every position of stones that was there before (superko), "simple" only
    to take back at once. suicide: a chain of two or more stones may take its own life.
    """

    side: int = 9
    komi: float = 7.0
    ko: Literal["positional", "simple"] = "positional"
    suicide: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.side <= LARGEST:
            raise ValueError(f"side is {self.side}; give 2 to {LARGEST}")
        if not abs(self.komi) <= 2 * LARGEST**2:
            raise ValueError(f"komi is {self.komi}; give points from the board")
        if self.ko not in ("positional", "simple"):
            raise ValueError(f"ko is {self.ko!r}; give positional or simple")

    @property
    def pass_action(self) -> int:
        return self.side * self.side


@cache
def zobrist_keys(side: int) -> UInt64[np.ndarray, "2 point"]:
    """A random number for a stone of either colour on every point; the same in every process."""
    rng = np.random.default_rng(1970 + side)
    return rng.integers(1, 2**64, size=(2, side * side), dtype=np.uint64)


@final
class Position:
    """A board with whose turn it is and what was there before. Never changes; ``play`` gives the next.

    board: the array that ``go_board_numba`` explains. seen: hashes of all positions of the game, this
    one last, so a repetition can be known.
    """

    __slots__ = ("board", "rules", "seen")

    def __init__(
        self,
        rules: Rules,
        board: Int[np.ndarray, " field"],
        seen: UInt64[np.ndarray, " positions"],
    ) -> None:
        self.rules, self.board, self.seen = rules, board, seen

    @classmethod
    def start(
        cls,
        rules: Rules,
        black: Iterable[int] = (),
        white: Iterable[int] = (),
        turn: int = BLACK,
    ) -> Position:
        """The position before the first move, stones set up as actions.

        UsageFault GO-SETUP where two stones stand on one point or a chain has no liberty.
        """
        board = kernels.new_board(rules.side, rules.suicide)
        keys, hashed = zobrist_keys(rules.side), np.uint64(0)
        wanted = np.zeros(rules.pass_action, np.int8)
        for color, actions in ((BLACK, black), (WHITE, white)):
            for one in actions:
                if not 0 <= one < rules.pass_action or wanted[one]:
                    raise _bad_setup(one, rules)
                wanted[one] = color
                hashed = np.uint64(kernels.put_stone(board, keys, hashed, one, color))
        board[int(field.TURN)] = turn
        found = cls(rules, board, np.array([hashed], np.uint64))
        if not np.array_equal(found.stones, wanted):
            raise _bad_setup(int(np.flatnonzero(found.stones != wanted)[0]), rules)
        return found

    @property
    def turn(self) -> int:
        """BLACK or WHITE."""
        return int(self.board[int(field.TURN)])

    @property
    def moves(self) -> int:
        """Moves played, passes among them."""
        return int(self.board[int(field.MOVES)])

    @property
    def passes(self) -> int:
        """Passes since the last stone."""
        return int(self.board[int(field.PASSES)])

    @property
    def over(self) -> bool:
        """Both have passed."""
        return self.passes >= 2

    @property
    def hash(self) -> np.uint64:
        """Zobrist hash of the stones; whose turn it is is no part of it."""
        return self.seen[-1]

    @property
    def stones(self) -> Int8[np.ndarray, " point"]:
        """0 empty, 1 black, 2 white, row by row from the top."""
        out = np.empty(self.rules.pass_action, np.int8)
        kernels.colors(self.board, out)
        return out

    @property
    def liberties(self) -> Int[np.ndarray, " point"]:
        """Liberties of the chain on each point, 0 where it is empty."""
        out = np.empty(self.rules.pass_action, np.int16)
        kernels.count_liberties(self.board, out)
        return out

    def legal(self) -> Bool[np.ndarray, " action"]:
        """Which actions the rules allow, superko included; a pass always."""
        out = np.empty(self.rules.pass_action + 1, np.uint8)
        superko = len(self.seen) if self.rules.ko == "positional" else 0
        kernels.legal_moves(
            self.board, zobrist_keys(self.rules.side), self.hash, self.seen, superko, out
        )
        return out.view(np.bool_)

    def sensible(self) -> Bool[np.ndarray, " action"]:
        """Legal actions outside of what is safe already; a pass always.

        Inside of Benson-safe areas no move changes the result, so a game played with these actions
        comes to its end.
        """
        allowed = self.legal()
        allowed[:-1] &= self.safe() == 0
        return allowed

    def play(self, action: int) -> Position:
        """The position after ``action``; UsageFault GO-ILLEGAL where the rules forbid it."""
        if not 0 <= action <= self.rules.pass_action or not self.legal()[action]:
            raise UsageFault(
                "GO-ILLEGAL",
                place=vertex(action, self.rules.side) if action >= 0 else str(action),
                found=_("{color} may not play there").format(
                    color=_("black") if self.turn == BLACK else _("white")
                ),
                why=_("the point is taken, or ko, superko or the suicide rule forbids it"),
            )
        return self.play_legal(action)

    def play_legal(self, action: int) -> Position:
        """``play`` for an action that is known to be legal."""
        board = self.board.copy()
        hashed = kernels.play(board, zobrist_keys(self.rules.side), self.hash, action)
        return Position(self.rules, board, np.append(self.seen, np.uint64(hashed)))

    def with_turn(self, turn: int) -> Position:
        """The same stones with another player to move, as GTP and SGF allow."""
        board = self.board.copy()
        if turn != self.turn:
            board[int(field.KO)] = 0
            board[int(field.PASSES)] = 0
        board[int(field.TURN)] = turn
        return Position(self.rules, board, self.seen)

    def with_komi(self, komi: float) -> Position:
        return Position(replace(self.rules, komi=komi), self.board, self.seen)

    def owners(self) -> Int8[np.ndarray, " point"]:
        """1 where the area is Black's, −1 White's, 0 neither's; every stone counts as alive."""
        out = np.empty(self.rules.pass_action, np.int8)
        kernels.area(self.board, out)
        return out

    def safe(self) -> Int8[np.ndarray, " point"]:
        """1 where Black is safe though White moved for ever, −1 the same for White (Benson 1976)."""
        out = np.empty(self.rules.pass_action, np.int8)
        kernels.safe_area(self.board, out)
        return out

    def score(self, dead: Iterable[int] = ()) -> float:
        """Black's area minus White's and minus komi, the dead stones taken off first."""
        removed = set(dead)
        if not removed:
            return float(self.owners().sum()) - self.rules.komi
        stones = self.stones
        black, white = (
            [p for p in np.flatnonzero(stones == c).tolist() if p not in removed]
            for c in (BLACK, WHITE)
        )
        return Position.start(self.rules, black, white).score()

    def __str__(self) -> str:
        """A diagram: X black, O white."""
        side = self.rules.side
        signs = np.array([".", "X", "O"])[self.stones].reshape(side, side)
        letters = "   " + " ".join(vertex(c, side)[0] for c in range(side))
        rows = [f"{side - r:2} " + " ".join(signs[r]) for r in range(side)]
        return "\n".join([letters, *rows])


def _bad_setup(point: int, rules: Rules) -> UsageFault:
    return UsageFault(
        "GO-SETUP",
        place=vertex(point, rules.side) if 0 <= point < rules.pass_action else str(point),
        found=_("a stone cannot stand there"),
        why=_("the point is off the board or taken, or the chain has no liberty"),
    )


@final
class Go:
    """Go as a ``Game``. A game ends with two passes, where all is safe, or after ``longest`` moves."""

    def __init__(self, rules: Rules | None = None, *, longest: int | None = None) -> None:
        """longest: moves until a game is counted as it stands; 3 · side² without."""
        self.rules = rules or Rules()
        self.num_actions = self.rules.pass_action + 1
        self.longest = longest or 3 * self.rules.pass_action

    def start(self) -> Position:
        return Position.start(self.rules)

    def player(self, state: Position) -> int:
        return state.turn - 1

    def legal(self, state: Position) -> Bool[np.ndarray, " action"]:
        return state.legal()

    def play(self, state: Position, action: int) -> Position:
        return state.play_legal(action)

    def outcome(self, state: Position) -> float | None:
        """By area as the board stands, dead stones included: who wants them off takes them."""
        if state.over or state.moves >= self.longest:
            return float(np.sign(state.score()))
        return None
