"""Moves that a policy chose in games of its own, and what came of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


class DecisionBatch(NamedTuple):
    """planes: Lee planes, as bytes. allowed: the actions that it chose among. advantages: what each
    choice is credited with."""

    planes: UInt8[Tensor, "decision plane row column"]
    allowed: Bool[Tensor, "decision action"]
    actions: Int[Tensor, " decision"]
    advantages: Float[Tensor, " decision"]

    def to(self, device: torch.device | str) -> DecisionBatch:
        return DecisionBatch(*(part.to(device) for part in self))
