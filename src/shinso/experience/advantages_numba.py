"""Generalized advantage estimation over a rollout."""

from shinso.nn.kernels.compile_numba import kernel


@kernel
def advantages(rewards, values, next_values, ended, gamma, lam, found):  # pragma: no cover
    """Generalized advantage estimation (Schulman et al. 2016, eq. 16); all (time, environment).

    next_values: V of the true successor, 0 where the episode terminated. ended: terminated or cut
    off; the sum ends there, but what a cut-off episode would still have brought is in next_values.
    """
    for place in range(rewards.shape[1]):
        last = 0.0
        for t in range(rewards.shape[0] - 1, -1, -1):
            error = rewards[t, place] + gamma * next_values[t, place] - values[t, place]
            if ended[t, place]:
                last = 0.0
            last = error + gamma * lam * last
            found[t, place] = last
