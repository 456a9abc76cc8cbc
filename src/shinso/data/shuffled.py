"""Shuffled training batches whose place in the stream is two whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from shinso.contracts import BatchOut
from shinso.data.same_run import check_same_run


@runtime_checkable
class Samples(Protocol[BatchOut]):
    """Anything with a number of samples from which some can be taken as a batch."""

    def __len__(self) -> int: ...

    def take(self, indices: Int[np.ndarray, " batch"], /) -> BatchOut: ...


class Numbers:
    """Samples that are their own numbers: for whom the order is wanted before the samples are."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def take(self, indices: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " batch"]:
        return indices


class ShuffledSource(Generic[BatchOut]):
    """Epochs of all samples, each in its own order, cut into batches; the last may be short.

    The order of an epoch comes from its own generator, seeded with (seed, epoch). So epoch and
    position alone bring a stopped run back to the batch that would have come next.
    """

    def __init__(
        self,
        samples: Samples[BatchOut],
        batch_size: int,
        seed: int,
        *,
        lengths: Sequence[int] | Int[np.ndarray, " sample"] | None = None,
        bucket_batches: int = 50,
        only: Int[np.ndarray, " some"] | None = None,
    ) -> None:
        """lengths: of each sample, so that samples of like length share a batch and little is
        padding; so many batches' worth are sorted at a time that order stays random. only: the
        samples to use, all by default.

        Raises ValueError where there is no sample or batch_size or bucket_batches is below 1.
        """
        self._only = np.arange(len(samples)) if only is None else np.asarray(only)
        if not self._only.size:
            raise ValueError("there are no samples; give at least one")
        for name, size in (("batch_size", batch_size), ("bucket_batches", bucket_batches)):
            if size < 1:
                raise ValueError(f"{name} is {size}; give 1 or more")
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        self.bucket_batches = bucket_batches
        self._lengths = None if lengths is None else np.asarray(lengths)
        self.epoch = 0
        self.position = 0  # samples of this epoch already given
        self._order = self._order_of(0)

    def __len__(self) -> int:
        return len(self._only)

    def next_batch(self) -> BatchOut:
        return self.samples.take(self._next_indices())

    def next_part(self, index: int, of: int) -> BatchOut:
        """Every ``of``-th sample of the next batch; the whole where that would leave one empty."""
        chosen = self._next_indices()
        return self.samples.take(chosen if len(chosen) < of else chosen[index::of])

    def _next_indices(self) -> Int[np.ndarray, " batch"]:
        if self.position >= len(self._order):
            self.epoch, self.position = self.epoch + 1, 0
            self._order = self._order_of(self.epoch)
        chosen = self._order[self.position : self.position + self.batch_size]
        self.position += len(chosen)
        return chosen

    def fixed_subset(self, num_samples: int) -> ShuffledSource[BatchOut]:
        """A source of the first ``num_samples`` samples in this seed's first order, for overfitting
        on purpose; all of them where there are fewer. They are the same however far this one is.

        Raises ValueError where num_samples is below 1.
        """
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}; give 1 or more")
        some = np.sort(self._shuffled(0)[:num_samples])
        return ShuffledSource(
            self.samples, self.batch_size, self.seed,
            lengths=self._lengths, bucket_batches=self.bucket_batches, only=some,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "num_samples": len(self._only),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. RunFault RUN-OTHER-DATA where it was another seed's or other
        data's, whose order would not be the one that was begun."""
        check_same_run(state, num_samples=len(self._only), seed=self.seed)
        self.epoch, self.position = state["epoch"], state["position"]
        self._order = self._order_of(self.epoch)

    def _shuffled(self, epoch: int) -> Int[np.ndarray, " sample"]:
        return np.random.default_rng([self.seed, epoch]).permutation(self._only)

    def _order_of(self, epoch: int) -> Int[np.ndarray, " sample"]:
        order = self._shuffled(epoch)
        if self._lengths is None:
            return order
        rng = np.random.default_rng([self.seed, epoch, 1])
        pool = self.bucket_batches * self.batch_size
        parts = []
        for begin in range(0, len(order), pool):
            bucket = order[begin : begin + pool]
            bucket = bucket[np.argsort(self._lengths[bucket], kind="stable")]
            # Whole batches change places, so that short samples do not always come first; the
            # short batch at the end stays there, where a cut at every batch_size finds it.
            whole = len(bucket) // self.batch_size * self.batch_size
            batches = bucket[:whole].reshape(-1, self.batch_size)
            parts += [rng.permutation(batches).reshape(-1), bucket[whole:]]
        return np.concatenate(parts)
