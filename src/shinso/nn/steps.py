"""Which rows of a flat batch belong to which step of time.

A batch of sequences is one matrix, step after step, as in ``PackedSequence.data``; sequences of
equal length are the special case in which every step has as many rows as the first.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps in the order in which they are run.

    sizes: sequences still running, never growing; sequence b is row b of each step that it
    reaches. starts: first row of each step.
    """

    starts: Int64[np.ndarray, " time"]
    sizes: Int64[np.ndarray, " time"]

    @classmethod
    def packed(cls, batch_sizes: Int64[Tensor, " time"]) -> "Steps":
        """The steps of a ``PackedSequence``."""
        sizes = batch_sizes.numpy().copy()
        return cls(starts=np.cumsum(sizes) - sizes, sizes=sizes)

    @property
    def batch(self) -> int:
        """Number of sequences."""
        return int(self.sizes[0])

    @property
    def rows(self) -> int:
        """Number of rows of all steps."""
        return int(self.sizes.sum())

    @property
    def even(self) -> bool:
        """Whether all sequences have the same length."""
        return bool(self.sizes[0] == self.sizes[-1])

    @cached_property
    def slices(self) -> list[tuple[int, int]]:
        """First row of each step and the row after its last."""
        return list(zip(self.starts.tolist(), (self.starts + self.sizes).tolist(), strict=True))

    @cached_property
    def before(self) -> Int64[np.ndarray, " row"]:
        """The row one step earlier of each row; ~b for the first step of sequence b."""
        rows = np.empty(self.rows, np.int64)
        rows[self.starts[0] : self.starts[0] + self.batch] = ~np.arange(self.batch)
        for s in range(1, len(self.sizes)):
            size, start, earlier = self.sizes[s], self.starts[s], self.starts[s - 1]
            rows[start : start + size] = np.arange(earlier, earlier + size)
        return rows

    @cached_property
    def last(self) -> Int64[np.ndarray, " batch"]:
        """The last row of each sequence."""
        reached = (self.sizes[:, None] > np.arange(self.batch)).sum(0) - 1
        return self.starts[reached] + np.arange(self.batch)

    @cached_property
    def backwards(self) -> "Steps":
        """The same rows from the last step to the first, for sequences of equal length."""
        return Steps(starts=self.starts[::-1].copy(), sizes=self.sizes)

    @cached_property
    def mirror(self) -> Int64[Tensor, " row"]:
        """Where each row goes when every sequence is turned around; its own inverse."""
        lengths = (self.sizes[:, None] > np.arange(self.batch)).sum(0)
        step = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sequence = np.arange(self.rows) - self.starts[step]
        return torch.from_numpy(self.starts[lengths[sequence] - 1 - step] + sequence)


@lru_cache(maxsize=64)
def even_steps(time: int, batch: int) -> Steps:
    """Steps of ``batch`` sequences of one length; kept, since training asks for few of them."""
    return Steps(starts=np.arange(time) * batch, sizes=np.full(time, batch))
