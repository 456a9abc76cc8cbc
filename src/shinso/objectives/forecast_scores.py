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
        self._futures, self._forecasts = Moments(shape), Moments(shape)
        self._products = torch.zeros(shape, dtype=torch.float64)
        self._by_window: list[Tensor] = []
        self._pinball_by_window: list[Tensor] = []

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
            pinball = torch.maximum(level * error, (level - 1) * error).mean(-1)
            self._pinball += pinball.sum(0).cpu()
            self._pinball_by_window.append(pinball.mean((1, 2)).cpu())
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
        self._futures.add(future)
        self._forecasts.add(point)
        self._products += (future * point).sum(0).cpu()

    @property
    def window_pinball(self) -> Float[Tensor, " window"]:
        """Mean pinball loss of each window, in order; there is none without quantiles."""
        return torch.cat(self._pinball_by_window)

    @property
    def window_mse(self) -> Float[Tensor, " window"]:
        """Mean squared error of each window, in order."""
        return torch.cat(self._by_window)

    @property
    def window_loss(self) -> Float[Tensor, " window"]:
        """What a forecast is judged by: its quantiles where it has them, its point otherwise."""
        return self.window_pinball if self.quantiles else self.window_mse

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

    def details(
        self, std: Sequence[float], mean: Sequence[float] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Tables: by step ahead, by target in the file's units, and over time (backtest).

        std, mean: of each target, to go back to the file's units; rse needs both.
        """
        count = self.num_windows
        rse = None if mean is None else self.rse(mean, std)
        by_step = [
            {"step": step + 1,
             "mse_scaled": float(self._squared[step].mean() / count),
             "mae_scaled": float(self._absolute[step].mean() / count),
             "corr": self._corr(step),
             **({} if rse is None else {"rse": float(rse[step])})}
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

    def rse(self, mean: Sequence[float], std: Sequence[float]) -> Float[Tensor, " horizon"]:
        """Root relative squared error at each step ahead (Lai et al. 2018, eq. 9): the root of
        the squared errors over that of the futures' squared distances from the mean of all
        targets together, in the file's units. mean, std: the scaler's, of each target."""
        shift, scale = (torch.tensor(part, dtype=torch.float64) for part in (mean, std))
        count = self.num_windows
        own_mean = self._futures.sum / count * scale + shift
        second = self._futures.squares / count * scale**2
        second = second + 2 * shift * scale * self._futures.sum / count + shift**2
        spread = second.mean(1) - own_mean.mean(1).square()
        return ((self._squared / count * scale**2).mean(1) / spread).sqrt()

    def _corr(self, step: int) -> float:
        """Correlation of forecasts and futures over windows, mean over targets (Lai et al. 2018,
        eq. 10). Targets whose futures or forecasts do not vary are left out."""
        count = self.num_windows
        varying = self._futures.variance(count), self._forecasts.variance(count)
        means = self._futures.sum / count * self._forecasts.sum / count
        covariance = (self._products / count - means)[step]
        both = torch.stack([part[step] for part in varying])
        kept = (both > 1e-12).all(0)
        return float((covariance[kept] / both[:, kept].prod(0).sqrt()).mean())

    def _backtest(self, folds: int = 5) -> list[dict[str, Any]]:
        """The windows in the order of time, cut into equal folds: is the model good throughout?"""
        parts = torch.tensor_split(self.window_mse, min(folds, self.num_windows))
        return [
            {"fold": number + 1, "windows": len(part), "mse_scaled": float(part.mean())}
            for number, part in enumerate(parts)
        ]


class Moments:
    """Sums of values and of their squares over windows, at each step ahead of each target."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.sum = torch.zeros(shape, dtype=torch.float64)
        self.squares = torch.zeros(shape, dtype=torch.float64)

    def add(self, values: Float[Tensor, "batch horizon target"]) -> None:
        self.sum += values.sum(0).cpu()
        self.squares += values.square().sum(0).cpu()

    def variance(self, count: int) -> Float[Tensor, "horizon target"]:
        return self.squares / count - (self.sum / count).square()


def gain_over(
    window_loss: Float[Tensor, " window"], naive_loss: Float[Tensor, " window"], horizon: int
) -> Interval:
    """Mean of naive minus model loss with its 95 % interval over blocks of time.

    Neighbouring windows share all but one of their rows, so a thousand windows may hold ten
    independent ones. Each block of ``horizon`` windows counts as one observation. With fewer
    than three blocks nothing can be said, and the interval is infinite.
    """
    difference = naive_loss - window_loss
    num_blocks = len(difference) // horizon
    if num_blocks < 3:
        value = float(difference.mean()) if len(difference) else 0.0
        return Interval(value, -float("inf"), float("inf"))
    blocks = difference[: num_blocks * horizon].view(num_blocks, horizon).mean(1)
    return mean(blocks.tolist())
