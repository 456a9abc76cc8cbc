"""Sequences of different lengths one after another, without the padding between them.

What a layer does to each step by itself needs no padding, and in a batch of sentences a third of all
steps may be that.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@final
class Unpadded:
    """Where the real steps of a padded batch are."""

    def __init__(
        self, mask: Bool[Tensor, "batch time"] | None, batch: int, time: int, device: torch.device
    ) -> None:
        """mask: True at real steps; None where all are."""
        self.mask = mask
        self._batch, self._time = batch, time
        if mask is None:
            self.lengths = torch.full((batch,), time, device=device)
        else:
            self.lengths = mask.sum(1)
            self._rows = mask.flatten().nonzero().flatten()

    def flat(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "step width"]:
        """The real steps, sequence after sequence."""
        flat = x.flatten(0, 1)
        return flat if self.mask is None else flat.index_select(0, self._rows)

    def padded(self, flat: Float[Tensor, "step width"]) -> Float[Tensor, "batch time width"]:
        """The steps in their places, zeros between them."""
        if self.mask is not None:
            zeros = flat.new_zeros(self._batch * self._time, flat.shape[-1])
            flat = zeros.index_copy_(0, self._rows, flat)
        return flat.view(self._batch, self._time, -1)
