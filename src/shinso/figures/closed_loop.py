"""A one-step predictor judged in two ways: step by step, and run on its own predictions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How one predictor did.

    one_step_rmse: over the windows kept from training; closed_loop: its own run, from the true
    first values; closed_loop_rmse: that run against the sine. Units of the sine (amplitude 1).
    """

    one_step_rmse: float
    closed_loop: Float[np.ndarray, " predictions"]
    closed_loop_rmse: float


def fit_linear_ar(
    windows: Float[np.ndarray, "num time"], targets: Float[np.ndarray, " num"]
) -> Float[np.ndarray, " time"]:
    """Least-squares coefficients of the next value on a window, oldest value first, no constant."""
    return np.linalg.lstsq(windows, targets, rcond=None)[0]


def run_closed_loop(
    predict: Callable[[np.ndarray], np.ndarray], first: Float[np.ndarray, " time"], num: int
) -> Float[np.ndarray, " num"]:
    """``num`` predictions, each made from the values and predictions just before it."""
    values = np.concatenate([first, np.zeros(num)])
    for step in range(len(first), len(values)):
        values[step] = predict(values[None, step - len(first) : step])[0]
    return values[len(first) :]


def forecast(
    predict: Callable[[np.ndarray], np.ndarray],
    windows: Float[np.ndarray, "num time"],
    targets: Float[np.ndarray, " num"],
    values: Float[np.ndarray, " steps"],
) -> Forecast:
    """``predict`` over the windows at once, then by itself along ``values``."""
    time = windows.shape[1]
    closed_loop = run_closed_loop(predict, values[:time], len(values) - time)
    return Forecast(
        one_step_rmse=_rmse(predict(windows) - targets),
        closed_loop=closed_loop,
        closed_loop_rmse=_rmse(closed_loop - values[time:]),
    )


def _rmse(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))
