"""The two policies that AlphaGo learnt from games of people: a deep one and a fast one.

Place in the course: AlphaGo, supervised learning of the policy network and of the rollout policy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.games.go_patterns_numba import TABLE
from shinso.games.go_planes_numba import LEE_PLANES
from shinso.nn.norm import BatchNorm
from shinso.settings import setting


@final
class ConvolutionalPolicy(nn.Module):
    """p_σ(a | s): convolutions over planes of the board (Silver et al. 2016, Methods).

    A first layer of 5×5, then 3×3, then one of 1×1 and a bias for each point. *Differs*: batch
    normalization after each layer, which trains in a tenth of the steps, and a score for passing,
    from the mean and largest features.
    """

    reads: Literal["planes"] = "planes"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the board's size follows from the games."""

        filters: int = setting(64, "filters a layer (k)")
        layers: int = setting(6, "convolutional layers before the last one")

        def __post_init__(self) -> None:
            for name in ("filters", "layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config = config
        wide = [LEE_PLANES, *[config.filters] * config.layers]
        self.body = nn.Sequential(
            *(
                layer
                for number, (inside, outside) in enumerate(pairwise(wide))
                for layer in (
                    nn.Conv2d(inside, outside, 3 if number else 5, padding="same", bias=False),
                    BatchNorm(outside),
                    nn.ReLU(),
                )
            )
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.score = nn.Conv2d(config.filters, 1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(side * side))
        self.passing = nn.Linear(2 * config.filters, 1)

    def forward(
        self, planes: Float[Tensor, "batch plane row column"]
    ) -> Float[Tensor, "batch action"]:
        """Scores before softmax, the pass last. Legality is the caller's."""
        features = self.body(planes.contiguous(memory_format=torch.channels_last))
        points = self.score(features).flatten(1) + self.bias
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
        return torch.cat([points, self.passing(pooled)], dim=1)


@final
class PooledBlock(nn.Module):
    """x + two convolutions of 3×3, to which a linear map of the inner features' means over the whole
    board is added: what happens far away bears on a move (Wu 2019, global pooling)."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.first_norm = BatchNorm(filters)
        self.everywhere = nn.Linear(filters, filters)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.second_norm = BatchNorm(filters)

    def forward(
        self, x: Float[Tensor, "batch filter row column"]
    ) -> Float[Tensor, "batch filter row column"]:
        inner = torch.relu(self.first_norm(self.first(x)))
        pooled = self.everywhere(inner.mean((2, 3)))[:, :, None, None]
        return torch.relu(self.second_norm(self.second(inner) + pooled) + x)


@final
class ResidualPolicy(nn.Module):
    """The same question as ``ConvolutionalPolicy``'s, asked of a residual tower.

    A first layer of 5×5, blocks that add their input and see the whole board, the same last layer.
    """

    reads: Literal["planes"] = "planes"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the board's size follows from the games."""

        filters: int = setting(64, "filters a layer")
        blocks: int = setting(3, "blocks of two convolutions")

        def __post_init__(self) -> None:
            for name in ("filters", "blocks"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config = config
        self.body = nn.Sequential(
            nn.Conv2d(LEE_PLANES, config.filters, 5, padding="same", bias=False),
            BatchNorm(config.filters),
            nn.ReLU(),
            *(PooledBlock(config.filters) for _ in range(config.blocks)),
        ).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.score = nn.Conv2d(config.filters, 1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(side * side))
        self.passing = nn.Linear(config.filters, 1)

    def forward(
        self, planes: Float[Tensor, "batch plane row column"]
    ) -> Float[Tensor, "batch action"]:
        """Scores before softmax, the pass last. Legality is the caller's."""
        features = self.body(planes.contiguous(memory_format=torch.channels_last))
        points = self.score(features).flatten(1) + self.bias
        return torch.cat([points, self.passing(features.mean((2, 3)))], dim=1)


@final
class WithStart(nn.Module):
    """A policy and, unchanged beside it, the one that it began as: its strength is measured against
    that one, so both belong to a run."""

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy
        self.start = copy.deepcopy(policy)
        # As buffers they are kept with the weights, and nothing trains them.
        for module in self.start.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach().clone())

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Both become the policy with these weights."""
        self.policy.load_state_dict(weights)
        self.start.load_state_dict(weights)

    def forward(
        self, planes: Float[Tensor, "batch plane row column"]
    ) -> Float[Tensor, "batch action"]:
        return self.policy(planes)


@final
class RolloutPolicy(nn.Module):
    """p_π(a | s): a linear softmax over small patterns, fast enough to play games to their end.

    A move's score is the sum of five weights that ``games.go_patterns_numba`` explains.
    """

    reads: Literal["patterns"] = "patterns"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """It has none: the patterns are fixed."""

    def __init__(self, config: Config, *, side: int) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Embedding(TABLE, 1)
        nn.init.zeros_(self.table.weight)
        self.passing = nn.Parameter(torch.tensor(-5.0))

    def forward(self, rows: Int[Tensor, "batch point feature"]) -> Float[Tensor, "batch action"]:
        """Scores before softmax, −inf for what is not legal; the pass last."""
        points = self.table(rows).squeeze(-1).sum(-1)
        # A legal point's second feature is never row 0: that row belongs to the patterns.
        points = points.masked_fill(rows[..., 1] == 0, -torch.inf)
        return torch.cat([points, self.passing.expand(rows.shape[0], 1)], dim=1)

    @torch.no_grad()
    def weights(self) -> Float[Tensor, " row"]:
        """exp of the table, as rollouts want it: a product for each move instead of an exponential."""
        return self.table.weight[:, 0].exp().float().cpu()
