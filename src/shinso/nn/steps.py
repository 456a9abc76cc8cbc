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
    reaches. starts: first row of each step, rising or, for sequences of one length, falling.
    """

    starts: Int64[np.ndarray, " time"]
    sizes: Int64[np.ndarray, " time"]

    @classmethod
    def packed(cls, batch_sizes: Int64[Tensor, " time"]) -> "Steps":
        """The steps of a ``PackedSequence``."""
        sizes = batch_sizes.numpy().copy()
        return cls(starts=np.cumsum(sizes) - sizes, sizes=sizes)

    @cached_property
    def batch(self) -> int:
        """Number of sequences."""
        return int(self.sizes[0])

    @cached_property
    def even(self) -> bool:
        """Whether all sequences have the same length."""
        return bool(self.sizes[0] == self.sizes[-1])

    @cached_property
    def slices(self) -> list[tuple[int, int]]:
        """First row of each step and the row after its last."""
        return list(zip(self.starts.tolist(), (self.starts + self.sizes).tolist(), strict=True))

    @cached_property
    def earlier(self) -> Int64[Tensor, " row"]:
        """Each row's place one step earlier in the initial state followed by all rows."""
        places = np.empty(int(self.sizes.sum()), np.int64)
        before = 0
        for size, start in zip(self.sizes.tolist(), self.starts.tolist(), strict=True):
            places[start : start + size] = np.arange(before, before + size)
            before = self.batch + start
        return torch.from_numpy(places)

    @cached_property
    def last(self) -> Int64[Tensor, " batch"]:
        """The last row of each sequence."""
        return torch.from_numpy(self.starts[self._lengths - 1] + np.arange(self.batch))

    @cached_property
    def backwards(self) -> "Steps":
        """The same rows from the last step to the first, for sequences of one length."""
        return Steps(starts=self.starts[::-1].copy(), sizes=self.sizes)

    @cached_property
    def mirror(self) -> Int64[Tensor, " row"]:
        """Where each row goes when every sequence is turned around; its own inverse."""
        step = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sequence = np.arange(len(step)) - self.starts[step]
        return torch.from_numpy(self.starts[self._lengths[sequence] - 1 - step] + sequence)

    @cached_property
    def _lengths(self) -> Int64[np.ndarray, " batch"]:
        return (self.sizes[:, None] > np.arange(self.batch)).sum(0)


@lru_cache(maxsize=64)
def even_steps(time: int, batch: int) -> Steps:
    """Steps of ``batch`` sequences of one length; kept, since training asks for few of them."""
    return Steps(starts=np.arange(time) * batch, sizes=np.full(time, batch))
