"""Positions of game records as training batches: replayed from the moves whenever they are drawn.

A position is never stored: replaying a game to its middle costs about ten microseconds, its planes
on a 19×19 board would take 33 kilobytes.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from shinso.data.drawn_positions import PositionSamples
from shinso.data.go_files import GoGames
from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import FEATURES, first_forms, rows_of
from shinso.games.go_planes_numba import LEE_PLANES, planes_of
from shinso.games.symmetry import inverses, symmetries

Reads = Literal["planes", "patterns"]


class MoveBatch(NamedTuple):
    """Positions and the moves that were played in them.

    inputs: planes (batch, plane, row, column), or rows of the pattern table (batch, point, feature).
    """

    inputs: Float[Tensor, "batch plane row column"] | Int[Tensor, "batch point feature"]
    actions: Int[Tensor, " batch"]

    def to(self, device: torch.device | str) -> MoveBatch:
        return MoveBatch(*(part.to(device) for part in self))


@cache
def pattern_forms() -> Int[np.ndarray, " pattern"]:
    """``go_patterns_numba.first_forms``, made once."""
    return first_forms()


class MoveSamples(PositionSamples[MoveBatch]):
    """All moves of some games; sample i is the i-th move and the position before it."""

    def __init__(self, games: GoGames, chosen: Int64[np.ndarray, " game"], reads: Reads) -> None:
        self.games, self.reads = games, reads
        counts = games.begins[chosen + 1] - games.firsts[chosen]
        self.game = np.repeat(chosen, counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        self.place = games.firsts[self.game] + within
        self.number = within
        self._start = Position.start(Rules(side=games.side)).board

    def __len__(self) -> int:
        return len(self.place)

    def take(
        self,
        chosen: Int64[np.ndarray, " batch"],
        turned: Int64[np.ndarray, " batch"] | None = None,
    ) -> MoveBatch:
        """turned: which of the eight symmetries each is seen through; none without. The pattern
        table has the symmetries in its rows, so there it changes nothing."""
        games, side = self.games, self.games.side
        game, place = self.game[chosen], self.place[chosen]
        where = (self._start, games.actions, games.colors, games.begins, games.firsts, game, place)
        actions = games.actions[place].astype(np.int64)
        if self.reads == "patterns":
            rows = np.empty((len(chosen), side * side, FEATURES), np.int32)
            rows_of(*where, pattern_forms(), rows)
            return MoveBatch(torch.from_numpy(rows), torch.from_numpy(actions))
        turned = np.zeros(len(chosen), np.int64) if turned is None else turned
        planes = np.empty((len(chosen), LEE_PLANES, side * side), np.float32)
        planes_of(*where, symmetries(side)[turned], planes)
        actions = inverses(side)[turned, actions]
        shaped = torch.from_numpy(planes).view(-1, LEE_PLANES, side, side)
        return MoveBatch(shaped, torch.from_numpy(actions))
