"""The classical rival in every forecast table: AR(p) on the changes, one for each channel.

y'_t = c + a_1 y'_{t−1} + … + a_p y'_{t−p} with y' the change from row to row (an ARI(p, 1) model,
Box & Jenkins 1970), fitted by least squares on the train part, its order chosen by BIC
(Schwarz 1978). Several steps ahead it is iterated: each forecast is the next step's past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

LARGEST_ORDER = 12


@dataclass(frozen=True, eq=False)
class AutoregressiveBaseline:
    """Fitted coefficients by channel. weights: a_1 first; zero beyond a channel's own order."""

    intercept: Float[np.ndarray, " target"]
    weights: Float[np.ndarray, "target order"]

    @classmethod
    def fit(
        cls, train: Sequence[Float[np.ndarray, "_ target"]], *, largest_order: int = LARGEST_ORDER
    ) -> AutoregressiveBaseline:
        """train: the train rows of each series. A channel too short or constant gets order 0."""
        changes = [np.diff(one, axis=0) for one in train]
        num_targets = changes[0].shape[1]
        intercept = np.zeros(num_targets)
        weights = np.zeros((num_targets, largest_order))
        for channel in range(num_targets):
            own = [one[:, channel] for one in changes]
            fitted = _best_order(own, largest_order)
            intercept[channel] = fitted[0]
            weights[channel, : len(fitted) - 1] = fitted[1:]
        return cls(intercept, weights)

    def forecast(
        self, past: Float[np.ndarray, "window lookback target"], horizon: int
    ) -> Float[np.ndarray, "window horizon target"]:
        """Values at the next ``horizon`` rows. A past shorter than the order counts the missing
        changes as zero."""
        order = self.weights.shape[1]
        num_windows, _, num_targets = past.shape
        recent = np.zeros((num_windows, order, num_targets))  # newest change first
        known = np.diff(past, axis=1)[:, ::-1][:, :order]
        recent[:, : known.shape[1]] = known
        level = past[:, -1].astype(float)
        out = np.empty((num_windows, horizon, num_targets))
        for step in range(horizon):
            change = self.intercept + np.einsum("wot,to->wt", recent, self.weights)
            recent = np.concatenate([change[:, None], recent[:, :-1]], axis=1)
            level = level + change
            out[:, step] = level
        return out

    def to_dict(self) -> dict[str, Any]:
        return {"intercept": self.intercept.tolist(), "weights": self.weights.tolist()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> AutoregressiveBaseline:
        return cls(np.array(content["intercept"]), np.array(content["weights"]))


def _best_order(changes: Sequence[Float[np.ndarray, " _"]], largest: int) -> np.ndarray:
    """Intercept and coefficients of the order with the smallest BIC; all orders are judged on
    the same rows, those that the largest one can use."""
    rows = [_lagged(one, largest) for one in changes if len(one) > largest]
    if not rows or sum(len(goal) for _, goal in rows) < 3 * (largest + 1):
        return np.zeros(1)
    inputs = np.concatenate([past for past, _ in rows])
    goals = np.concatenate([goal for _, goal in rows])
    best, best_bic = np.zeros(1), np.inf
    for order in range(largest + 1):
        design = np.column_stack([np.ones(len(goals)), inputs[:, :order]])
        fitted, *_ = np.linalg.lstsq(design, goals, rcond=None)
        error = np.mean((goals - design @ fitted) ** 2)
        if error <= 1e-24:  # exact: a longer one can only fit rounding
            return fitted
        bic = len(goals) * np.log(error) + (order + 1) * np.log(len(goals))
        if bic < best_bic:
            best, best_bic = fitted, bic
    return best


def _lagged(changes: Float[np.ndarray, " _"], order: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the ``order`` changes before each change, newest first, and that change."""
    windows = np.lib.stride_tricks.sliding_window_view(changes, order + 1)
    return windows[:, :-1][:, ::-1], windows[:, -1]
