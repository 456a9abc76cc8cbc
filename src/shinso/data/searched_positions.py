"""Positions with what a search said of them and how their game ended."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class SearchedBatch(NamedTuple):
    """policy: chances that the search gave to the actions; result: −1 … 1 for the player to move."""

    planes: Float[Tensor, "batch plane row column"]
    policy: Float[Tensor, "batch action"]
    result: Float[Tensor, " batch"]

    def to(self, device: torch.device | str) -> SearchedBatch:
        return SearchedBatch(*(part.to(device) for part in self))
