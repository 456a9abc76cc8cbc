"""Running scales of observations and rewards; what they learn is saved with the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

SMALLEST = 1e-8
FURTHEST = 10.0


class ObservationScale:
    """(x − mean) / deviation over all that was seen in training, cut to ±10.

    mean, variance: float32 memory to write to, a model's buffers. Statistics are kept in float64
    and merged batch by batch (Chan et al. 1979). With ``on`` false, x is left as it is.
    """

    def __init__(self, mean: np.ndarray, variance: np.ndarray, *, on: bool) -> None:
        self.mean, self.variance, self.on = mean, variance, on
        self.count = 1e-4
        self.exact_mean = mean.astype(np.float64)
        self.exact_variance = variance.astype(np.float64)
        self._rescale()

    def add(self, x: Float[np.ndarray, "batch width"]) -> None:
        if not self.on:
            return
        count, mean, variance = len(x), x.mean(axis=0, dtype=np.float64), x.var(axis=0)
        total = self.count + count
        apart = mean - self.exact_mean
        self.exact_variance = (
            self.exact_variance * self.count
            + variance * count
            + apart * apart * (self.count * count / total)
        ) / total
        self.exact_mean += apart * (count / total)
        self.count = total
        self._rescale()

    def _rescale(self) -> None:
        # A number that never changes stays near 0 instead of being blown up.
        self.mean[:] = self.exact_mean
        self.variance[:] = np.maximum(self.exact_variance, SMALLEST)
        self.factor = 1 / np.sqrt(self.variance)

    def __call__(self, x: Float[np.ndarray, "batch width"]) -> Float[np.ndarray, "batch width"]:
        if not self.on:
            return x
        return ((x - self.mean) * self.factor).clip(-FURTHEST, FURTHEST)

    def state_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "mean": self.exact_mean.tolist(),
            "variance": self.exact_variance.tolist(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
        self.exact_mean = np.array(state["mean"])
        self.exact_variance = np.array(state["variance"])
        self._rescale()


class RewardScale:
    """Rewards divided by the deviation of their discounted sums, so that values are near 1.

    std: float32 memory of one number to write to. Rewards keep their sign: no mean is subtracted.
    """

    def __init__(self, std: np.ndarray, environments: int, gamma: float, *, on: bool) -> None:
        self.std, self.gamma, self.on = std, gamma, on
        self.sums = np.zeros(environments)
        self.count, self.mean, self.variance = 1e-4, 0.0, 1.0

    def __call__(
        self, rewards: Float[np.ndarray, " environment"], ended: np.ndarray
    ) -> Float[np.ndarray, " environment"]:
        if not self.on:
            return rewards
        self.sums = self.sums * self.gamma + rewards
        count, mean, variance = len(rewards), float(self.sums.mean()), float(self.sums.var())
        total = self.count + count
        apart = mean - self.mean
        self.variance = (
            self.variance * self.count + variance * count + apart**2 * self.count * count / total
        ) / total
        self.mean += apart * count / total
        self.count = total
        self.sums[ended] = 0.0
        self.std[0] = np.sqrt(self.variance + SMALLEST)
        return (rewards / self.std[0]).clip(-FURTHEST, FURTHEST)

    def state_dict(self) -> dict[str, Any]:
        return {
            "sums": self.sums.tolist(),
            "count": self.count,
            "mean": self.mean,
            "variance": self.variance,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums = np.array(state["sums"])
        self.count, self.mean, self.variance = state["count"], state["mean"], state["variance"]
        if self.on:
            self.std[0] = np.sqrt(self.variance + SMALLEST)
