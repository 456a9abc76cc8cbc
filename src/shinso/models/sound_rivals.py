"""The naive rivals of a network that predicts sound: a histogram, and a linear predictor.

The predictor is the one of speech coding: each sample is a weighted sum of the last ones (Makhoul
1975, "Linear prediction: a tutorial review"), and the error is logistic, as wide as the errors have
been of late, so that it knows loud from silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int16

LEVELS = 32768
MEMORY = 0.95  # of the running mean of absolute errors, about 20 samples
WIDTHS = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
FLOORS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
CLIPS_TO_FIT, SAMPLES_TO_FIT = 200, 2_000_000


def class_histogram(clips: Sequence[np.ndarray], classes: int) -> Float[np.ndarray, " class"]:
    """Shares of the classes, each counted once more than it occurs, so that none has none."""
    counts = np.ones(classes)
    for one in clips:
        counts += np.bincount(one, minlength=classes)
    return counts / counts.sum()


@dataclass(frozen=True)
class LinearPredictor:
    """weights: of the last samples, the latest first. width, floor: the logistic's scale is
    width · (running mean of absolute errors) + floor, in levels of 16 bits."""

    weights: tuple[float, ...]
    width: float
    floor: float

    @classmethod
    def fit(cls, clips: Sequence[Int16[np.ndarray, " _"]], order: int = 32) -> LinearPredictor:
        """Weights by the autocorrelation of all clips; width and floor by the likelihood of at most
        200 of them, which are cut where they have more than 2 million samples together."""
        from scipy.linalg import solve_toeplitz

        lags = np.zeros(order + 1)
        for one in clips:
            x = one.astype(np.float64)
            for lag in range(min(order + 1, len(x))):
                lags[lag] += x[lag:] @ x[: len(x) - lag]
        lags[0] = lags[0] * (1 + 1e-6) + 1.0  # white noise of a level or so: silence is solvable
        weights = tuple(map(float, solve_toeplitz(lags[:-1], lags[1:])))
        some = clips[:: max(1, len(clips) // CLIPS_TO_FIT)]
        if sum(map(len, some)) > SAMPLES_TO_FIT:
            some = [one[: max(1, SAMPLES_TO_FIT // len(some))] for one in some]
        best = (np.inf, 0.0, 0.0)
        for width in WIDTHS:
            for floor in FLOORS:
                candidate = cls(weights, width, floor)
                nats = sum(-candidate.log_shares(one, *level_bounds(one)).sum() for one in some)
                best = min(best, (float(nats), width, floor))
        return cls(weights, best[1], best[2])

    def log_shares(
        self,
        samples: Int16[np.ndarray, " time"],
        low: Float[np.ndarray, " time"],
        high: Float[np.ndarray, " time"],
    ) -> Float[np.ndarray, " time"]:
        """ln of the probability that each sample lies between its bounds (in levels), given those
        before it; nothing was before the first."""
        from scipy.signal import lfilter
        from scipy.special import log_expit

        x = samples.astype(np.float64)
        error = np.asarray(lfilter([1.0, *(-weight for weight in self.weights)], [1.0], x))
        middle = x - error
        recent = np.asarray(lfilter([0.0, 1 - MEMORY], [1.0, -MEMORY], np.abs(error)))
        scale = self.width * recent + self.floor
        a, b = (high - middle) / scale, (low - middle) / scale
        return log_expit(a) + log_expit(-b) + np.log(-np.expm1(-(high - low) / scale))

    def to_dict(self) -> dict[str, Any]:
        return {"weights": list(self.weights), "width": self.width, "floor": self.floor}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> LinearPredictor:
        return cls(tuple(found["weights"]), found["width"], found["floor"])


def level_bounds(samples: Int[np.ndarray, " time"]) -> tuple[np.ndarray, np.ndarray]:
    """Half a level below and above each sample; without end at the lowest and the highest."""
    x = samples.astype(np.float64)
    low, high = x - 0.5, x + 0.5
    low[x <= -LEVELS], high[x >= LEVELS - 1] = -np.inf, np.inf
    return low, high
