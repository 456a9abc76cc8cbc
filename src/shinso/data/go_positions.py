"""Positions of game records as training batches: replayed from the moves whenever they are drawn.

A position is never stored: replaying a game to its middle costs about ten microseconds, its planes
on a 19×19 board would take 33 kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

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


class MoveSamples:
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
        indices: Int64[np.ndarray, " batch"],
        turned: Int64[np.ndarray, " batch"] | None = None,
    ) -> MoveBatch:
        """turned: which of the eight symmetries each is seen through; none without. The pattern
        table has the symmetries in its rows, so there it changes nothing."""
        games, side = self.games, self.games.side
        game, place = self.game[indices], self.place[indices]
        where = (self._start, games.actions, games.colors, games.begins, games.firsts, game, place)
        actions = games.actions[place].astype(np.int64)
        if self.reads == "patterns":
            rows = np.empty((len(indices), side * side, FEATURES), np.int32)
            rows_of(*where, pattern_forms(), rows)
            return MoveBatch(torch.from_numpy(rows), torch.from_numpy(actions))
        turned = np.zeros(len(indices), np.int64) if turned is None else turned
        planes = np.empty((len(indices), LEE_PLANES, side * side), np.float32)
        planes_of(*where, symmetries(side)[turned], planes)
        actions = inverses(side)[turned, actions]
        shaped = torch.from_numpy(planes).view(-1, LEE_PLANES, side, side)
        return MoveBatch(shaped, torch.from_numpy(actions))

    def batches(self, batch_size: int, at_most: int = 0) -> Iterator[MoveBatch]:
        """All samples in order, or ``at_most`` of them spread evenly."""
        chosen = self.spread(at_most)
        for begin in range(0, len(chosen), batch_size):
            yield self.take(chosen[begin : begin + batch_size])

    def spread(self, at_most: int) -> Int64[np.ndarray, " sample"]:
        """Numbers of ``at_most`` samples at equal distances; of all with 0."""
        count = min(at_most, len(self)) if at_most else len(self)
        return np.arange(count, dtype=np.int64) * len(self) // max(count, 1)


class DrawnMoves:
    """Training batches of moves drawn at random, each seen through a random symmetry.

    A batch follows from (seed, number of the batch) alone, which is all the state there is.
    """

    def __init__(
        self, samples: MoveSamples, batch_size: int, seed: int, *, only: int | None = None
    ) -> None:
        """only: draw from so many samples, spread over all, and do not turn them."""
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.only = None if only is None else samples.spread(only)
        self.drawn = 0

    def next_batch(self) -> MoveBatch:
        rng = np.random.default_rng([self.seed, self.drawn])
        self.drawn += 1
        if self.only is not None:
            return self.samples.take(rng.choice(self.only, self.batch_size))
        chosen = rng.integers(len(self.samples), size=self.batch_size)
        return self.samples.take(chosen, rng.integers(8, size=self.batch_size))

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.drawn = state["drawn"]
