"""The eight ways to turn and mirror a board."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Int


@cache
def symmetries(side: int) -> Int[np.ndarray, "8 action"]:
    """For each symmetry, where every action comes from: ``turned = values[:, symmetries(n)[k]]``.

    The pass, the last action, stays. Row 0 is the board as it is.
    """
    board = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(one, k) for one in (board, board.T) for k in range(4)]
    passes = np.full((8, 1), side * side)
    return np.concatenate([np.array([one.reshape(-1) for one in turned]), passes], axis=1)


@cache
def inverses(side: int) -> Int[np.ndarray, "8 action"]:
    """For each symmetry, the way back: ``symmetries(n)[k][inverses(n)[k]]`` counts upwards."""
    return np.argsort(symmetries(side), axis=1)
