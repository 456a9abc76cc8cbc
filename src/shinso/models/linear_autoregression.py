"""The linear forecaster that networks have to beat: NLinear (Zeng et al. 2023).

Every future row is a weighted sum of the past changes from the last value: a linear
autoregression fitted for each row ahead directly instead of being iterated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.settings import setting


@final
class LinearAutoregression(nn.Module):
    """y = last value + W (past − last value), the same W for every target unless ``own_weights``.

    W begins at zero, so that an untrained model is persistence. Differs from NLinear: no bias,
    which on one scale for all channels would be a drift.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the model; look-back and horizon come from the task."""

        own_weights: bool = setting(False, "weights of its own for each target")

    def __init__(
        self,
        config: Config,
        *,
        lookback: int,
        horizon: int,
        num_channels: int,
        num_targets: int,
        num_quantiles: int = 0,
    ) -> None:
        """Reads the targets alone: the first ``num_targets`` of ``num_channels`` channels."""
        super().__init__()
        self.horizon, self.num_targets, self.num_quantiles = horizon, num_targets, num_quantiles
        groups = num_targets if config.own_weights else 1
        # The last row of the differences is always zero: a weight on it could never learn.
        self.weight = nn.Parameter(torch.zeros(groups, max(lookback - 1, 1), horizon))
        spread = torch.zeros(horizon, num_targets, num_quantiles)
        self.spread = nn.Parameter(spread) if num_quantiles else None

    def start_spread(self, spread: Float[Tensor, "horizon target quantile"]) -> None:
        """Begin with quantiles so far from the last value (see ``change_quantiles``), so that an
        untrained model says of its uncertainty what persistence says.

        Raises ValueError where the model forecasts no quantiles.
        """
        if self.spread is None:
            raise ValueError("num_quantiles is 0; a model without quantiles has no spread")
        with torch.no_grad():
            self.spread.copy_(spread)

    def forward(
        self, past: Float[Tensor, "batch lookback channel"]
    ) -> Float[Tensor, "batch horizon target *quantile"]:
        """Forecast in the units of ``past``; quantiles lie a learned distance from the point at
        each row ahead of each target, whatever the past, and never cross: they are sorted."""
        targets = past[..., : self.num_targets]
        last = targets[:, -1:]
        change = (targets - last)[:, :-1] if past.shape[1] > 1 else torch.zeros_like(targets)
        weight = self.weight.expand(self.num_targets, -1, -1)
        point = torch.einsum("blt,tlh->bht", change, weight) + last
        if self.spread is None:
            return point
        return (point.unsqueeze(-1) + self.spread).sort(dim=-1).values
