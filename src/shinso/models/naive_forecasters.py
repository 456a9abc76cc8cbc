"""Forecasts that nobody has to learn: the rivals that stand in every table.

All take the past of many windows and say the next rows of each channel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Past = Float[np.ndarray, "window lookback channel"]
Future = Float[np.ndarray, "window horizon channel"]


def persistence(past: Past, horizon: int) -> Future:
    """The last value, again and again: the best forecast of a random walk."""
    return np.repeat(past[:, -1:], horizon, axis=1)


def drift(past: Past, horizon: int) -> Future:
    """The straight line through the first and the last value of the past, continued.

    A past of one row has no slope: then it is persistence.
    """
    rows = past.shape[1]
    slope = (past[:, -1:] - past[:, :1]) / max(rows - 1, 1)
    return past[:, -1:] + slope * np.arange(1, horizon + 1)[:, None]


def seasonal(past: Past, horizon: int, season: int) -> Future:
    """The value one season before, and where that is still ahead, two before, and so on.

    Raises ValueError where the past holds less than one season.
    """
    rows = past.shape[1]
    if not 1 <= season <= rows:
        raise ValueError(f"season is {season}; give 1 to {rows} rows, what the look-back holds")
    return past[:, rows - season + np.arange(horizon) % season]


def change_quantiles(
    train: Sequence[Float[np.ndarray, "_ channel"]], horizon: int, quantiles: Sequence[float]
) -> Float[np.ndarray, "horizon channel quantile"]:
    """Quantiles of the changes 1 … ``horizon`` rows ahead in the train part: what persistence has
    to say of its own uncertainty.

    Upward and downward changes are counted as if each had also occurred the other way, so the
    0.5 quantile is 0 and one stretch of history teaches no drift. A step ahead that no series is
    long enough for takes the one before it.
    """
    found = np.zeros((horizon, train[0].shape[1], len(quantiles)))
    for step in range(1, horizon + 1):
        changes = [one[step:] - one[:-step] for one in train if len(one) > step]
        if changes:
            joined = np.concatenate(changes)
            both = np.concatenate([joined, -joined])
            found[step - 1] = np.quantile(both, quantiles, axis=0).T
        elif step > 1:
            found[step - 1] = found[step - 2]
    return found


def find_season(train: Sequence[Float[np.ndarray, "_ channel"]], longest: int) -> int:
    """The period in rows, found from the autocorrelation of the changes; 0 where there is none.

    The lag from 2 to ``longest`` at which the autocorrelation, averaged over channels and series,
    peaks highest, if it explains something: above 0.2 and above twice the scatter that a series
    without memory would show there (Bartlett 1946). Changes, because levels that wander are
    correlated at every lag.
    """
    found: list[np.ndarray] = []
    longest_series = max(len(one) for one in train)
    longest = min(longest, longest_series // 3)
    for one in train:
        changes = np.diff(one, axis=0)
        if longest < 2 or len(changes) <= 2 * longest:
            continue
        changes = changes - changes.mean(axis=0)
        power = np.abs(np.fft.rfft(changes, n=2 * len(changes), axis=0)) ** 2
        covariance = np.fft.irfft(power, axis=0)[: longest + 2]
        # The changes of a straight line differ by rounding alone, which may look like a period.
        rounding = 1e-9 * np.abs(one).max(axis=0)
        varying = covariance[0] > len(changes) * rounding**2
        if varying.any():
            found.append((covariance[:, varying] / covariance[0, varying]).mean(axis=1))
    if not found:
        return 0
    correlation = np.mean(found, axis=0)
    inner = correlation[2 : longest + 1]
    peak = (inner >= correlation[1:longest]) & (inner >= correlation[3 : longest + 2])
    bound = max(0.2, 2 / np.sqrt(longest_series))
    lags = np.flatnonzero(peak & (inner > bound)) + 2
    if not len(lags):
        return 0
    best = int(lags[np.argmax(correlation[lags])])
    # Several periods are as good a lag as one: a fraction of the lag that does as well is it,
    # if half of that fraction does not: then it is no period but slow memory.
    for parts in range(best // 4, 1, -1):
        near = np.arange(round(best / parts) - 1, round(best / parts) + 2)
        shorter = int(near[np.argmax(correlation[near])])
        as_good, half = 0.9 * correlation[best], correlation[shorter // 2]
        if correlation[shorter] >= as_good and half < 0.5 * correlation[best]:
            return shorter
    return best
