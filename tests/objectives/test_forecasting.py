"""Forecast losses against their definitions and scikit-learn; learning upside down."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error
from torch import Tensor, nn

from shinso.data.windows import SeriesBatch
from shinso.objectives.forecasting import ForecastObjective, pinball

QUANTILES = (0.1, 0.5, 0.8)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Fixed(nn.Module):
    """Answers what it was given, and keeps the past it was shown."""

    def __init__(self, forecast: Tensor) -> None:
        super().__init__()
        self.forecast = forecast
        self.shown = torch.empty(0)

    def forward(self, past: Tensor) -> Tensor:
        self.shown = past
        return self.forecast


def as_it_is(**settings: object) -> ForecastObjective:
    return ForecastObjective(ForecastObjective.Config(mirrored=False, **settings))  # type: ignore[arg-type]


def test_losses_match_sklearn() -> None:
    forecast, future = normal(4, 3, 2), normal(4, 3, 2, seed=1)
    batch = SeriesBatch(normal(4, 5, 2), future)
    expected = {
        "mse": mean_squared_error(future.flatten(), forecast.flatten()),
        "mae": mean_absolute_error(future.flatten(), forecast.flatten()),
    }
    for name, value in expected.items():
        assert as_it_is(loss=name)(Fixed(forecast), batch)["loss"].item() == pytest.approx(value)


def test_huber_is_squared_near_and_absolute_far() -> None:
    future = torch.tensor([[[0.5], [-3.0]]])
    batch = SeriesBatch(torch.zeros(1, 2, 1), future)
    found = as_it_is(loss="huber")(Fixed(torch.zeros(1, 2, 1)), batch)["loss"]
    assert found.item() == pytest.approx((0.5 * 0.5**2 + (3 - 0.5)) / 2)


def test_pinball_matches_sklearn() -> None:
    forecast, future = normal(4, 3, 2, 3), normal(4, 3, 2, seed=1)
    expected = np.mean(
        [
            mean_pinball_loss(future.flatten(), forecast[..., i].flatten(), alpha=level)
            for i, level in enumerate(QUANTILES)
        ]
    )
    assert pinball(forecast, future, QUANTILES).item() == pytest.approx(expected)
    batch = SeriesBatch(normal(4, 5, 2), future)
    found = as_it_is(loss="mse", quantiles=QUANTILES)(Fixed(forecast), batch)["loss"]
    assert found.item() == pytest.approx(expected)


def test_the_pinball_minimum_is_the_quantile() -> None:
    future = normal(999, 1, 1).double()
    level = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([level], lr=0.02)
    for _ in range(600):
        optimizer.zero_grad()
        pinball(level.expand(999, 1, 1, 1), future, (0.8,)).backward()
        optimizer.step()
    assert level.item() == pytest.approx(future.quantile(0.8).item(), abs=0.03)


def test_mirrored_windows_are_turned_as_a_whole_or_not_at_all() -> None:
    """Each window's past and future by one sign, about half of them, other ones each time."""
    torch.manual_seed(0)
    past, future = normal(400, 3, 2), normal(400, 2, 2, seed=1)
    model = Fixed(torch.zeros(400, 2, 2, requires_grad=True))
    objective = ForecastObjective(ForecastObjective.Config(loss="mse"))
    seen = []
    for _ in range(2):
        loss = objective(model, SeriesBatch(past, future))["loss"]
        sign = model.shown / past
        assert (sign == sign[:, :1, :1]).all()
        assert set(sign.unique().tolist()) == {-1.0, 1.0}
        assert 160 < (sign[:, 0, 0] > 0).sum() < 240
        (gradient,) = torch.autograd.grad(loss, model.forecast)  # −2 · turned future / number
        assert torch.allclose(gradient, -2 * sign[:, :1] * future / future.numel())
        seen.append(sign)
    assert not torch.equal(*seen)


def test_mirroring_takes_the_drift_out_of_what_is_learned() -> None:
    """A constant shift from the last value can learn nothing but the drift."""

    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(1))

        def forward(self, past: Tensor) -> Tensor:
            return past[:, -1:] + self.shift

    walk = (0.5 + 0.1 * normal(64, 3, 1)).cumsum(1)
    batch = SeriesBatch(walk[:, :2], walk[:, 2:])
    learned = {}
    for mirrored in (False, True):
        torch.manual_seed(1)
        model = Shift()
        config = ForecastObjective.Config(loss="mse", mirrored=mirrored)
        optimizer = torch.optim.SGD([model.shift], lr=0.02)
        for _ in range(300):
            optimizer.zero_grad()
            ForecastObjective(config)(model, batch)["loss"].backward()
            optimizer.step()
        learned[mirrored] = model.shift.item()
    assert learned[False] == pytest.approx(0.5, abs=0.05)
    assert abs(learned[True]) < 0.05


def test_the_objective_has_no_state_of_its_own() -> None:
    """Signs come from torch's generator, which the loop saves and restores."""
    objective = ForecastObjective(ForecastObjective.Config(loss="mse"))
    batch = SeriesBatch(normal(8, 3, 1), normal(8, 2, 1, seed=1))
    model = Fixed(torch.zeros(8, 2, 1))
    before = torch.get_rng_state()
    objective(model, batch)
    first = model.shown
    torch.set_rng_state(before)
    objective(model, batch)
    assert torch.equal(first, model.shown)
    assert objective.state_dict() == {}
