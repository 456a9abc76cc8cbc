"""Forecasts that nobody has to learn: the rivals that stand in every table.

All take the past of many windows and say the next rows of each channel.
"""

from __future__ import annotations

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
