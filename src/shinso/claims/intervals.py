"""What a claim's rule counts with: the intervals of ``shinso.intervals``, and their way into a
finding. Nothing heavy is imported before a function is called."""

from __future__ import annotations

from shinso.claims.claim import Estimate
from shinso.intervals import (
    Interval,
    bootstrap,
    exact,
    geometric_mean,
    log_slope,
    mean,
    paired_difference,
    proportion,
    slope,
)
from shinso.language import Text

__all__ = [
    "Interval",
    "bootstrap",
    "estimate",
    "exact",
    "geometric_mean",
    "log_slope",
    "mean",
    "paired_difference",
    "proportion",
    "slope",
]


def estimate(name: Text, interval: Interval, *, seeds: int) -> Estimate:
    """The interval as a number of a verdict. name: ends with the unit; seeds: how many values
    stand behind it, 0 for an exact number."""
    return Estimate(
        name=name, value=interval.value, low=interval.low, high=interval.high, seeds=seeds
    )
