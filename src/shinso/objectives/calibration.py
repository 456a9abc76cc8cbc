"""Whether a classifier is as often right as it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Reliability:
    """Answers sorted into bins of equal width by their probability. said, right: mean probability
    and share of right answers of each bin; NaN where it is empty."""

    counts: Int[np.ndarray, " bin"]
    said: Float[np.ndarray, " bin"]
    right: Float[np.ndarray, " bin"]

    @property
    def error(self) -> float:
        """Expected calibration error: mean |right − said|, weighted by answers (Guo et al. 2017,
        eq. 3)."""
        full = self.counts > 0
        gaps = np.abs(self.right[full] - self.said[full])
        return float((gaps * self.counts[full]).sum() / self.counts.sum())


def reliability(
    probabilities: Float[np.ndarray, "sample class"],
    labels: Int[np.ndarray, " sample"],
    bins: int = 15,
) -> Reliability:
    """Of the most probable class of each sample."""
    said = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    places = np.minimum((said * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(places, one, minlength=bins) / counts for one in (said, right)]
    return Reliability(counts, *means)
