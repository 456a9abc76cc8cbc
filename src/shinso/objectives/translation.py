"""Translation: the next word of the target, given the source and the words before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shinso.data.parallel_batches import ParallelBatch, seen
from shinso.nn.output_loss import output_loss


class TranslationObjective:
    """Cross entropy of each real word of the target, with label smoothing; padding costs nothing.

    own_words: the share of steps at which a recurrent decoder reads its own last word instead of
    the true one rises from 0 to this over ``steps`` (scheduled sampling, Bengio et al. 2015).
    """

    def __init__(self, smoothing: float = 0.0, own_words: float = 0.0, steps: int = 1) -> None:
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing is {smoothing}; give 0 up to below 1")
        self.smoothing = smoothing
        self.own_words = own_words
        self.steps = steps
        self.step = 0

    def __call__(self, model: nn.Module, batch: ParallelBatch) -> Mapping[str, Tensor]:
        """loss: smoothed; loss_nats: −log p of the true word. Both are means over words."""
        share = self.own_words * min(1.0, self.step / self.steps)
        self.step += 1
        hidden, labels = next_words(model, batch, share)
        output = model.output
        loss, nats = output_loss(hidden, output.weight, output.bias, labels, self.smoothing)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        return {"loss": loss, "loss_nats": nats}

    def counted(self, batch: ParallelBatch) -> Bool[Tensor, "batch time"] | None:
        return seen(batch.target_lengths - 1, batch.target.shape[1] - 1)

    def weight(self, batch: ParallelBatch) -> float:
        """Words of the targets: the loss is their mean."""
        return float((batch.target_lengths - 1).sum())

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        self.step = state["step"]


def next_words(
    model: nn.Module, batch: ParallelBatch, own_share: float = 0.0
) -> tuple[Float[Tensor, "word width"], Int[Tensor, " word"]]:
    """What the last layer reads at each real place of the targets, and the words that follow."""
    mask = seen(batch.source_lengths, batch.source.shape[1])
    more = {"own_share": own_share} if own_share else {}
    hidden = model(batch.source, mask, batch.target[:, :-1], **more)
    labels = batch.target[:, 1:]
    real = seen(batch.target_lengths - 1, labels.shape[1])
    if real is None:
        return hidden.flatten(0, 1), labels.flatten()
    return hidden[real], labels[real]


@torch.no_grad()
def loss_of(model: nn.Module, batches: Any) -> tuple[float, int]:
    """−log p of all words in the batches, in nats, and their number."""
    total, words = 0.0, 0
    for batch in batches:
        hidden, labels = next_words(model, batch)
        output = model.output
        _loss, nats = output_loss(hidden, output.weight, output.bias, labels)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        total += float(nats) * len(labels)
        words += len(labels)
    return total, words
