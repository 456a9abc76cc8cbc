"""Cross entropy of images whose label may be a mixture of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shinso.data.image_batches import ImageBatch
from shinso.objectives.half_precision import raised


class ImageObjective:
    """Mean cross entropy in nats between the shares of classes and the answer, with the accuracy.

    label_smoothing: share of each label spread over all classes (Szegedy et al. 2016, section 7).
    """

    def __init__(self, *, label_smoothing: float = 0.0, frozen: Sequence[nn.Module] = ()) -> None:
        """frozen: parts that do not learn. Their batch normalizations keep the running means they
        came with: a frozen part says the same of an image throughout."""
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing is {label_smoothing}; give a share below 1")
        self.label_smoothing = label_smoothing
        self.frozen = frozen

    def __call__(self, model: nn.Module, batch: ImageBatch) -> Mapping[str, Tensor]:
        for part in self.frozen:
            part.eval()
        scores = raised(model(batch.images))
        loss = cross_entropy(scores, batch.shares, label_smoothing=self.label_smoothing)
        right = scores.argmax(-1) == batch.shares.argmax(-1)
        return {"loss": loss, "accuracy": right.float().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
