"""Tagged sentences side by side: words and tags as numbers, padded, with their lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from shinso.data.findings import Findings, shown
from shinso.data.tagged_tokens import TaggedSentences
from shinso.data.vocabulary import PAD_ID, Vocabulary
from shinso.language import _

NO_TAG = -100  # what torch's cross entropy passes over


class TagBatch(NamedTuple):
    """tokens: PAD_ID behind a sentence's end. tags: NO_TAG there, and where none is known."""

    tokens: Int[Tensor, "batch time"]
    lengths: Int[Tensor, " batch"]
    tags: Int[Tensor, "batch time"]

    def to(self, device: torch.device | str) -> TagBatch:
        return TagBatch(*(part.to(device) for part in self))


class TagSamples:
    """Some of the sentences as samples."""

    def __init__(
        self,
        sentences: TaggedSentences,
        indices: Sequence[int] | Int[np.ndarray, " sample"] | None,
        vocabulary: Vocabulary,
        classes: Sequence[str],
    ) -> None:
        """indices: the part's sentences; None takes all. classes: tags in order of their numbers.

        Raises ManyDataFaults DATA-UNKNOWN-LABEL for tags that are not among ``classes``.
        """
        chosen = range(len(sentences)) if indices is None else [int(place) for place in indices]
        number = {name: place for place, name in enumerate(classes)}
        _check_known(sentences, chosen, number)
        self._tokens = [
            torch.tensor(vocabulary.encode(sentences.tokens[place]), dtype=torch.int64)
            for place in chosen
        ]
        self._tags = [
            torch.tensor([number[tag] for tag in sentences.tags[place]], dtype=torch.int64)
            if sentences.tags[place]
            else torch.full((len(sentences.tokens[place]),), NO_TAG, dtype=torch.int64)
            for place in chosen
        ]
        self.lengths = np.array([len(one) for one in self._tokens], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._tokens)

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> TagBatch:
        chosen = np.asarray(indices, dtype=np.int64)
        pad = torch.nn.utils.rnn.pad_sequence
        return TagBatch(
            pad([self._tokens[i] for i in chosen], batch_first=True, padding_value=PAD_ID),
            torch.from_numpy(self.lengths[chosen]),
            pad([self._tags[i] for i in chosen], batch_first=True, padding_value=NO_TAG),
        )

    def batches(self, batch_size: int) -> Iterator[TagBatch]:
        """All samples in order; the last batch is as short as it comes out, never dropped."""
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))


def _check_known(sentences: TaggedSentences, chosen: Sequence[int], known: dict[str, int]) -> None:
    findings = Findings(sentences.path)
    for place in chosen:
        for tag in sorted(set(sentences.tags[place]) - known.keys()):
            findings.fault(
                "DATA-UNKNOWN-LABEL",
                line=sentences.lines[place],
                found=_("a token of this sentence has the tag {tag}").format(tag=shown(tag)),
                why=_("the known tags are {tags}").format(tags=", ".join(known)),
                next_step=_("mend the tag, or train on data that hold it"),
            )
    findings.stop()
