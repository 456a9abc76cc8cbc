"""Semi-gradient learning of action values that are linear in features, with traces."""

from shinso.nn.kernels.compile_numba import kernel

Q_LEARNING, SARSA, EXPECTED_SARSA = range(3)


@kernel
def values_of(weights, places, values, q):  # pragma: no cover
    """Q(s, ·) of the features that are on."""
    for k in range(weights.shape[0]):
        total = 0.0
        for i in range(len(places)):
            total += weights[k, places[i]] * values[i]
        q[k] = total


@kernel
def learn_step(
    weights, traces, step_sizes, places, values, action, reward, q, q_after, next_action, terminated,
    ended, method, epsilon, gamma, trace,
):  # fmt: skip  # pragma: no cover
    """w += α δ z, z the decaying trace of features (Sutton & Barto 2018, sections 10.1 and 12.7).

    q, q_after: Q(s,·) and Q(s′,·) before the update. Traces are replaced, not summed; those of
    Q-learning end with an exploring action. Returns |δ|.
    """
    later = 0.0
    if not terminated:
        if method == Q_LEARNING:
            later = q_after.max()
        elif method == EXPECTED_SARSA:
            later = epsilon * q_after.mean() + (1 - epsilon) * q_after.max()
        else:
            later = q_after[next_action]
    error = reward + gamma * later - q[action]
    if trace == 0:
        for i in range(len(places)):
            weights[action, places[i]] += step_sizes[places[i]] * error * values[i]
        return abs(error)
    for i in range(len(places)):
        for k in range(weights.shape[0]):
            traces[k, places[i]] = 0.0
        traces[action, places[i]] = values[i]
    keep = gamma * trace
    if ended or (method == Q_LEARNING and q_after[next_action] < q_after.max()):
        keep = 0.0
    for k in range(weights.shape[0]):
        for i in range(weights.shape[1]):
            weights[k, i] += step_sizes[i] * error * traces[k, i]
            traces[k, i] *= keep
    return abs(error)
