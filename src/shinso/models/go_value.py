"""AlphaGo's value network: who will win, from one look at a position.

Place in the course: AlphaGo, the value network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.games.go_planes_numba import LEE_PLANES
from shinso.models.go_policy import PooledBlock
from shinso.settings import setting

PLANES = LEE_PLANES + 1
"""Those of the policies, and whether Black is to move: komi makes the colours differ."""


@final
class ValueNetwork(nn.Module):
    """v_θ(s), from −1 to 1 for the player to move (Silver et al. 2016, Methods).

    A tower like the policies', one convolution of 1×1, a layer of ``hidden`` rectifiers, tanh.
    *Differs*: a residual tower with batch normalization.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the board's size follows from the games."""

        filters: int = setting(32, "filters a layer")
        blocks: int = setting(2, "blocks of two convolutions")
        hidden: int = setting(64, "units of the layer before the last")

        def __post_init__(self) -> None:
            for name in ("filters", "blocks", "hidden"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config = config
        self.body = nn.Sequential(
            nn.Conv2d(PLANES, config.filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(config.filters),
            nn.ReLU(),
            *(PooledBlock(config.filters) for _ in range(config.blocks)),
        )
        self.value = nn.Sequential(
            nn.Conv2d(config.filters, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(),
            nn.Linear(2 * side * side, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 1),
        )  # fmt: skip

    def forward(self, planes: Float[Tensor, "batch plane row column"]) -> Float[Tensor, " batch"]:
        return torch.tanh(self.value(self.body(planes))[:, 0])
