"""The linear forecaster against least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shinso.models.linear_autoregression import LinearAutoregression


def make(
    num_quantiles: int = 0, *, lookback: int = 6, horizon: int = 4, own_weights: bool = False
) -> LinearAutoregression:
    return LinearAutoregression(
        LinearAutoregression.Config(own_weights=own_weights),
        lookback=lookback,
        horizon=horizon,
        num_channels=3,
        num_targets=2,
        num_quantiles=num_quantiles,
    )


def windows(batch: int, rows: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, rows, 3, generator=generator, dtype=torch.float64).cumsum(1)


@given(
    lookback=st.integers(1, 8),
    horizon=st.integers(1, 5),
    num_quantiles=st.integers(0, 3),
    own_weights=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_an_untrained_model_is_persistence_holds_for_any_size(
    lookback: int, horizon: int, num_quantiles: int, own_weights: bool
) -> None:
    model = make(num_quantiles, lookback=lookback, horizon=horizon, own_weights=own_weights)
    past = windows(3, lookback).float()
    forecast = model(past)
    expected = past[:, -1:, :2].expand(-1, horizon, -1)
    if num_quantiles:
        expected = expected[..., None].expand_as(forecast)
    assert forecast.shape == expected.shape
    assert torch.equal(forecast, expected)


@pytest.mark.parametrize("own_weights", [False, True])
def test_descent_on_squared_errors_matches_the_normal_equations(own_weights: bool) -> None:
    """L-BFGS in float64 to the minimum, against numpy's least squares on the same windows."""
    model = make(own_weights=own_weights).double()
    joined = windows(60, 10)
    past, future = joined[:, :6], joined[:, 6:, :2]
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=1000, tolerance_grad=1e-12, tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(past) - future).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    change = (past - past[:, -1:])[:, :-1, :2].numpy()
    goal = (future - past[:, -1:, :2]).numpy()
    groups = [[0], [1]] if own_weights else [[0, 1]]
    for weight, targets in zip(model.weight.detach().numpy(), groups, strict=True):
        inputs = np.concatenate([change[..., target] for target in targets])
        goals = np.concatenate([goal[..., target] for target in targets])
        expected = np.linalg.lstsq(inputs, goals, rcond=None)[0]
        assert weight == pytest.approx(expected, abs=1e-6)


def test_a_sine_is_forecast_exactly_from_three_rows() -> None:
    """A sine obeys x[t+1] = 2 cos ω x[t] − x[t−1] (AR(2), Yule 1927). With the weights forced to
    sum to 1, as forecasting the change does, one row more is needed: three."""
    omega, horizon = 0.3, 12
    series = torch.sin(omega * torch.arange(400, dtype=torch.float64) + 0.4)
    joined = series.unfold(0, 3 + horizon, 1)[..., None].expand(-1, -1, 3)
    past, future = joined[:, :3], joined[:, 3:, :2]
    model = make(lookback=3, horizon=horizon).double()
    change = (past - past[:, -1:])[:, :2, 0]
    with torch.no_grad():
        goal = future[..., 0] - past[:, -1:, 0]
        model.weight.copy_(torch.linalg.lstsq(change, goal).solution[None])
    assert torch.allclose(model(past), future, atol=1e-9)


def test_own_weights_are_the_targets_own() -> None:
    model = make(own_weights=True).double()
    with torch.no_grad():
        model.weight[1] = 1.0
    past = windows(4, 6)
    forecast = model(past)
    assert torch.equal(forecast[..., 0], past[:, -1:, 0].expand(-1, 4))
    expected = past[:, -1, 1] + (past[:, :-1, 1] - past[:, -1:, 1]).sum(1)
    assert torch.allclose(forecast[..., 1], expected[:, None].expand(-1, 4))


def test_the_other_channels_are_not_read() -> None:
    model = make().double()
    with torch.no_grad():
        model.weight.fill_(0.3)
    past = windows(4, 6)
    moved = past.clone()
    moved[..., 2] += 7
    assert torch.equal(model(past), model(moved))


@given(seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_quantiles_never_cross_holds_for_any_weights(seed: int) -> None:
    model = make(3)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    assert (model(windows(4, 6).float()).diff(dim=-1) >= 0).all()


def test_quantiles_begin_as_far_apart_as_they_are_told() -> None:
    model, past = make(2), windows(4, 6).float()
    spread = torch.tensor([-1.0, 2.0]).expand(4, 2, 2)
    model.start_spread(spread)
    assert torch.allclose(model(past), past[:, -1, :2][:, None, :, None] + spread)
    with pytest.raises(ValueError, match="num_quantiles is 0"):
        make().start_spread(spread)


def test_every_parameter_gets_a_gradient() -> None:
    model = make(2, own_weights=True)
    forecast = model(windows(4, 6).float())
    (forecast * torch.linspace(1, 2, forecast.numel()).view_as(forecast)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).all(), name
