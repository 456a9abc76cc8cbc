"""Intervals against scipy and statsmodels, against their own promise, and at their edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from shinso.claims import intervals
from shinso.claims.claim import Estimate
from shinso.language import Text

INFINITE = (-math.inf, math.inf)
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


def test_mean_matches_scipy():
    values = np.random.default_rng(0).normal(3.0, 2.0, 7)
    found = intervals.mean(values)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high))
    assert intervals.mean(values, confidence=0.5).low > found.low


def test_paired_difference_matches_scipy():
    rng = np.random.default_rng(1)
    left = rng.normal(size=6)
    right = left + rng.normal(0.5, 0.1, size=6)
    found = intervals.paired_difference(left, right)
    low, high = stats.ttest_rel(left, right).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.below_zero
    assert not found.above_zero
    # What a seed does to both sides drops out: the unpaired means cannot tell them apart.
    assert intervals.mean(left).contains(intervals.mean(right).value)


def test_mean_covers_the_truth_in_95_of_100_cases():
    rng = np.random.default_rng(2)
    covered = sum(intervals.mean(rng.normal(1.0, 3.0, 5)).contains(1.0) for _ in range(2000))
    assert intervals.proportion(covered, 2000, confidence=0.999).contains(0.95)


@given(values=VALUES, shift=st.floats(-1e3, 1e3), scale=st.floats(0.1, 10))
def test_mean_moves_with_its_values_holds_for_any(values, shift, scale):
    plain = intervals.mean(values)
    moved = intervals.mean([scale * value + shift for value in values])
    size = 1e-9 * (1 + max(map(abs, values))) * 1e2
    assert plain.low <= plain.value + size
    assert plain.value <= plain.high + size
    assert moved.low == pytest.approx(scale * plain.low + shift, abs=size, rel=1e-6)
    assert moved.high == pytest.approx(scale * plain.high + shift, abs=size, rel=1e-6)


@pytest.mark.parametrize("method", [intervals.mean, intervals.bootstrap])
def test_one_value_knows_nothing_of_its_scatter(method):
    found = method([2.5])
    assert (found.value, found.low, found.high) == (2.5, *INFINITE)
    assert not found.above_zero


@pytest.mark.parametrize("method", [intervals.mean, intervals.bootstrap])
def test_equal_values_give_a_width_of_zero(method):
    found = method([0.1, 0.1, 0.1])
    assert found.low == found.high == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("method", [intervals.mean, intervals.bootstrap])
def test_value_that_is_not_finite_leaves_everything_open(method, bad):
    found = method([1.0, 2.0, bad])
    assert (found.low, found.high) == INFINITE
    assert not found.above_zero
    assert not found.below_zero


@pytest.mark.parametrize("method", [intervals.mean, intervals.bootstrap])
def test_no_value_is_refused(method):
    with pytest.raises(ValueError, match="values is empty"):
        method([])


def test_pairs_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="first has 1 values and second 2"):
        intervals.paired_difference([1.0], [1.0, 2.0])


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_bootstrap_of_the_mean_is_near_the_t_interval(method):
    values = np.random.default_rng(3).normal(10.0, 2.0, 60)
    found = intervals.bootstrap(values, method=method)
    t = intervals.mean(values)
    assert found.value == pytest.approx(t.value)
    assert (found.low, found.high) == pytest.approx((t.low, t.high), abs=0.1)
    assert intervals.bootstrap(values, method=method) == found


def test_bootstrap_matches_scipy_for_the_median():
    values = np.random.default_rng(4).exponential(size=30)
    found = intervals.bootstrap(values, statistic=np.median, method="percentile", seed=7)
    expected = stats.bootstrap(
        (values,), np.median, n_resamples=9999, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.value == np.median(values)


def test_bootstrap_falls_back_to_percentiles_where_bca_is_not_defined():
    # Leaving out any one value does not move the median, so BCa's acceleration is 0/0.
    values = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0]
    found = intervals.bootstrap(values, statistic=np.median)
    assert found.value == 2.0
    assert (found.low, found.high) == (2.0, 2.0)


def test_slope_matches_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    x = np.linspace(0, 4, 15)
    y = 2.0 * x - 1 + rng.normal(0, 0.3, 15)
    found = intervals.slope(x, y)
    fitted = sm.OLS(y, sm.add_constant(x)).fit()
    assert found.value == pytest.approx(fitted.params[1])
    assert (found.low, found.high) == pytest.approx(tuple(fitted.conf_int()[1]))


def test_log_slope_finds_the_rate_of_a_decay():
    steps = np.arange(20)
    assert intervals.log_slope(steps, 3.0 * 0.9**steps).value == pytest.approx(math.log(0.9))
    noisy = 3.0 * 0.9**steps * np.exp(np.random.default_rng(6).normal(0, 0.2, 20))
    found = intervals.log_slope(steps, noisy)
    assert found.contains(math.log(0.9))
    assert found.below_zero


def test_slope_at_its_edges():
    two = intervals.slope([0, 1], [1, 3])
    assert (two.value, two.low, two.high) == (2.0, *INFINITE)
    flat = intervals.slope([0, 1, 2], [5, 5, 5])
    assert (flat.value, flat.low, flat.high) == (0.0, 0.0, 0.0)
    assert math.isnan(intervals.slope([0, 1, 2], [1, math.nan, 3]).value)
    with pytest.raises(ValueError, match="1 distinct value"):
        intervals.slope([1, 1], [2, 3])
    with pytest.raises(ValueError, match="x has 2 values and y 1"):
        intervals.slope([1, 2], [2])
    with pytest.raises(ValueError, match=r"y\[1\] is 0.0"):
        intervals.log_slope([1, 2], [2, 0])


@given(trials=st.integers(1, 500), share=st.floats(0, 1))
def test_proportion_matches_statsmodels_and_holds_for_any(trials, share):
    successes = round(share * trials)
    found = intervals.proportion(successes, trials)
    low, high = proportion_confint(successes, trials, method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_proportion_at_its_edges():
    assert intervals.proportion(0, 10).low == 0.0
    assert intervals.proportion(0, 10).high > 0.2
    assert intervals.proportion(10, 10).high == 1.0
    empty = intervals.proportion(0, 0)
    assert math.isnan(empty.value)
    assert (empty.low, empty.high) == (0.0, 1.0)
    for successes, trials in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="successes is"):
            intervals.proportion(successes, trials)


def test_estimate_carries_the_interval_and_its_seeds():
    found = intervals.estimate(Text("slope", "傾き"), intervals.mean([1.0, 2.0, 3.0]), seeds=3)
    assert isinstance(found, Estimate)
    assert found.name == Text("slope", "傾き")
    assert found.seeds == 3
    assert found.low < found.value == 2.0 < found.high
    exact = intervals.estimate(Text("parameters", "パラメータ"), intervals.exact(12), seeds=0)
    assert exact.low == exact.value == exact.high == 12.0
