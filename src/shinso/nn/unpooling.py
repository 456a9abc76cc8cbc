"""Pooling that remembers where each maximum stood, and the way back (SegNet).

    ŷ[argmax of window w] = x[w], 0 elsewhere          (Badrinarayanan et al. 2017, section 3)

Values return to the places where their maxima came from, so borders stay sharp; nothing is learnt.
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


@final
class MaxPoolingWithPlaces(nn.Module):
    """The maximum of each 2×2 window and its place in the plane, counted row by row."""

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> tuple[
        Float[Tensor, "batch channel half_height half_width"],
        Int[Tensor, "batch channel half_height half_width"],
    ]:
        return F.max_pool2d(x, 2, return_indices=True)


@final
class Unpooling(nn.Module):
    """Each value to its place in a plane of twice the sides, zeros between."""

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        places: Int[Tensor, "batch channel height width"],
    ) -> Float[Tensor, "batch channel double_height double_width"]:
        height, width = x.shape[2:]
        plane = x.new_zeros(*x.shape[:2], 4 * height * width)
        filled = plane.scatter(2, places.flatten(2), x.flatten(2))
        out = filled.view(*x.shape[:2], 2 * height, 2 * width)
        return out.contiguous(memory_format=torch.channels_last)
