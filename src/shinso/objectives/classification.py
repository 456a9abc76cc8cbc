"""Cross entropy of classes and of tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shinso.data.labelled_batches import LabelledBatch
from shinso.data.tagged_batches import NO_TAG, TagBatch


class ClassificationObjective:
    """Mean negative log-likelihood of the right class, in nats, with the batch's accuracy."""

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        """label_smoothing: share of each label spread over all classes (Szegedy et al. 2016)."""
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; give a share below 1")
        self.label_smoothing = label_smoothing

    def __call__(self, model: nn.Module, batch: LabelledBatch) -> Mapping[str, Tensor]:
        scores = model(batch.values, batch.lengths)
        loss = cross_entropy(scores, batch.labels, label_smoothing=self.label_smoothing)
        return {"loss": loss, "accuracy": (scores.argmax(-1) == batch.labels).float().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class TaggingObjective:
    """Mean negative log-likelihood over tokens, in nats; padding has no tag and does not count."""

    def __call__(self, model: nn.Module, batch: TagBatch) -> Mapping[str, Tensor]:
        scores = model(batch.tokens, batch.lengths)
        loss = cross_entropy(scores.flatten(0, 1), batch.tags.flatten(), ignore_index=NO_TAG)
        real = self.counted(batch)
        return {"loss": loss, "accuracy": (scores.argmax(-1) == batch.tags)[real].float().mean()}

    def counted(self, batch: TagBatch) -> Bool[Tensor, "batch time"]:
        return batch.tags != NO_TAG

    def weight(self, batch: TagBatch) -> float:
        """Tokens: the loss is their mean."""
        return float(self.counted(batch).sum())

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
