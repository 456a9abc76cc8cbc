"""The classical rival of a series classifier: logistic regression on what any series has.

Short series of one length are taken value by value; others by the mean, deviation, least, largest,
first and last value of each channel. Fitted by scikit-learn with its default ridge penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

LARGEST_FLAT = 512
"""Values of a series up to which each is a feature of its own."""


@dataclass(frozen=True, eq=False)
class SummaryRegression:
    """Fitted coefficients. steps: of the series taken value by value; 0 where summarized."""

    steps: int
    weights: Float[np.ndarray, "feature class"]
    bias: Float[np.ndarray, " class"]

    @classmethod
    def fit(
        cls,
        series: Sequence[Float[np.ndarray, "_ channel"]],
        labels: Int[np.ndarray, " series"],
        num_classes: int,
    ) -> SummaryRegression:
        """series: scaled. Classes that do not occur among ``labels`` are never answered."""
        from sklearn.linear_model import LogisticRegression

        lengths = {len(one) for one in series}
        flat = len(lengths) == 1 and series[0].size <= LARGEST_FLAT
        steps = len(series[0]) if flat else 0
        features = np.stack([_features(one, steps) for one in series])
        weights = np.zeros((features.shape[1], num_classes))
        bias = np.full(num_classes, -np.inf)
        seen = np.unique(labels)
        if len(seen) == 1:
            bias[seen] = 0.0
            return cls(steps, weights, bias)
        fitted = LogisticRegression(max_iter=1000).fit(features, labels)
        if len(seen) == 2:  # scikit-learn keeps the score of the second class alone
            weights[:, seen[1]] = fitted.coef_[0]
            bias[seen] = [0.0, fitted.intercept_[0]]
        else:
            weights[:, seen] = fitted.coef_.T
            bias[seen] = fitted.intercept_
        return cls(steps, weights, bias)

    def probabilities(
        self, series: Sequence[Float[np.ndarray, "_ channel"]]
    ) -> Float[np.ndarray, "series class"]:
        """Series of another length than the fitted one are cut, or their last value repeated."""
        features = np.stack([_features(one, self.steps) for one in series])
        scores = features @ self.weights + self.bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def to_dict(self) -> dict[str, Any]:
        bias = [None if np.isneginf(value) else float(value) for value in self.bias]
        return {"steps": self.steps, "weights": self.weights.tolist(), "bias": bias}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> SummaryRegression:
        bias = [-np.inf if value is None else value for value in content["bias"]]
        return cls(content["steps"], np.array(content["weights"]), np.array(bias, dtype=float))


def _features(one: Float[np.ndarray, "_ channel"], steps: int) -> Float[np.ndarray, " feature"]:
    if steps:
        last = np.repeat(one[-1:], max(steps - len(one), 0), axis=0)
        return np.concatenate([one[:steps], last]).ravel()
    return np.concatenate([one.mean(0), one.std(0), one.min(0), one.max(0), one[0], one[-1]])
