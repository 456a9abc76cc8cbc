"""Shuffled, augmented batches of images whose place in the stream is two whole numbers."""

from __future__ import annotations

from typing import Any, Generic, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Int

from shinso.contracts import BatchOut
from shinso.data.shuffled import Numbers, ShuffledSource


@runtime_checkable
class ChangedSamples(Protocol[BatchOut]):
    """Samples that look different in every epoch."""

    def __len__(self) -> int: ...

    def take_in(self, indices: Int[np.ndarray, " batch"], epoch: int, /) -> BatchOut: ...


@final
class AugmentedSource(Generic[BatchOut]):
    """Epochs of augmented images in batches of one size.

    The short batch at an epoch's end is passed over: statistics of a few images would disturb
    batch normalization, and the next epoch leaves other images out.
    """

    def __init__(
        self,
        samples: ChangedSamples[BatchOut],
        batch_size: int,
        seed: int,
        *,
        only: Int[np.ndarray, " some"] | None = None,
    ) -> None:
        """only: the samples to use, all by default."""
        self.samples = samples
        self.order = ShuffledSource(Numbers(len(samples)), batch_size, seed, only=only)

    def next_batch(self) -> BatchOut:
        indices = self.order.next_batch()
        while len(indices) < min(self.order.batch_size, len(self.order)):
            indices = self.order.next_batch()
        return self.samples.take_in(indices, self.order.epoch)

    def fixed_subset(self, num_samples: int) -> AugmentedSource[BatchOut]:
        """A source of a few samples, always the same, for overfitting on purpose."""
        some = self.order.fixed_subset(num_samples)
        every = np.concatenate([some.next_batch() for _ in range(0, len(some), some.batch_size)])
        return AugmentedSource(
            self.samples, self.order.batch_size, self.order.seed, only=np.sort(every)
        )

    def state_dict(self) -> dict[str, Any]:
        return self.order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state)
