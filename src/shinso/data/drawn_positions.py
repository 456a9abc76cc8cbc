"""Batches of positions of games: in order, evenly spread, or drawn at random."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Int64

Batch = TypeVar("Batch")


class PositionSamples(ABC, Generic[Batch]):
    """Positions by number, with what is to be learnt of them."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(
        self, chosen: Int64[np.ndarray, " batch"], turned: Int64[np.ndarray, " batch"] | None = None
    ) -> Batch:
        """turned: which of the eight symmetries each is seen through; none without."""

    def batches(self, batch_size: int, at_most: int = 0) -> Iterator[Batch]:
        """All samples in order, or ``at_most`` of them spread evenly."""
        chosen = self.spread(at_most)
        for begin in range(0, len(chosen), batch_size):
            yield self.take(chosen[begin : begin + batch_size])

    def spread(self, at_most: int) -> Int64[np.ndarray, " sample"]:
        """Numbers of ``at_most`` samples at equal distances; of all with 0."""
        count = min(at_most, len(self)) if at_most else len(self)
        return np.arange(count, dtype=np.int64) * len(self) // max(count, 1)


class DrawnPositions(Generic[Batch]):
    """Training batches drawn at random, each position seen through a random symmetry.

    A batch follows from (seed, number of the batch) alone, which is all the state there is.
    """

    def __init__(
        self,
        samples: PositionSamples[Batch],
        batch_size: int,
        seed: int,
        *,
        only: int | None = None,
    ) -> None:
        """only: draw from so many samples, spread over all, and do not turn them."""
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.only = None if only is None else samples.spread(only)
        self.drawn = 0

    def next_batch(self) -> Batch:
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
