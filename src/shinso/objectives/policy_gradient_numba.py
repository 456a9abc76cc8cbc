"""Acting and learning of an actor–critic, each one compiled call.

The vector of parameters: policy, value network, then the logarithms of the standard deviations of
continuous actions. ``objectives/policy_gradient.py`` says the same in PyTorch, with autograd.
"""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.perceptron_numba import adam, backward, clip, forward

HALF_LOG_2PI = 0.9189385332046727
POLICY_LOSS, VALUE_LOSS, ENTROPY, CLIPPED, KL, NORM, LOSS = range(7)


@kernel
def act(
    vector, ends, policy, value, kind, x, noise, actions, log_p, values, continuous
):  # pragma: no cover
    """Draw an action for each row of x; write it, its log-probability (nats) and V.

    noise: uniform numbers (rows, 1) for discrete actions, normal ones (rows, action) else.
    actions: (rows, 1) numbers of actions, or (rows, action), not yet clipped to their bounds.
    """
    rows, outputs = x.shape[0], policy[-1]
    layers = np.empty(rows * policy[1:].sum(), np.float32)
    found = forward(vector[: ends[0]], policy, kind, x, layers)
    for row in range(rows):
        line = found[row]
        if continuous:
            total = 0.0
            for k in range(outputs):
                log_std = vector[ends[1] + k]
                actions[row, k] = line[k] + np.exp(log_std) * noise[row, k]
                total -= 0.5 * noise[row, k] ** 2 + log_std + HALF_LOG_2PI
            log_p[row] = total
        else:
            largest, total = line.max(), 0.0
            for k in range(outputs):
                total += np.exp(line[k] - largest)
            rest, chosen = noise[row, 0] * total, outputs - 1
            for k in range(outputs):
                rest -= np.exp(line[k] - largest)
                if rest < 0:
                    chosen = k
                    break
            actions[row, 0] = chosen
            log_p[row] = line[chosen] - largest - np.log(total)
    value_of(vector, ends, value, kind, x, values)


@kernel
def value_of(vector, ends, value, kind, x, values):  # pragma: no cover
    """V(s) of each row."""
    layers = np.empty(x.shape[0] * value[1:].sum(), np.float32)
    values[:] = forward(vector[ends[0] : ends[1]], value, kind, x, layers)[:, 0]


@kernel
def gradient_of(
    vector, gradient, ends, policy, value, kind, x, actions, old_log_p, advantage, returns,
    epsilon, value_weight, entropy_weight, continuous, totals,
):  # fmt: skip  # pragma: no cover
    """The gradient of PPO's loss on one batch (Schulman et al. 2017, eq. 9); adds to ``totals``.

    loss = −mean min(ρA, clip(ρ, 1−ε, 1+ε)A) + c₁ mean (V − R)² − c₂ mean H, ρ = π/π_old. With one
    pass over the data ρ = 1, and the gradient is that of A2C and REINFORCE.
    """
    rows, outputs = x.shape[0], policy[-1]
    layers = np.empty(rows * policy[1:].sum(), np.float32)
    found = forward(vector[: ends[0]], policy, kind, x, layers)
    error = np.zeros((rows, outputs), np.float32)
    if continuous:
        gradient[ends[1] :] = 0
    policy_loss, entropy, clipped, kl = 0.0, 0.0, 0.0, 0.0
    for row in range(rows):
        line, wrong = found[row], error[row]
        if continuous:
            log_p, h = 0.0, 0.0
            for k in range(outputs):
                log_std = vector[ends[1] + k]
                z = (actions[row, k] - line[k]) * np.exp(-log_std)
                log_p -= 0.5 * z * z + log_std + HALF_LOG_2PI
                h += log_std + HALF_LOG_2PI + 0.5
        else:
            largest, total = line.max(), 0.0
            for k in range(outputs):
                total += np.exp(line[k] - largest)
            log_total = largest + np.log(total)
            log_p, h = line[int(actions[row, 0])] - log_total, 0.0
            for k in range(outputs):
                h -= np.exp(line[k] - log_total) * (line[k] - log_total)
        a = advantage[row]
        change = log_p - old_log_p[row]
        ratio = np.exp(change)
        bounded = min(max(ratio, 1 - epsilon), 1 + epsilon)
        policy_loss -= min(ratio * a, bounded * a)
        clipped += abs(ratio - 1) > epsilon
        kl += ratio - 1 - change
        entropy += h
        push = -ratio * a if ratio * a <= bounded * a else 0.0
        if continuous:
            for k in range(outputs):
                std = np.exp(vector[ends[1] + k])
                z = (actions[row, k] - line[k]) / std
                wrong[k] = push * z / std / rows
                gradient[ends[1] + k] += (push * (z * z - 1) - entropy_weight) / rows
        else:
            chosen = int(actions[row, 0])
            for k in range(outputs):
                log_k = line[k] - log_total
                p = np.exp(log_k)
                wrong[k] = (push * ((k == chosen) - p) + entropy_weight * p * (log_k + h)) / rows
    backward(vector[: ends[0]], policy, kind, x, layers, error, gradient[: ends[0]])
    of_value = np.empty(rows * value[1:].sum(), np.float32)
    judged = forward(vector[ends[0] : ends[1]], value, kind, x, of_value)
    value_loss = 0.0
    wrong_value = np.empty((rows, 1), np.float32)
    for row in range(rows):
        miss = judged[row, 0] - returns[row]
        value_loss += miss * miss
        wrong_value[row, 0] = 2 * value_weight * miss / rows
    backward(
        vector[ends[0] : ends[1]], value, kind, x, of_value, wrong_value,
        gradient[ends[0] : ends[1]],
    )  # fmt: skip
    totals[POLICY_LOSS] += policy_loss / rows
    totals[VALUE_LOSS] += value_loss / rows
    totals[ENTROPY] += entropy / rows
    totals[CLIPPED] += clipped / rows
    totals[KL] += kl / rows
    totals[LOSS] += (
        policy_loss + value_weight * value_loss - entropy_weight * entropy
    ) / rows  # fmt: skip


@kernel
def learn(
    vector, gradient, first, second, updates, ends, policy, value, kind, x, actions, old_log_p,
    advantage, returns, orders, batch, lr, adam_epsilon, epsilon, value_weight, entropy_weight,
    largest_norm, scale_advantages, continuous,
):  # fmt: skip  # pragma: no cover
    """All updates on one rollout. orders: (passes, samples), the order of each pass.

    Returns the number of updates taken and the means of what happened, by the names above.
    """
    totals, samples, taken = np.zeros(7), x.shape[0], 0
    for turn in range(orders.shape[0]):
        for begin in range(0, samples, batch):
            rows = orders[turn, begin : begin + batch]
            part_x, part_actions = x[rows], actions[rows]
            part_advantage = advantage[rows]
            if scale_advantages and len(rows) > 1:
                mean = part_advantage.mean()
                deviation = np.sqrt(((part_advantage - mean) ** 2).sum() / (len(rows) - 1))
                part_advantage = (part_advantage - mean) / (deviation + 1e-8)
            gradient_of(
                vector, gradient, ends, policy, value, kind, part_x, part_actions, old_log_p[rows],
                part_advantage, returns[rows], epsilon, value_weight, entropy_weight, continuous,
                totals,
            )  # fmt: skip
            totals[NORM] += clip(gradient, largest_norm)
            taken += 1
            adam(vector, gradient, first, second, updates + taken, lr, 0.9, 0.999, adam_epsilon)
    return taken, totals / taken
