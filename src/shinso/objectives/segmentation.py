"""Losses of a class for every pixel: cross entropy with class weights, and dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.data.mask_batches import MaskBatch
from shinso.data.mask_decoding import VOID
from shinso.objectives.half_precision import raised


def dice_loss(
    shares: Float[Tensor, "pixel class"], labels: Int[Tensor, " pixel"]
) -> Float[Tensor, ""]:
    """1 − mean over classes of 2 Σ p g / (Σ p + Σ g), p what the network gives a pixel of the class
    and g whether it is of it (Milletari et al. 2016, eq. 1, with sums instead of sums of squares).

    Differs: the mean is over the classes that occur in the batch, since the quotient of another
    falls to 0 by any p above 0.
    """
    wanted = F.one_hot(labels, shares.shape[1]).to(shares.dtype)
    both = (shares * wanted).sum(0)
    all_of = shares.sum(0) + wanted.sum(0)
    there = wanted.sum(0) > 0
    return 1 - (2 * both / all_of.clamp(min=1e-12))[there].mean()


class SegmentationObjective:
    """(1 − d) · cross entropy in nats + d · dice, over the pixels whose class counts.

    weights: of each class in the cross entropy, whose mean is divided by the sum of the weights of
    its pixels. dice: d.

    Dice is not a mean over pixels: where a batch is shared among workers or learned in parts, it is
    that of each part, and the gradient is not exactly the whole batch's. With d = 0 it is.
    """

    def __init__(self, weights: Sequence[float] | None = None, *, dice: float = 0.0) -> None:
        if not 0 <= dice <= 1:
            raise ValueError(f"dice is {dice}; give a share from 0 to 1")
        self.weights = torch.tensor(weights) if weights is not None else None
        self.dice = dice

    def __call__(self, model: nn.Module, batch: MaskBatch) -> Mapping[str, Tensor]:
        scores = raised(model(batch.images))
        rows = scores.permute(0, 2, 3, 1).flatten(0, 2)
        masks = batch.masks.flatten()
        counts = masks != VOID
        if not bool(counts.all()):
            rows, masks = rows[counts], masks[counts]
        labels = masks.long()
        if not len(labels):  # a batch of nothing but void: no gradient, and no division by 0
            return {"loss": rows.sum(), "pixel_accuracy": rows.new_zeros(())}
        weights = None if self.weights is None else self.weights.to(rows)
        loss = F.cross_entropy(rows, labels, weight=weights)
        found = {"pixel_accuracy": (rows.detach().argmax(1) == labels).float().mean()}
        if self.dice:
            dice = dice_loss(rows.softmax(1), labels)
            found["dice_loss"] = dice
            loss = (1 - self.dice) * loss + self.dice * dice
        return {"loss": loss, **found}

    def counted(self, batch: MaskBatch) -> Bool[Tensor, "batch height width"]:
        return batch.masks != VOID

    def term_weights(self, batch: MaskBatch) -> Mapping[str, float]:
        """The sum of the class weights of the pixels that count, by which the cross entropy is
        divided; the accuracy by their number."""
        labels = batch.masks[batch.masks != VOID].long().cpu()
        heavy = len(labels) if self.weights is None else float(self.weights[labels].double().sum())
        return {"loss": heavy, "pixel_accuracy": len(labels)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def median_frequency(
    pixels: Sequence[int], there: Sequence[int], power: float = 1.0
) -> list[float]:
    """Weights (median frequency / frequency)^power, a class's frequency being its pixels over all
    pixels of the images in which it occurs (Eigen & Fergus 2015, section 6.3.2).

    pixels: of each class. there: pixels that count in the images in which the class occurs. A class
    without a pixel gets weight 0: nothing asks for it.
    """
    shares = [one / all_of if one else 0.0 for one, all_of in zip(pixels, there, strict=True)]
    present = torch.tensor([one for one in shares if one], dtype=torch.float64)
    middle = float(present.quantile(0.5))
    return [(middle / one) ** power if one else 0.0 for one in shares]
