"""What a forecaster is trained for: squared, absolute or Huber error, or quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.data.windows import SeriesBatch


class ForecastObjective:
    """Mean error over batch, horizon and targets, in units of the train part's deviation."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """quantiles: given, the pinball loss is minimized whatever ``loss`` says.

        mirrored: half of the windows, drawn anew each time, are learned upside down. What has no
        direction of its own (a rate of exchange is as good as its inverse) then cannot teach a
        drift, which one stretch of history suggests and the next one refutes. Series that do have
        a direction (demand grows, a battery wears out) should be learned as they are.
        """

        loss: Literal["mse", "mae", "huber"] = "mse"
        quantiles: tuple[float, ...] = ()
        mirrored: bool = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, model: nn.Module, batch: SeriesBatch) -> Mapping[str, Tensor]:
        past, future = batch
        if self.config.mirrored:
            sign = torch.randint(0, 2, (len(past), 1, 1), device=past.device) * 2 - 1
            past, future = past * sign, future * sign
        forecast = model(past)
        if self.config.quantiles:
            return {"loss": pinball(forecast, future, self.config.quantiles)}
        losses = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.smooth_l1_loss}
        return {"loss": losses[self.config.loss](forecast, future)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def pinball(
    forecast: Float[Tensor, "batch horizon target quantile"],
    future: Float[Tensor, "batch horizon target"],
    quantiles: tuple[float, ...],
) -> Float[Tensor, ""]:
    """Mean of max(q e, (q − 1) e) with e = future − forecast (Koenker & Bassett 1978).

    Its minimum over constants is the q-quantile of the futures.
    """
    level = torch.tensor(quantiles, dtype=forecast.dtype, device=forecast.device)
    error = future.unsqueeze(-1) - forecast
    return torch.maximum(level * error, (level - 1) * error).mean()
