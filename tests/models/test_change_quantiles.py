"""What persistence says of its own uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from shinso.models.naive_forecasters import change_quantiles

QUANTILES = (0.05, 0.5, 0.95)


def test_quantiles_of_a_random_walk_grow_with_the_root_of_the_distance() -> None:
    walk = np.random.default_rng(0).normal(size=(60_000, 1)).cumsum(axis=0)
    found = change_quantiles([walk], 9, QUANTILES)
    assert found.shape == (9, 1, 3)
    expected = stats.norm.ppf(0.95) * np.sqrt(np.arange(1, 10))
    assert found[:, 0, 2] == pytest.approx(expected, rel=0.05)
    assert found[:, 0, 0] == pytest.approx(-found[:, 0, 2])


def test_a_drift_shifts_nothing() -> None:
    """A line that only rises: its changes count upward and downward alike."""
    line = np.arange(50.0)[:, None]
    found = change_quantiles([line], 3, QUANTILES)
    assert found[:, 0].tolist() == [[-1, 0, 1], [-2, 0, 2], [-3, 0, 3]]


def test_series_are_joined_and_never_crossed() -> None:
    first, second = np.zeros((40, 2)), np.full((40, 2), 100.0)
    assert (change_quantiles([first, second], 4, QUANTILES) == 0).all()


def test_a_step_beyond_every_series_takes_the_one_before_it() -> None:
    found = change_quantiles([np.arange(4.0)[:, None]] * 20, 6, (0.9,))
    assert found[:, 0, 0] == pytest.approx([1, 2, 3, 3, 3, 3])
