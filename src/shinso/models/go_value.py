"""AlphaGo's value network: who will win, from one look at a position.

Place in the course: AlphaGo, the value network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int16, Int64
from torch import Tensor, nn

from shinso.games.go_board_numba import BLACK, SIDE, TURN
from shinso.games.go_planes_numba import LEE_PLANES, lee_planes_of_boards
from shinso.models.go_policy import PooledBlock
from shinso.nn.norm import BatchNorm
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
            BatchNorm(config.filters),
            nn.ReLU(),
            *(PooledBlock(config.filters) for _ in range(config.blocks)),
        )
        self.value = nn.Sequential(
            nn.Conv2d(config.filters, 2, 1, bias=False), BatchNorm(2), nn.ReLU(), nn.Flatten(),
            nn.Linear(2 * side * side, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 1),
        )  # fmt: skip

    def forward(self, planes: Float[Tensor, "batch plane row column"]) -> Float[Tensor, " batch"]:
        return torch.tanh(self.value(self.body(planes))[:, 0])


@final
class LeeEvaluator:
    """A policy and a value network as AlphaGo's search asks them (Silver et al. 2016): priors from
    one, the value of a leaf from the other. The rollout's share is the search's to add."""

    def __init__(self, policy: nn.Module, value: nn.Module) -> None:
        self.policy, self.value = policy, value

    @torch.inference_mode()
    def on_boards(
        self, boards: Int16[np.ndarray, "batch field"], lasts: Int64[np.ndarray, "batch 4"]
    ) -> tuple[Float[np.ndarray, "batch action"], Float[np.ndarray, " batch"]]:
        """Chances of all actions, and values for the player to move."""
        self.policy.eval()
        self.value.eval()
        side = int(boards[0, int(SIDE)])
        planes = np.empty((len(boards), LEE_PLANES, side * side), np.float32)
        lee_planes_of_boards(boards, lasts, planes)
        device = next(self.policy.parameters()).device
        seen = torch.from_numpy(planes).view(-1, LEE_PLANES, side, side).to(device)
        black = torch.from_numpy(boards[:, int(TURN)] == BLACK).to(device)
        turn = black.float()[:, None, None, None].expand(-1, 1, side, side)
        chances = self.policy(seen).float().softmax(1)
        values = self.value(torch.cat([seen, turn], dim=1)).float()
        return chances.cpu().numpy(), values.cpu().numpy()
