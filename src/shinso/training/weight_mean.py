"""A running mean of a model's weights, which is often better than the last of them."""

from __future__ import annotations

import torch
from torch import nn


class WeightMean:
    """An exponential running mean of a model's weights and floating-point buffers (Polyak & Juditsky
    1992; Tarvainen & Valpola 2017).

    Differs: the decay rises with the steps, (1 + t) / (10 + t) up to ``decay``, so that the
    untrained weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        buffers = [one for one in model.buffers() if one.is_floating_point()]
        self.own = [one.detach() for one in (*model.parameters(), *buffers)]
        self.kept = [one.clone() for one in self.own]

    @torch.no_grad()
    def add(self, step: int) -> None:
        share = 1.0 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.kept, self.own, share)  # pyright: ignore[reportPrivateImportUsage]

    @torch.no_grad()
    def swap(self) -> None:
        """The model gets the mean, the mean keeps the model's weights; again brings them back."""
        for own, kept in zip(self.own, self.kept, strict=True):
            waiting = own.clone()
            own.copy_(kept)
            kept.copy_(waiting)
