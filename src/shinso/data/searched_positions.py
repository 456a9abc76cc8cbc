"""Positions with what a search said of them and how their game ended."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class SearchedBatch(NamedTuple):
    """policy: chances that the search gave to the actions; result: −1 … 1 for the player to move;
    owners: whose each point was in the end, 1 the player to move, −1 the other; None where unknown."""

    planes: Float[Tensor, "batch plane row column"]
    policy: Float[Tensor, "batch action"]
    result: Float[Tensor, " batch"]
    owners: Float[Tensor, "batch point"] | None = None

    def to(self, device: torch.device | str) -> SearchedBatch:
        return SearchedBatch(
            self.planes.to(device),
            self.policy.to(device),
            self.result.to(device),
            None if self.owners is None else self.owners.to(device),
        )

    def take(self, chosen: Int[Tensor, " chosen"]) -> SearchedBatch:
        """These positions."""
        return SearchedBatch(
            self.planes[chosen],
            self.policy[chosen],
            self.result[chosen],
            None if self.owners is None else self.owners[chosen],
        )
