"""The network of AlphaGo Zero: which move, and who will win, from one look at the raw board.

Place in the course: AlphaGo Zero, a residual network with joined heads; the plain and the separate
variants are those of the paper's four-way comparison (Silver et al. 2017, Figure 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.nn.norm import BatchNorm
from shinso.settings import setting


@final
class Block(nn.Module):
    """Two 3×3 convolutions; ``residual`` adds the input before the last rectifier."""

    def __init__(self, filters: int, *, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.first = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = BatchNorm(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = BatchNorm(filters)

    def forward(
        self, x: Float[Tensor, "batch filter row column"]
    ) -> Float[Tensor, "batch filter row column"]:
        inner = torch.relu(self.first_norm(self.first(x)))
        inner = self.second_norm(self.second(inner))
        return torch.relu(inner + x if self.residual else inner)


@final
class Tower(nn.Sequential):
    """A convolution and ``blocks`` blocks."""

    def __init__(self, filters: int, blocks: int, *, residual: bool) -> None:
        super().__init__(
            nn.Conv2d(ZERO_PLANES, filters, 3, padding=1, bias=False),
            BatchNorm(filters),
            nn.ReLU(),
            *(Block(filters, residual=residual) for _ in range(blocks)),
        )


@final
class GoNetwork(nn.Module):
    """f_θ(s) = (p, v): scores of all actions and the expected result for the player to move.

    body: ``residual`` or ``plain`` convolutions. heads: ``joined`` on one tower, or ``separate``,
    each on a tower of its own.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the board's size follows from the game."""

        filters: int = setting(32, "filters a layer")
        blocks: int = setting(3, "blocks of two convolutions")
        body: Literal["residual", "plain"] = setting("residual", "whether blocks add their input")
        heads: Literal["joined", "separate"] = setting("joined", "one tower for both heads, or two")

        def __post_init__(self) -> None:
            for name in ("filters", "blocks"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config, self.side = config, side
        points = side * side
        residual = config.body == "residual"
        self.tower = Tower(config.filters, config.blocks, residual=residual)
        self.value_tower = (
            Tower(config.filters, config.blocks, residual=residual)
            if config.heads == "separate"
            else None
        )
        self.policy = nn.Sequential(
            nn.Conv2d(config.filters, 2, 1, bias=False), BatchNorm(2), nn.ReLU(), nn.Flatten(),
            nn.Linear(2 * points, points + 1),
        )  # fmt: skip
        self.value = nn.Sequential(
            nn.Conv2d(config.filters, 1, 1, bias=False), BatchNorm(1), nn.ReLU(), nn.Flatten(),
            nn.Linear(points, config.filters), nn.ReLU(), nn.Linear(config.filters, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(
        self, planes: Float[Tensor, "batch plane row column"]
    ) -> tuple[Float[Tensor, "batch action"], Float[Tensor, " batch"]]:
        """(scores before softmax, the pass last; values from −1 to 1)."""
        features = self.tower(planes)
        seen = features if self.value_tower is None else self.value_tower(planes)
        return self.policy(features), self.value(seen).squeeze(1)


@final
class NetworkEvaluator:
    """A network as a search asks it: planes in, chances and values out, in numpy."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    @torch.inference_mode()
    def __call__(
        self, planes: Float32[np.ndarray, "batch plane row column"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        self.model.eval()
        device = next(self.model.parameters()).device
        scores, values, *_owners = self.model(torch.from_numpy(planes).to(device))
        return scores.float().softmax(-1).cpu().numpy(), values.float().cpu().numpy()
