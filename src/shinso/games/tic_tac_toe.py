"""Tic-tac-toe: small enough that every state's value is known (``exact_values``)."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Bool

Board = tuple[int, ...]
"""Nine points: 0 empty, 1 the first player's, 2 the second's."""

LINES = (
    (0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6),
)  # fmt: skip


class TicTacToe:
    """A ``Game``; a state is its board."""

    num_actions = 9

    def start(self) -> Board:
        return (0,) * 9

    def player(self, state: Board) -> int:
        return (9 - state.count(0)) % 2

    def legal(self, state: Board) -> Bool[np.ndarray, " action"]:
        return np.array([point == 0 for point in state])

    def play(self, state: Board, action: int) -> Board:
        if state[action]:
            raise ValueError(f"action is {action}; that point is taken")
        return (*state[:action], self.player(state) + 1, *state[action + 1 :])

    def outcome(self, state: Board) -> float | None:
        for a, b, c in LINES:
            if state[a] and state[a] == state[b] == state[c]:
                return 1.0 if state[a] == 1 else -1.0
        return None if 0 in state else 0.0


@cache
def exact_value(state: Board) -> float:
    """What player 0 gets from ``state`` when both play perfectly."""
    game = TicTacToe()
    ended = game.outcome(state)
    if ended is not None:
        return ended
    values = [exact_value(game.play(state, int(a))) for a in np.flatnonzero(game.legal(state))]
    return max(values) if game.player(state) == 0 else min(values)
