"""Acting and learning of a Q network from replay, each one compiled call.

``objectives/action_values.py`` says the same loss in PyTorch, with autograd.
"""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.perceptron_numba import adam, backward, clip, forward
from shinso.nn.kernels.sum_tree_numba import find, set_priority

SMALLEST_PRIORITY = 1e-6
LOSS, VALUE, ERROR, NORM = range(4)


@kernel
def values(vector, sizes, kind, dueling, x, layers):  # pragma: no cover
    """Q of every action; ``layers`` keeps the outputs of all layers."""
    found = forward(vector, sizes, kind, x, layers)
    if not dueling:
        return found
    rows, actions = found.shape[0], found.shape[1] - 1
    q = np.empty((rows, actions), np.float32)
    for row in range(rows):
        mean = found[row, 1:].sum() / actions
        for k in range(actions):
            q[row, k] = found[row, 0] + found[row, 1 + k] - mean
    return q


@kernel
def act(vector, sizes, kind, dueling, x, noise, epsilon, actions):  # pragma: no cover
    """ε-greedy. noise: (rows, 2) uniform numbers, whether to explore and with which action."""
    layers = np.empty(x.shape[0] * sizes[1:].sum(), np.float32)
    q = values(vector, sizes, kind, dueling, x, layers)
    for row in range(x.shape[0]):
        if noise[row, 0] < epsilon:
            actions[row, 0] = int(noise[row, 1] * q.shape[1])
        else:
            actions[row, 0] = np.argmax(q[row])


@kernel
def several_steps(i, n_step, gamma, rewards, terminated, ended, newest, stride):  # pragma: no cover
    """Σ γᵏ r over at most ``n_step`` steps, the discount of what follows, and the last step.

    Stops at the end of an episode and at the newest step; the sum is shorter there, not wrong.
    """
    total, discount = 0.0, 1.0
    for count in range(n_step):
        total += discount * rewards[i]
        discount *= gamma
        if terminated[i]:
            return total, 0.0, i
        if ended[i] or i // stride == newest or count == n_step - 1:
            break
        i = (i + stride) % len(rewards)
    return total, discount, i


@kernel
def gradient_of(
    vector, gradient, target, sizes, kind, dueling, double, x, actions, rewards, discounts, following,
    weights, errors, totals,
):  # fmt: skip  # pragma: no cover
    """The gradient of the mean Huber loss of Q(s,a) − (r + γ max Q⁻(s′,·)) on one batch.

    errors: receives Q − target of every row.
    """
    rows = x.shape[0]
    layers = np.empty(rows * sizes[1:].sum(), np.float32)
    after = values(target, sizes, kind, dueling, following, layers)
    chooser = after
    if double:
        chooser = values(vector, sizes, kind, dueling, following, layers.copy())
    goals = np.empty(rows)
    for row in range(rows):
        goals[row] = rewards[row] + discounts[row] * after[row, np.argmax(chooser[row])]
    kept = np.empty(rows * sizes[1:].sum(), np.float32)
    q = values(vector, sizes, kind, dueling, x, kept)
    wrong = np.zeros((rows, sizes[-1]), np.float32)
    loss = 0.0
    for row in range(rows):
        error = q[row, actions[row]] - goals[row]
        errors[row] = error
        size = abs(error)
        loss += weights[row] * (0.5 * error * error if size < 1 else size - 0.5)
        push = weights[row] * min(max(error, -1.0), 1.0) / rows
        if dueling:
            wrong[row, 0] = push
            for k in range(q.shape[1]):
                wrong[row, 1 + k] = push * ((k == actions[row]) - 1.0 / q.shape[1])
        else:
            wrong[row, actions[row]] = push
        totals[VALUE] += q[row, actions[row]] / rows
        totals[ERROR] += size / rows
    backward(vector, sizes, kind, x, kept, wrong, gradient)
    totals[LOSS] += loss / rows


@kernel
def learn(
    vector, gradient, first, second, updates, target, sizes, kind, dueling, double, seen, actions,
    rewards, successors, terminated, ended, stored, newest, stride, tree, noise, gamma, n_step, priority,
    correction, lr, largest_norm,
):  # fmt: skip  # pragma: no cover
    """noise.shape[0] updates on batches of noise.shape[1] steps drawn from the memory.

    tree: priorities, or empty for uniform draws. correction: exponent β of the weights that undo
    the bias of priorities. Returns means of what happened, by the names above.
    """
    count, batch = noise.shape
    totals = np.zeros(4)
    rows = np.empty(batch, np.int64)
    sums, discounts, weights, errors = (
        np.empty(batch),
        np.empty(batch),
        np.ones(batch),
        np.empty(batch),
    )
    x = np.empty((batch, seen.shape[1]), np.float32)
    following = np.empty((batch, seen.shape[1]), np.float32)
    for turn in range(count):
        for b in range(batch):
            if len(tree):
                rows[b] = min(find(tree, (b + noise[turn, b]) / batch * tree[1]), stored - 1)
                chance = tree[len(tree) // 2 + rows[b]] / tree[1]
                weights[b] = (stored * max(chance, 1e-12)) ** -correction
            else:
                rows[b] = int(noise[turn, b] * stored)
            sums[b], discounts[b], last = several_steps(
                rows[b], n_step, gamma, rewards, terminated, ended, newest, stride
            )
            x[b] = seen[rows[b]]
            following[b] = successors[last]
        if len(tree):
            weights /= weights.max()
        gradient_of(
            vector, gradient, target, sizes, kind, dueling, double, x, actions[rows], sums, discounts,
            following, weights, errors, totals,
        )  # fmt: skip
        if len(tree):
            for b in range(batch):
                set_priority(tree, rows[b], (abs(errors[b]) + SMALLEST_PRIORITY) ** priority)
        totals[NORM] += clip(gradient, largest_norm)
        adam(vector, gradient, first, second, updates + turn + 1, lr, 0.9, 0.999, 1e-8)
    return totals / count
