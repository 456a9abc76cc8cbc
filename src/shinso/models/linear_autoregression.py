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
        self.spread = nn.Parameter(torch.zeros(num_quantiles, horizon)) if num_quantiles else None

    def forward(
        self, past: Float[Tensor, "batch lookback channel"]
    ) -> Float[Tensor, "batch horizon target *quantile"]:
        """Forecast in the units of ``past``; quantiles lie a learned distance apart at each row
        ahead, whatever the past, and never cross."""
        targets = past[..., : self.num_targets]
        last = targets[:, -1:]
        change = (targets - last)[:, :-1] if past.shape[1] > 1 else torch.zeros_like(targets)
        weight = self.weight.expand(self.num_targets, -1, -1)
        point = torch.einsum("blt,tlh->bht", change, weight) + last
        if self.spread is None:
            return point
        middle = self.num_quantiles // 2
        steps = nn.functional.softplus(self.spread) * 0.1
        above = steps[middle + 1 :].cumsum(0)
        below = -steps[:middle].flip(0).cumsum(0).flip(0)
        shift = torch.cat([below, torch.zeros_like(steps[:1]), above])  # quantile horizon
        return point.unsqueeze(-1) + shift.T[None, :, None]
