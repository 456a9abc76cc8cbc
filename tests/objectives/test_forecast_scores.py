"""Forecast scores against scikit-learn, numpy and their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from shinso.objectives.forecast_scores import ForecastScores, gain_over

TARGETS = ("a", "b", "c")
QUANTILES = (0.1, 0.5, 0.8)


def sample(windows: int = 30, horizon: int = 4, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Forecast, future and last value of random walks."""
    generator = torch.Generator().manual_seed(seed)
    walks = torch.randn(windows, horizon + 1, 3, generator=generator, dtype=torch.float64).cumsum(1)
    guess = 0.5 * torch.randn(windows, horizon, 3, generator=generator, dtype=torch.float64)
    return walks[:, :1] + guess, walks[:, 1:], walks[:, 0]


def scored(
    forecast: torch.Tensor,
    future: torch.Tensor,
    last: torch.Tensor,
    *,
    quantiles: tuple[float, ...] = (),
    batch: int = 7,
) -> ForecastScores:
    scores = ForecastScores(
        future.shape[1], TARGETS, naive_mae=[1.0, 2.0, 0.5], quantiles=quantiles
    )
    for begin in range(0, len(future), batch):
        part = slice(begin, begin + batch)
        scores.add(forecast[part], future[part], last[part])
    return scores


def test_errors_match_sklearn() -> None:
    forecast, future, last = sample()
    scores = scored(forecast, future, last)
    found, flat = scores.metrics(), (future.flatten(), forecast.flatten())
    assert found["mse_scaled"] == pytest.approx(mean_squared_error(*flat))
    assert found["mae_scaled"] == pytest.approx(mean_absolute_error(*flat))
    by_target = [mean_absolute_error(future[..., i], forecast[..., i]) for i in range(3)]
    assert found["mase"] == pytest.approx(np.mean(np.array(by_target) / [1.0, 2.0, 0.5]))
    for row, i in zip(scores.details([2.0, 3.0, 4.0])["by_target"], range(3), strict=True):
        squared = mean_squared_error(future[..., i], forecast[..., i])
        assert row["mae"] == pytest.approx(by_target[i] * (2, 3, 4)[i])
        assert row["rmse"] == pytest.approx(math.sqrt(squared) * (2, 3, 4)[i])
    for step, row in enumerate(scores.details([1.0] * 3)["by_step"]):
        assert row["step"] == step + 1
        assert row["mse_scaled"] == pytest.approx(
            mean_squared_error(future[:, step], forecast[:, step])
        )


@given(batch=st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_batches_add_up_holds_for_any_batch_size(batch: int) -> None:
    whole, parts = scored(*sample(), batch=30), scored(*sample(), batch=batch)
    assert parts.num_windows == 30
    assert parts.metrics() == pytest.approx(whole.metrics())
    assert torch.allclose(parts.window_mse, whole.window_mse)
    assert float(whole.window_mse.mean()) == pytest.approx(whole.metrics()["mse_scaled"])


def test_pinball_and_coverage_match_sklearn_and_counting() -> None:
    point, future, last = sample()
    forecast = point[..., None] + torch.tensor([-1.0, 0.0, 0.7], dtype=torch.float64)
    scores = scored(forecast, future, last, quantiles=QUANTILES)
    found = scores.metrics()
    expected = [
        mean_pinball_loss(future.flatten(), forecast[..., i].flatten(), alpha=level)
        for i, level in enumerate(QUANTILES)
    ]
    assert found["pinball_scaled"] == pytest.approx(np.mean(expected))
    assert float(scores.window_pinball.mean()) == pytest.approx(np.mean(expected))
    first = mean_pinball_loss(future[0].flatten(), forecast[0, ..., 2].flatten(), alpha=0.8)
    assert float(scores.window_pinball[0]) != pytest.approx(first)  # it is over all levels
    assert torch.equal(scores.window_loss, scores.window_pinball)
    without = scored(point, future, last)
    assert torch.equal(without.window_loss, without.window_mse)
    inside = (future >= point - 1) & (future <= point + 0.7)
    assert found["coverage"] == pytest.approx(float(inside.double().mean()))
    assert 0.1 < found["coverage"] < 0.9
    assert found["mse_scaled"] == pytest.approx(without.metrics()["mse_scaled"])


def test_hit_rate_counts_directions_of_what_moved() -> None:
    last = torch.zeros(1, 3)
    future = torch.tensor([[[1.0, -1.0, 0.0], [2.0, 3.0, -1.0]]])
    forecast = torch.tensor([[[0.5, 0.5, 9.0], [1.0, 0.0, -9.0]]])
    # right, wrong, did not move; right, no direction said, right
    scores = scored(forecast, future, last)
    assert scores.metrics()["hit_rate"] == pytest.approx(3 / 4)
    rows = scores.details([1.0] * 3)["by_target"]
    assert [row["hit_rate"] for row in rows] == [1.0, 0.0, 1.0]
    assert all(row["hit_rate_low"] <= row["hit_rate"] <= row["hit_rate_high"] for row in rows)


def test_persistence_has_no_hit_rate() -> None:
    _, future, last = sample()
    scores = scored(last[:, None].expand_as(future), future, last)
    assert "hit_rate" not in scores.metrics()
    assert all("hit_rate" not in row for row in scores.details([1.0] * 3)["by_target"])


def test_rse_and_corr_match_their_definitions() -> None:
    """Lai et al. 2018, eq. 9 and 10, in the file's units, from the values themselves."""
    forecast, future, last = sample()
    mean, std = np.array([5.0, -2.0, 0.0]), np.array([2.0, 3.0, 0.1])
    scores = scored(forecast, future, last)
    rows = scores.details(std.tolist(), mean.tolist())["by_step"]
    y, guess = (part.numpy() * std + mean for part in (future, forecast))
    for step, row in enumerate(rows):
        error = np.sum((y[:, step] - guess[:, step]) ** 2)
        around = np.sum((y[:, step] - y[:, step].mean()) ** 2)
        assert row["rse"] == pytest.approx(math.sqrt(error / around))
        corr = [np.corrcoef(y[:, step, i], guess[:, step, i])[0, 1] for i in range(3)]
        assert row["corr"] == pytest.approx(np.mean(corr))
    assert "rse" not in scores.details(std.tolist())["by_step"][0]


def test_corr_leaves_out_targets_that_do_not_vary() -> None:
    forecast, future, last = sample()
    future[..., 1] = 3.0
    row = scored(forecast, future, last).details([1.0] * 3)["by_step"][0]
    corr = [np.corrcoef(future[:, 0, i], forecast[:, 0, i])[0, 1] for i in (0, 2)]
    assert row["corr"] == pytest.approx(np.mean(corr))


def test_backtest_folds_hold_every_window_once() -> None:
    scores = scored(*sample(windows=23))
    folds = scores.details([1.0] * 3)["backtest"]
    assert [row["windows"] for row in folds] == [5, 5, 5, 4, 4]
    assert folds[0]["mse_scaled"] == pytest.approx(float(scores.window_mse[:5].mean()))


def test_a_gain_in_every_block_is_above_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    naive = 1 + 0.1 * torch.randn(200, generator=generator)
    found = gain_over(naive - 0.5, naive, 20)
    assert found.value == pytest.approx(0.5)
    assert found.above_zero


def test_a_gain_in_one_stretch_only_is_not() -> None:
    """Half of a long stretch of overlapping windows gains much: 100 windows, one event."""
    naive = torch.ones(200)
    model = naive.clone()
    model[1:20] -= 5
    found = gain_over(model, naive, 20)
    assert found.value == pytest.approx(19 * 5 / 200)
    assert not found.above_zero
    assert gain_over(model, naive, 1).above_zero  # were windows independent, it would seem so


def test_two_blocks_prove_nothing() -> None:
    found = gain_over(torch.zeros(59), torch.ones(59), 20)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.value == 1.0
    assert gain_over(torch.zeros(60), torch.ones(60), 20).above_zero


def test_chance_passes_for_a_gain_as_rarely_as_it_should() -> None:
    """400 times 30 blocks of pure noise: 2.5 % one-sided, so between 0 and 6 % of them."""
    generator = torch.Generator().manual_seed(1)
    proven = sum(
        gain_over(torch.randn(300, generator=generator), torch.zeros(300), 10).above_zero
        for _ in range(400)
    )
    assert proven <= 24
