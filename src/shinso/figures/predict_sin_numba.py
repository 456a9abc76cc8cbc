"""The training loop of the sine, compiled: 200,000 updates of 35 numbers, one window at a time.

The equations are those of ``predict_sin.backward``, spelled out; the tests hold the two equal.
Kept apart so that numba is imported only where a sine is trained.
"""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float

from shinso.figures.course import Weights


def train_windows(
    weights: Weights,
    windows: Float[np.ndarray, "num time"],
    targets: Float[np.ndarray, " num"],
    *,
    epochs: int,
    lr: float,
    published: bool,
    guard: float,
) -> tuple[Weights, Float[np.ndarray, " epochs"]]:
    """Gradient descent over all windows in order, ``epochs`` times.

    Returns the weights and each epoch's mean loss (d − y)²/2, measured before each update.
    ``weights`` stays as it was.
    """
    w_in, w_out, w = weights.w_in[0].copy(), weights.w_out[:, 0].copy(), weights.w.copy()
    losses = _descend(w_in, w_out, w, windows, targets, epochs, lr, published, guard)
    return Weights(w_in=w_in[None, :], w_out=w_out[:, None], w=w), losses


@no_type_check  # numba must get the plain function, not one wrapped in a check of its types
@numba.njit(cache=True)
def _descend(  # pragma: no cover
    w_in, w_out, w, windows, targets, epochs, lr, published, guard
):
    """Changes w_in, w_out (vectors) and w (matrix) in place."""
    time, hidden = windows.shape[1], w_in.shape[0]
    z = np.zeros((time + 1, hidden))
    delta = np.zeros((time + 1, hidden))  # the last row stays 0: no error comes from beyond
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        for sample in range(windows.shape[0]):
            for t in range(time):
                for k in range(hidden):
                    u = windows[sample, t] * w_in[k]
                    for j in range(hidden):
                        u += z[t, j] * w[j, k]
                    z[t + 1, k] = np.tanh(u)
            error = -targets[sample]
            for k in range(hidden):
                error += z[time, k] * w_out[k]
            losses[epoch] += 0.5 * error * error

            for t in range(time - 1, -1, -1):
                for k in range(hidden):
                    arriving = error * w_out[k] if published or t == time - 1 else 0.0
                    for j in range(hidden):
                        arriving += w[k, j] * delta[t + 1, j]
                    slope = 1.0 - z[t + 1, k] ** 2
                    if published:
                        slope /= 1.0 + guard * slope
                    delta[t, k] = arriving * slope

            for k in range(hidden):
                w_out[k] -= lr * error * z[time, k]
                for t in range(time):
                    w_in[k] -= lr * windows[sample, t] * delta[t, k]
                    before = t + 1 if published else t
                    for j in range(hidden):
                        w[j, k] -= lr * z[before, j] * delta[t, k]
    return losses / windows.shape[0]
