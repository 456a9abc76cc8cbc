"""Naive forecasts by their definitions, and the season finder on series whose season is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shinso.models.naive_forecasters import drift, find_season, persistence, seasonal

PAST = arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 2)),
              elements=st.floats(-1e6, 1e6))  # fmt: skip


@given(past=PAST, horizon=st.integers(1, 20))
def test_persistence_is_the_last_value_holds_for_any_past(past: np.ndarray, horizon: int) -> None:
    found = persistence(past, horizon)
    assert found.shape == (len(past), horizon, past.shape[2])
    assert (found == past[:, -1:]).all()


@given(past=PAST, horizon=st.integers(1, 20), season=st.integers(1, 9))
def test_seasonal_repeats_the_last_season_holds_for_any_past(
    past: np.ndarray, horizon: int, season: int
) -> None:
    if season > past.shape[1]:
        with pytest.raises(ValueError, match="season"):
            seasonal(past, horizon, season)
        return
    joined = np.concatenate([past, seasonal(past, horizon, season)], axis=1)
    rows = past.shape[1]
    assert (joined[:, rows:] == joined[:, rows - season : rows - season + horizon]).all()


def test_drift_continues_a_straight_line_exactly() -> None:
    line = (3.0 * np.arange(40) - 7)[None, :, None]
    assert drift(line[:, :30], 10) == pytest.approx(line[:, 30:])
    one_row = line[:, :1]
    assert (drift(one_row, 4) == persistence(one_row, 4)).all()


@pytest.mark.parametrize("period", [4, 7, 24, 31])
def test_season_of_a_wave_in_noise_is_found(period: int) -> None:
    rng = np.random.default_rng(period)
    t = np.arange(2000)
    wave = 3 * np.sin(2 * np.pi * t / period) + rng.normal(0, 0.5, 2000) + 0.01 * t
    assert find_season([wave[:, None]], 96) == period


def test_random_walks_have_no_season() -> None:
    for seed in range(20):
        walk = np.cumsum(np.random.default_rng(seed).normal(size=(1500, 2)), axis=0)
        assert find_season([walk], 96) == 0


def test_short_and_constant_series_have_no_season() -> None:
    assert find_season([np.ones((500, 1))], 24) == 0
    assert find_season([np.arange(5.0)[:, None]], 24) == 0


@pytest.mark.parametrize("offset", [0.0, 5.0, 1e6])
def test_a_straight_line_has_no_season(offset: float) -> None:
    line = offset + 0.1 * np.arange(800.0)
    assert find_season([((line - line.mean()) / line.std())[:, None]], 96) == 0
