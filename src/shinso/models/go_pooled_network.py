"""A Go network for any size of board: global pooling and the fate of every point (Wu 2019, "KataGo").

Place in the course: AlphaGo Zero; the same search and the same learning, a network that learns from
fewer games. Two things differ from ``go_network``: some blocks, and both heads, also see the mean and
the maximum of their features over the whole board; and beside the winner the network says whose every
point will be at the end, which tells much more of a game than one bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d

from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

POOLED_EVERY = 3
"""Every third block sees the whole board."""


def pooled(x: Float[Tensor, "batch filter row column"]) -> Float[Tensor, "batch two_filters"]:
    """Mean and maximum over the board."""
    # ``amax`` over channels that lie last takes ten times as long on a processor.
    return torch.cat([x.mean((2, 3)), adaptive_max_pool2d(x, 1).flatten(1)], 1)


@final
class PooledBlock(nn.Module):
    """y = relu(x + BN(W₂ h)), h = relu(BN(W₁ x)); ``whole`` adds V·pooled(h) to h everywhere."""

    def __init__(self, filters: int, *, whole: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = BatchNorm(filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = BatchNorm(filters)
        self.whole = nn.Linear(2 * filters, filters) if whole else None

    def forward(
        self, x: Float[Tensor, "batch filter row column"]
    ) -> Float[Tensor, "batch filter row column"]:
        inner = torch.relu(self.first_norm(self.first(x)))
        if self.whole is not None:
            inner = torch.relu(inner + self.whole(pooled(inner))[:, :, None, None])
        return torch.relu(self.second_norm(self.second(inner)) + x)


@final
class PolicyHead(nn.Module):
    """Scores of all points and of the pass, which is a matter of the whole board."""

    def __init__(self, filters: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(filters, width, 1, bias=False)
        self.inner_norm = BatchNorm(width)
        self.seen = nn.Conv2d(filters, width, 1, bias=False)
        self.seen_norm = BatchNorm(width)
        self.bias = nn.Linear(2 * width, width)
        self.points = nn.Conv2d(width, 1, 1)
        self.passing = nn.Linear(2 * width, 1)

    def forward(self, x: Float[Tensor, "batch filter row column"]) -> Float[Tensor, "batch action"]:
        whole = pooled(torch.relu(self.seen_norm(self.seen(x))))
        inner = self.inner_norm(self.inner(x)) + self.bias(whole)[:, :, None, None]
        points = self.points(torch.relu(inner)).flatten(1)
        return torch.cat([points, self.passing(whole)], 1)


@final
class ValueHead(nn.Module):
    """The expected result, and whose every point will be, both for the player to move.

    The result also sees the sum of the points, which is the score that decides it; so a network that
    learnt at one komi can be asked about another by adding the difference to that sum.
    """

    def __init__(self, filters: int, width: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(filters, width, 1, bias=False)
        self.seen_norm = BatchNorm(width)
        self.owner = nn.Conv2d(width, 1, 1)
        self.hidden = nn.Linear(2 * width + 1, 2 * width)
        self.result = nn.Linear(2 * width, 1)

    def forward(
        self,
        x: Float[Tensor, "batch filter row column"],
        ahead: Float[Tensor, " batch"] | None = None,
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch point"]]:
        seen = torch.relu(self.seen_norm(self.seen(x)))
        owners = torch.tanh(self.owner(seen)).flatten(1)
        points = owners.sum(1, keepdim=True)
        score = (points if ahead is None else points + ahead[:, None]) / x.shape[-1]
        hidden = torch.relu(self.hidden(torch.cat([pooled(seen), score], 1)))
        return torch.tanh(self.result(hidden)).squeeze(1), owners


@final
class PooledGoNetwork(nn.Module):
    """f_θ(s) = (p, v, o): scores of all actions, the expected result, the owner of every point.

    side: of the board that it learns on; no weight depends on it.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network."""

        filters: int = setting(32, "filters a layer")
        blocks: int = setting(6, "blocks of two convolutions")

        def __post_init__(self) -> None:
            for name in ("filters", "blocks"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config, self.side = config, side
        filters = config.filters
        width = max(filters // 2, 4)
        self.tower = nn.Sequential(
            nn.Conv2d(ZERO_PLANES, filters, 3, padding=1, bias=False),
            BatchNorm(filters),
            nn.ReLU(),
            *(
                PooledBlock(filters, whole=number % POOLED_EVERY == POOLED_EVERY - 1)
                for number in range(config.blocks)
            ),
        )
        self.policy = PolicyHead(filters, width)
        self.value = ValueHead(filters, width)

    def forward(
        self,
        planes: Float[Tensor, "batch plane row column"],
        ahead: Float[Tensor, " batch"] | None = None,
    ) -> tuple[
        Float[Tensor, "batch action"], Float[Tensor, " batch"], Float[Tensor, "batch point"]
    ]:
        """(scores before softmax, the pass last; values from −1 to 1; owners: 1 own, −1 the other's).

        ahead: points that the player to move has more than at the komi that was learnt at.
        """
        features = self.tower(planes)
        values, owners = self.value(features, ahead)
        return self.policy(features), values, owners
