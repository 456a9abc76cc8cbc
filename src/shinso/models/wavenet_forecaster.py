"""A WaveNet's stack as a forecaster: what it says at the last row is the change to come.

Place in the course: day 4, WaveNet. After "Conditional Time Series Forecasting with Convolutional
Neural Networks" (Borovykh et al. 2017, arXiv:1703.04691). Differs: all rows of the horizon are
answered at once instead of one after the other; every target is read by the same network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from shinso.nn.dilated import GatedDilatedStack
from shinso.settings import setting


@final
class WaveNetForecaster(nn.Module):
    """past − last value → linear → dilated layers → ReLU → linear → + highway + last value.

    As many layers as the look-back has use for: dilations 1, 2, 4 … while they reach no further.
    All that writes the forecast begins at zero, so that an untrained network is persistence.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; look-back, horizon and channels come from task and data."""

        width: int = setting(32, "residual channels")
        skips: int = setting(32, "skip channels")
        highway: bool = setting(True, "add a linear forecast from the past to the network's")
        dropout: float = setting(0.0, "share of units dropped before the last layer in training")

        def __post_init__(self) -> None:
            for name in ("width", "skips"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

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
        """num_quantiles: 0 for a point forecast. The targets are the first channels, the others
        are covariates, which every target's network reads beside it."""
        super().__init__()
        self.config = config
        self.horizon, self.num_targets, self.num_quantiles = horizon, num_targets, num_quantiles
        values = max(num_quantiles, 1)
        self.embed = nn.Linear(1 + num_channels - num_targets, config.width)
        dilations = tuple(2**power for power in range(max(lookback.bit_length() - 1, 1)))
        self.stack = GatedDilatedStack(config.width, config.skips, dilations)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.skips, horizon * values)
        # The last row of the differences is always zero: a weight on it could never learn.
        highway = config.highway and lookback > 1
        self.highway = nn.Linear(lookback - 1, horizon * values, bias=False) if highway else None
        spread = torch.zeros(horizon, num_targets, values)
        self.spread = nn.Parameter(spread) if num_quantiles else None
        nn.init.zeros_(self.head.bias)
        nn.init.zeros_(self.head.weight)
        if self.highway is not None:
            nn.init.zeros_(self.highway.weight)

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
        """Forecast in the units of ``past``; quantiles never cross: they are sorted."""
        batch, targets = past.shape[0], self.num_targets
        change = past - past[:, -1:]
        own = change[..., :targets].permute(0, 2, 1).unsqueeze(-1)  # batch target time 1
        others = change[:, None, :, targets:].expand(-1, targets, -1, -1)
        seen = torch.cat([own, others], dim=-1).flatten(0, 1)
        last = self.stack(self.embed(seen))[:, -1]
        out = self.head(self.dropout(relu(last))).view(batch, targets, self.horizon, -1)
        out = out.transpose(1, 2)
        if self.highway is not None:
            straight = self.highway(change[:, :-1, :targets].transpose(1, 2))
            out = out + straight.unflatten(-1, (self.horizon, -1)).transpose(1, 2)
        future = past[:, -1:, :targets, None] + out
        if self.spread is None:
            return future.squeeze(-1)
        return (future + self.spread).sort(dim=-1).values
