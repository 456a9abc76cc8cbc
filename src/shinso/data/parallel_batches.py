"""Pairs of sentences as numbers, in batches of like length and a like number of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from shinso.data.same_run import check_same_run
from shinso.data.subwords import BEGIN, END, PAD

SORTED_TOGETHER = 100  # batches' worth of pairs sorted at a time, so that order stays random


class ParallelBatch(NamedTuple):
    """source: sentence, END, padding. target: BEGIN, sentence, END, padding. Lengths count the
    signs."""

    source: Int[Tensor, "batch source"]
    source_lengths: Int[Tensor, " batch"]
    target: Int[Tensor, "batch target"]
    target_lengths: Int[Tensor, " batch"]

    def to(self, device: torch.device | str) -> ParallelBatch:
        return ParallelBatch(*(part.to(device) for part in self))


def padded(sequences: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "batch time"], Tensor]:
    """Sequences side by side, PAD behind each one's end, and their lengths."""
    lengths = np.array([len(one) for one in sequences], dtype=np.int64)
    table = np.full((len(sequences), int(lengths.max())), PAD, dtype=np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate(
        [np.asarray(one, dtype=np.int64) for one in sequences]
    )
    return torch.from_numpy(table), torch.from_numpy(lengths)


def seen(lengths: Int[Tensor, " batch"], time: int) -> Bool[Tensor, "batch time"] | None:
    """Which places hold words; None where all do."""
    if bool((lengths == time).all()):
        return None
    return torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)


class ParallelSamples:
    """Encoded pairs. source, target: pieces without signs."""

    def __init__(self, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> None:
        self.source = [[*one, END] for one in source]
        self.target = [[BEGIN, *one, END] for one in target]
        self.source_lengths = np.array([len(one) for one in self.source], dtype=np.int64)
        self.target_lengths = np.array([len(one) for one in self.target], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.source)

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> ParallelBatch:
        source, source_lengths = padded([self.source[i] for i in indices])
        target, target_lengths = padded([self.target[i] for i in indices])
        return ParallelBatch(source, source_lengths, target, target_lengths)

    def by_length(self, tokens: int) -> Iterator[ParallelBatch]:
        """All pairs once, those of like length together."""
        order = np.lexsort((self.source_lengths, self.target_lengths))
        for chosen in cut(order, self.source_lengths, self.target_lengths, tokens, len(order)):
            yield self.take(chosen)


def cut(
    order: Int[np.ndarray, " pair"],
    source_lengths: Int[np.ndarray, " every"],
    target_lengths: Int[np.ndarray, " every"],
    tokens: int,
    sentences: int,
) -> list[Int[np.ndarray, " batch"]]:
    """``order`` in consecutive batches of at most ``tokens`` places on the two sides together,
    padding counted, and at most ``sentences`` pairs; at least one pair each."""
    batches, first, widths = [], 0, (0, 0)
    for place, pair in enumerate(order):
        wider = (
            max(widths[0], int(source_lengths[pair])), max(widths[1], int(target_lengths[pair])),
        )  # fmt: skip
        count = place - first + 1
        if count > 1 and (sum(wider) * count > tokens or count > sentences):
            batches.append(order[first:place])
            first = place
            wider = (int(source_lengths[pair]), int(target_lengths[pair]))
        widths = wider
    batches.append(order[first:])
    return batches


class TokenBatches:
    """An endless source of batches of about ``tokens`` places and at most ``sentences`` pairs.

    Each epoch is shuffled anew, sorted by length within pools, cut, and the batches shuffled. The
    order of an epoch comes from (seed, epoch) alone, so two whole numbers bring a stopped run back
    to the batch that would have come next.
    """

    def __init__(
        self,
        samples: ParallelSamples,
        *,
        tokens: int,
        sentences: int,
        seed: int,
        only: Int[np.ndarray, " some"] | None = None,
    ) -> None:
        """only: the pairs to use, all by default. ValueError where there is none."""
        self.only = np.arange(len(samples)) if only is None else only
        if not self.only.size:
            raise ValueError("there are no pairs; give at least one")
        self.samples = samples
        self.tokens = tokens
        self.sentences = sentences
        self.seed = seed
        self.epoch = 0
        self.position = 0  # batches of this epoch already given
        self._batches = self._batches_of(0)

    def next_batch(self) -> ParallelBatch:
        if self.position >= len(self._batches):
            self.epoch, self.position = self.epoch + 1, 0
            self._batches = self._batches_of(self.epoch)
        self.position += 1
        return self.samples.take(self._batches[self.position - 1])

    def fixed_subset(self, num_samples: int) -> TokenBatches:
        """A source of the same few pairs, for overfitting on purpose."""
        some = np.sort(np.random.default_rng(self.seed).permutation(self.only)[:num_samples])
        return TokenBatches(
            self.samples, tokens=self.tokens, sentences=self.sentences, seed=self.seed, only=some
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "num_samples": len(self.only),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; RunFault RUN-OTHER-DATA where it was another seed's or data's."""
        check_same_run(state, num_samples=len(self.only), seed=self.seed)
        self.epoch, self.position = state["epoch"], state["position"]
        self._batches = self._batches_of(self.epoch)

    def _batches_of(self, epoch: int) -> list[Int[np.ndarray, " batch"]]:
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.only)
        source, target = self.samples.source_lengths, self.samples.target_lengths
        mean = float((source[order] + target[order]).mean())
        pool = max(1, int(SORTED_TOGETHER * min(self.tokens / mean, self.sentences)))
        batches: list[Int[np.ndarray, " batch"]] = []
        for first in range(0, len(order), pool):
            some = order[first : first + pool]
            some = some[np.lexsort((source[some], target[some]))]
            batches += cut(some, source, target, self.tokens, self.sentences)
        return [batches[place] for place in rng.permutation(len(batches))]
