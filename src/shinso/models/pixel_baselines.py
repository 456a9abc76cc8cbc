"""What a network for images has to beat: the nearest mean image, and logistic regression on pixels.

Both see pixels as they are, shrunk to at most 28 on a side so that their coefficients fit into a
run's facts.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch.nn import functional as F

LARGEST_PX = 28
MOST_IMAGES = 10_000
"""On more images the regression takes minutes and gains little."""
DIGITS = 6


@dataclass(frozen=True, eq=False)
class PixelBaselines:
    """means: of each class, of pixels from 0 to 1; NaN for a class without images. size_px: to which
    images are shrunk."""

    size_px: tuple[int, int]
    means: Float[np.ndarray, "class feature"]
    weights: Float[np.ndarray, "feature class"]
    bias: Float[np.ndarray, " class"]

    @classmethod
    def fit(
        cls,
        pixels: UInt8[torch.Tensor, "image channel height width"],
        labels: Int[np.ndarray, " image"],
        num_classes: int,
        *,
        seed: int,
    ) -> PixelBaselines:
        """The regression learns from at most 10,000 images, drawn with ``seed``, which hold at least
        one image of each class that there is."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        height, width = (min(side, LARGEST_PX) for side in pixels.shape[2:])
        order = np.random.default_rng(seed).permutation(len(labels))
        first = np.unique(labels[order], return_index=True)[1]
        some = order[np.unique([*first, *range(min(MOST_IMAGES, len(labels)))])]
        few = _features(pixels[torch.from_numpy(some)], (height, width))
        means = np.full((num_classes, few.shape[1]), np.nan)
        for number in np.unique(labels):
            means[number] = few[labels[some] == number].mean(axis=0)
        weights = np.zeros((few.shape[1], num_classes))
        bias = np.full(num_classes, -np.inf)
        seen = np.unique(labels)
        if len(seen) > 1:
            with warnings.catch_warnings():
                # A hundred iterations are enough for a rival; the last ones move little.
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = LogisticRegression(C=0.1, max_iter=100, tol=1e-3).fit(few, labels[some])
            coefficients, shift = fitted.coef_, fitted.intercept_
            if len(seen) == 2:  # scikit-learn keeps the score of the second class alone
                coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
                shift = np.array([0.0, shift[0]])
            weights[:, seen], bias[seen] = coefficients.T, shift
        else:
            bias[seen] = 0.0
        rounded = (one.round(DIGITS) for one in (means, weights, bias))
        return cls((height, width), *rounded)

    def answers(
        self, pixels: UInt8[torch.Tensor, "image channel height width"]
    ) -> dict[str, Float[np.ndarray, "image class"]]:
        """Probabilities by name. The nearest mean gives the class whose mean has the least squared
        distance; its probabilities are those of normal distributions around the means."""
        found = _features(pixels, self.size_px)
        squares = np.nansum(self.means**2, axis=1) - 2 * found @ np.nan_to_num(self.means).T
        squares = np.where(np.isnan(self.means).any(axis=1), np.inf, squares)
        return {
            "nearest class mean": _softmax(-squares / 2),
            "logistic regression": _softmax(found @ self.weights + self.bias),
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "size_px": list(self.size_px),
            "means": [None if np.isnan(row).any() else row.tolist() for row in self.means],
            "weights": self.weights.tolist(),
            "bias": [None if np.isneginf(value) else float(value) for value in self.bias],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PixelBaselines:
        weights = np.array(content["weights"])
        nothing = [np.nan] * len(weights)
        means = [nothing if row is None else row for row in content["means"]]
        bias = [-np.inf if value is None else value for value in content["bias"]]
        height, width = content["size_px"]
        return cls((height, width), np.array(means), weights, np.array(bias, dtype=float))


def _features(
    pixels: UInt8[torch.Tensor, "image channel height width"], size_px: tuple[int, int]
) -> Float[np.ndarray, "image feature"]:
    shrunk = [F.adaptive_avg_pool2d(one.float() / 255, size_px) for one in pixels.split(1000)]
    return torch.cat(shrunk).flatten(1).double().numpy()


def _softmax(scores: Float[np.ndarray, "image class"]) -> Float[np.ndarray, "image class"]:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)
