"""How good forecasts are: sums over windows, so that no part's forecasts need to fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from shinso.intervals import Interval, mean, proportion


class ForecastScores:
    """Collects forecasts batch by batch; all errors are on the scaler's units.

    quantiles: where the forecasts have a last axis of them; 0.5 is the point forecast.
    naive_mae: of each target, the mean absolute error of the naive forecast on the train part
    (scaled units), the denominator of MASE (Hyndman & Koehler 2006).
    """

    def __init__(
        self,
        horizon: int,
        targets: Sequence[str],
        *,
        naive_mae: Sequence[float],
        quantiles: Sequence[float] = (),
    ) -> None:
        self.horizon, self.targets = horizon, tuple(targets)
        self.quantiles = tuple(quantiles)
        self.naive_mae = torch.tensor(naive_mae, dtype=torch.float64)
        shape = (horizon, len(self.targets))
        self._squared = torch.zeros(shape, dtype=torch.float64)
        self._absolute = torch.zeros(shape, dtype=torch.float64)
        self._hits = torch.zeros(shape, dtype=torch.float64)
        self._moves = torch.zeros(shape, dtype=torch.float64)
        self._pinball = torch.zeros(shape, dtype=torch.float64)
        self._covered = torch.zeros(shape, dtype=torch.float64)
        self._by_window: list[Tensor] = []

    def add(
        self,
        forecast: Float[Tensor, "batch horizon target *quantile"],
        future: Float[Tensor, "batch horizon target"],
        last: Float[Tensor, "batch target"],
    ) -> None:
        """One batch. last: the value at the end of the past, from which a change is counted."""
        forecast, future, last = forecast.double(), future.double(), last.double()
        point = forecast
        if self.quantiles:
            point = forecast[..., self.quantiles.index(0.5)]
            level = torch.tensor(self.quantiles, dtype=torch.float64, device=forecast.device)
            error = future[..., None] - forecast
            self._pinball += torch.maximum(level * error, (level - 1) * error).mean(-1).sum(0).cpu()
            inside = (future >= forecast[..., 0]) & (future <= forecast[..., -1])
            self._covered += inside.double().sum(0).cpu()
        error = point - future
        self._squared += error.square().sum(0).cpu()
        self._absolute += error.abs().sum(0).cpu()
        change, meant = future - last[:, None], point - last[:, None]
        # A forecast of no change, or a value that did not change, has no direction to be right in.
        moved = (change != 0) & (meant != 0)
        self._moves += moved.double().sum(0).cpu()
        self._hits += (moved & (change.sign() == meant.sign())).double().sum(0).cpu()
        self._by_window.append(error.square().mean((1, 2)).cpu())

    @property
    def window_mse(self) -> Float[Tensor, " window"]:
        """Mean squared error of each window, in order."""
        return torch.cat(self._by_window)

    @property
    def num_windows(self) -> int:
        return sum(len(part) for part in self._by_window)

    def metrics(self) -> dict[str, float]:
        """Means over windows, steps and targets. hit_rate is absent where nothing moved."""
        count = self.num_windows
        mae_by_target = self._absolute.mean(0) / count
        found = {
            "mse_scaled": float(self._squared.mean() / count),
            "mae_scaled": float(self._absolute.mean() / count),
            "mase": float((mae_by_target / self.naive_mae).mean()),
        }
        if self.quantiles:
            found["pinball_scaled"] = float(self._pinball.mean() / count)
            found["coverage"] = float(self._covered.mean() / count)
        if self._moves.sum() > 0:
            found["hit_rate"] = float(self._hits.sum() / self._moves.sum())
        return found

    def details(self, std: Sequence[float]) -> dict[str, list[dict[str, Any]]]:
        """Tables: by step ahead, by target in the file's units, and over time (backtest).

        std: of each target, to go back to the file's units.
        """
        count = self.num_windows
        by_step = [
            {"step": step + 1,
             "mse_scaled": float(self._squared[step].mean() / count),
             "mae_scaled": float(self._absolute[step].mean() / count)}
            for step in range(self.horizon)
        ]  # fmt: skip
        by_target = [
            {"target": name,
             "mae": float(self._absolute[:, i].mean() / count) * std[i],
             "rmse": float(self._squared[:, i].mean() / count) ** 0.5 * std[i],
             "mase": float(self._absolute[:, i].mean() / count / self.naive_mae[i]),
             **self._direction(i)}
            for i, name in enumerate(self.targets)
        ]  # fmt: skip
        return {"by_step": by_step, "by_target": by_target, "backtest": self._backtest()}

    def _direction(self, target: int) -> dict[str, float]:
        """Hit rate with its Wilson interval, counted as if one window in ``horizon`` were its
        own observation: windows that overlap are not independent."""
        moves, hits = self._moves[:, target].sum(), self._hits[:, target].sum()
        if moves == 0:
            return {}
        share = float(hits / moves)
        independent = max(1, round(float(moves) / self.horizon / self.horizon))
        interval = proportion(round(share * independent), independent)
        return {"hit_rate": share, "hit_rate_low": interval.low, "hit_rate_high": interval.high}

    def _backtest(self, folds: int = 5) -> list[dict[str, Any]]:
        """The windows in the order of time, cut into equal folds: is the model good throughout?"""
        parts = torch.tensor_split(self.window_mse, min(folds, self.num_windows))
        return [
            {"fold": number + 1, "windows": len(part), "mse_scaled": float(part.mean())}
            for number, part in enumerate(parts)
        ]


def gain_over(
    window_mse: Float[Tensor, " window"], naive_mse: Float[Tensor, " window"], horizon: int
) -> Interval:
    """Mean of naive minus model error with its 95 % interval over blocks of time.

    Neighbouring windows share all but one of their rows, so a thousand windows may hold ten
    independent ones. Each block of ``horizon`` windows counts as one observation. With fewer
    than three blocks nothing can be said, and the interval is infinite.
    """
    difference = naive_mse - window_mse
    num_blocks = len(difference) // horizon
    if num_blocks < 3:
        value = float(difference.mean()) if len(difference) else 0.0
        return Interval(value, -float("inf"), float("inf"))
    blocks = difference[: num_blocks * horizon].view(num_blocks, horizon).mean(1)
    return mean(blocks.tolist())
