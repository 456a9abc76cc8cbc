"""Intervals over seeds: how far a number may move when the seeds change.

All are 95 % two-sided unless asked otherwise. One value cannot say how far it scatters: its
interval is (-inf, inf), and so is that of values among which one is not finite. A rule that
compares ``low`` or ``high`` with a bound then finds nothing proven. Values without any scatter
(an exact count, or a figure that every seed reproduces) give an interval of width zero; that
is certainty about these seeds only.

Nothing heavy is imported before a function is called.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, SupportsFloat

Values = Iterable[SupportsFloat]


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval, all in the unit of the values."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """The whole interval lies above zero."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """The whole interval lies below zero."""
        return self.high < 0

    def contains(self, value: float) -> bool:
        """Whether ``value`` lies in the interval, its ends included."""
        return self.low <= value <= self.high


def exact(value: SupportsFloat) -> Interval:
    """A number that is counted or proven, not sampled: an interval of width zero."""
    return Interval(float(value), float(value), float(value))


def mean(values: Values, *, confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean of independent values, one a seed (Student 1908).

    Right for few seeds as long as the values are not badly skewed; see ``bootstrap``.
    """
    listed = _listed(values)
    count = len(listed)
    centre = math.fsum(listed) / count
    if count == 1 or not math.isfinite(centre):
        return Interval(centre, -math.inf, math.inf)
    if min(listed) == max(listed):
        return exact(listed[0])
    variance = math.fsum((value - centre) ** 2 for value in listed) / (count - 1)
    return _t_interval(centre, math.sqrt(variance / count), count - 1, confidence)


def geometric_mean(values: Values, *, confidence: float = 0.95) -> Interval:
    """Geometric mean of values above zero that scatter by factors (errors, ratios), with the t
    interval of their logarithms: it never reaches below zero."""
    logs = mean([math.log(value) for value in _listed(values)], confidence=confidence)
    if math.isinf(logs.low):
        return Interval(_exp(logs.value), -math.inf, math.inf)
    return Interval(_exp(logs.value), _exp(logs.low), _exp(logs.high))


def _exp(log: float) -> float:
    try:
        return math.exp(log)
    except OverflowError:
        return math.inf


def paired_difference(first: Values, second: Values, *, confidence: float = 0.95) -> Interval:
    """Mean of first minus second, pair by pair, with its t interval.

    Both have one value for each seed, in the same order of seeds: what a seed does to both
    sides alike drops out.
    """
    left, right = _listed(first), _listed(second)
    if len(left) != len(right):
        raise ValueError(
            f"first has {len(left)} values and second {len(right)}; "
            "give one of each for every seed, in the same order"
        )
    return mean([a - b for a, b in zip(left, right, strict=True)], confidence=confidence)


def bootstrap(
    values: Values,
    *,
    statistic: Callable[..., object] | None = None,
    method: Literal["BCa", "percentile"] = "BCa",
    resamples: int = 9999,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Interval of any statistic of independent values by resampling them (Efron 1987).

    statistic: takes a 1-D array and the keyword ``axis``, such as ``numpy.median``; the mean by
    default. ``BCa`` corrects bias and skew; where it is not defined (a median of few values
    that hardly moves) the percentile interval stands in. With fewer than about ten values
    either is too narrow: prefer ``mean``.
    """
    import warnings

    import numpy as np
    from scipy import stats

    chosen = np.mean if statistic is None else statistic
    listed = np.asarray(_listed(values))
    value = float(chosen(listed, axis=-1))  # type: ignore[arg-type]
    if len(listed) == 1 or not np.isfinite(listed).all():
        return Interval(value, -math.inf, math.inf)
    if listed.min() == listed.max():
        return exact(value)
    for tried in dict.fromkeys((method, "percentile")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "degenerate data": seen below as NaN
            found = stats.bootstrap(
                (listed,),
                chosen,
                n_resamples=resamples,
                confidence_level=confidence,
                method=tried,
                rng=np.random.default_rng(seed),
            ).confidence_interval
        if math.isfinite(found.low) and math.isfinite(found.high):
            return Interval(value, float(found.low), float(found.high))
    return Interval(value, -math.inf, math.inf)


def median(values: Values, *, confidence: float = 0.95) -> Interval:
    """Median of independent values, between two of them: how many fall below the true median is
    binomial, whatever their distribution (order statistics; David & Nagaraja 2003, section 7.1).

    Six values are the fewest that say anything with 95 %; of fewer the interval is infinite.
    """
    listed = sorted(_listed(values))
    count = len(listed)
    value = statistics.median(listed)
    if not all(map(math.isfinite, listed)):
        return Interval(value, -math.inf, math.inf)
    chances = accumulate(math.comb(count, below) / 2**count for below in range(count))
    below = sum(chance <= (1 - confidence) / 2 for chance in chances)
    if not below:
        return Interval(value, -math.inf, math.inf)
    return Interval(value, listed[below - 1], listed[count - below])


def interquartile_mean(values: Values, *, confidence: float = 0.95) -> Interval:
    """Mean of the middle half of the values, with a percentile-bootstrap interval: what a few lucky
    or failed seeds do not move (Agarwal et al. 2021, arXiv:2108.13264). With fewer than four values
    nothing is cut away, and it is the mean."""
    from scipy import stats

    def middle(listed: Any, axis: int = -1) -> Any:
        return stats.trim_mean(listed, 0.25, axis=axis)

    return bootstrap(
        values, statistic=middle, method="percentile", resamples=2000, confidence=confidence
    )


def slope(x: Values, y: Values, *, confidence: float = 0.95) -> Interval:
    """Slope of the straight line of least squares through (x, y), in y per x.

    The points must scatter independently around the line. Points of one training curve do
    not: take one slope a seed then, and the ``mean`` of these. Two points fit any line:
    their interval is infinite.
    """
    from scipy import stats

    across, up = _listed(x), _listed(y)
    if len(across) != len(up):
        raise ValueError(f"x has {len(across)} values and y {len(up)}; give one y for each x")
    if len(set(across)) < 2:
        raise ValueError(f"x has {len(set(across))} distinct value; a slope needs at least two")
    if not all(map(math.isfinite, (*across, *up))):
        return Interval(math.nan, -math.inf, math.inf)
    if min(up) == max(up):
        return exact(0.0) if len(up) > 2 else Interval(0.0, -math.inf, math.inf)
    fitted = stats.linregress(across, up)
    value = float(fitted.slope)  # type: ignore[attr-defined]
    if len(across) == 2:
        return Interval(value, -math.inf, math.inf)
    return _t_interval(value, float(fitted.stderr), len(across) - 2, confidence)  # type: ignore[attr-defined]


def log_slope(x: Values, y: Values, *, confidence: float = 0.95) -> Interval:
    """Slope of ln y over x: the rate of an exponential, in 1 per x; -0.1 is a decay of about
    10 % for each x.

    y must be above zero: a value that has underflowed has no logarithm, so leave it out and
    say so.
    """
    up = _listed(y)
    for place, value in enumerate(up):
        if value <= 0:
            raise ValueError(f"y[{place}] is {value}; its logarithm needs a value above zero")
    return slope(x, [math.log(value) for value in up], confidence=confidence)


def proportion(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a probability (Wilson 1927; Brown, Cai & DasGupta 2001).

    Stays within 0 and 1 and keeps its coverage at 0 or all successes, where the textbook
    interval collapses to a point. No trials: the value is NaN, the interval 0 to 1.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes is {successes} of {trials} trials; it must lie between them")
    if trials == 0:
        return Interval(math.nan, 0.0, 1.0)
    from scipy import stats

    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    half /= 1 + z * z / trials
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Interval(share, low, high)


def _t_interval(centre: float, error: float, freedom: int, confidence: float) -> Interval:
    """centre ± t · error: ``error`` is the standard error, ``freedom`` its degrees."""
    if error == 0:
        return exact(centre)
    from scipy import stats

    half = float(stats.t.ppf(0.5 + confidence / 2, freedom)) * error
    return Interval(centre, centre - half, centre + half)


def _listed(values: Values) -> list[float]:
    listed = [float(value) for value in values]
    if not listed:
        raise ValueError("values is empty; an interval needs at least one value")
    return listed
