"""Intervals of the middle: the mean of the middle half of seeds, and the median of rounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from shinso.intervals import Interval, geometric_mean, interquartile_mean, median


def test_middle_half_matches_its_definition_and_ignores_one_failed_seed():
    values = [500.0, 490.0, 495.0, 505.0, 498.0, 502.0, 9.0, 501.0]
    assert interquartile_mean(values).value == pytest.approx(np.mean(sorted(values)[2:6]))
    found = interquartile_mean(values)
    assert found.low <= found.value <= found.high


def test_few_values_give_their_mean():
    assert interquartile_mean([1.0, 2.0, 6.0]).value == pytest.approx(3.0)


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (15, (4, 12)), (61, (23, 39))])
def test_median_lies_between_the_ranks_of_the_binomial(count: int, ranks: tuple[int, int]) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    found = median(values)
    assert (found.low, found.high) == ranks
    assert found.value == np.median(values)
    chance = stats.binom(count, 0.5).cdf
    assert chance(ranks[0] - 1) <= 0.025 < chance(ranks[0])


def test_few_values_say_nothing_of_a_median() -> None:
    assert median([3, 1, 2, 5, 4]) == Interval(3, -math.inf, math.inf)
    assert median([1.0] * 6 + [math.nan]).high == math.inf


def test_geometric_mean_is_a_mean_of_logarithms() -> None:
    found = geometric_mean([0.01, 0.1, 1.0])
    half = 4.302652729911275 / math.sqrt(3)  # of the t distribution with 2 degrees, in decades
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == pytest.approx((0.1 * 10**-half, 0.1 * 10**half))
    assert geometric_mean([2.0, 2.0]).low == pytest.approx(2.0)
    assert geometric_mean([2.0]).low == -math.inf
    assert geometric_mean([1e-300, 1e300]).high == math.inf
