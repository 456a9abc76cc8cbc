"""Learning a table of action values step by step, compiled; and the same in a simulated world.

Targets of Q(s,a) after r, s′ (Sutton & Barto 2018): Q-learning r + γ max Q(s′,·) (eq. 6.8); SARSA
r + γ Q(s′,a′) (eq. 6.7); expected SARSA r + γ Σ π(a|s′) Q(s′,a) (eq. 6.9). With several steps, the
rewards of n steps come first (eq. 7.4; Differs: without correction for actions off the policy). With
traces, each error moves all actions taken lately, decaying by γλ (section 12.7; Q-learning's traces
end with an exploring action, as Watkins's do).

Differs: the next action is drawn before the values are updated, for Q-learning too.
"""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel

Q_LEARNING, SARSA, EXPECTED_SARSA = range(3)
EPSILON, BOLTZMANN, UCB = range(3)
STATE, AGE, ACTION, FILLED, BEGUN = range(5)  # of the integers in ``position``
GOLDEN, MIX_1, MIX_2 = (
    np.uint64(v) for v in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
SHIFTS = tuple(np.uint64(v) for v in (30, 27, 31, 11))
UNIT = 1.0 / (1 << 53)


@kernel
def uniform(chance):  # pragma: no cover
    """A number from 0 up to below 1; ``chance`` holds the state of splitmix64."""
    chance[0] += GOLDEN
    z = chance[0]
    z = (z ^ (z >> SHIFTS[0])) * MIX_1
    z = (z ^ (z >> SHIFTS[1])) * MIX_2
    z = z ^ (z >> SHIFTS[2])
    return (z >> SHIFTS[3]) * UNIT


@kernel
def best_of(row, chance):  # pragma: no cover
    """The action of the highest value, each of equal ones equally often."""
    best, found, ties = row[0], 0, 1
    for k in range(1, len(row)):
        if row[k] > best:
            best, found, ties = row[k], k, 1
        elif row[k] == best:
            ties += 1
            if uniform(chance) * ties < 1:
                found = k
    return found


@kernel
def choose(q, visits, state, exploration, epsilon, temperature, bonus, chance):  # pragma: no cover
    """An action for ``state``: ε-greedy, Boltzmann exp(Q/τ), or UCB Q + c √(ln N(s) / n(s,a))."""
    row, actions = q[state], q.shape[1]
    if exploration == EPSILON:
        if uniform(chance) < epsilon:
            return int(uniform(chance) * actions)
        return best_of(row, chance)
    if exploration == BOLTZMANN:
        largest, total = row.max(), 0.0
        for k in range(actions):
            total += np.exp((row[k] - largest) / temperature)
        rest = uniform(chance) * total
        for k in range(actions):
            rest -= np.exp((row[k] - largest) / temperature)
            if rest < 0:
                return k
        return actions - 1
    all_visits = visits[state].sum()
    judged = np.empty(actions)
    for k in range(actions):
        if visits[state, k] == 0:
            judged[k] = np.inf
        else:
            judged[k] = row[k] + bonus * np.sqrt(np.log(all_visits) / visits[state, k])
    return best_of(judged, chance)


@kernel
def worth(q, state, action, method, exploration, epsilon, temperature):  # pragma: no cover
    """What a method thinks that ``state`` is worth, ``action`` being the next one there."""
    row = q[state]
    if method == Q_LEARNING:
        return row.max()
    if method == EXPECTED_SARSA and exploration == EPSILON:
        return epsilon * row.mean() + (1 - epsilon) * row.max()
    if method == EXPECTED_SARSA and exploration == BOLTZMANN:
        weights = np.exp((row - row.max()) / temperature)
        return (weights * row).sum() / weights.sum()
    return row[action]  # SARSA; and UCB, whose policy is one action


@kernel
def step_size(visits, alpha, power, horizon):  # pragma: no cover
    """α ((h + 1) / (h + n))^power at the n-th visit; with h near the horizon and power 1 that of Jin et
    al. 2018, arXiv:1807.03765, under which early targets are forgotten in time."""
    if power == 0:
        return alpha
    share = (horizon + 1.0) / (horizon + visits)
    return alpha * (share if power == 1 else share**power)


@kernel
def move(q, visits, state, action, goal, alpha, power, horizon):  # pragma: no cover
    """Q(s,a) += α (goal − Q(s,a)); the size of the error."""
    error = goal - q[state, action]
    q[state, action] += step_size(visits[state, action], alpha, power, horizon) * error
    return abs(error)


@kernel
def learn_step(
    q, visits, traces, memory, rewards, position, action, reward, after, next_action, terminated, ended,
    method, exploration, epsilon, temperature, gamma, alpha, power, horizon, n_step, trace,
):  # fmt: skip  # pragma: no cover
    """Learn from one step out of position[STATE]; the size of the errors."""
    state = position[STATE]
    visits[state, action] += 1
    later = 0.0
    if not terminated:
        later = worth(q, after, next_action, method, exploration, epsilon, temperature)
    if trace > 0:
        error = reward + gamma * later - q[state, action]
        step = step_size(visits[state, action], alpha, power, horizon)
        traces[state, action] = 1.0
        greedy = method != Q_LEARNING or (not ended and q[after, next_action] == q[after].max())
        keep = gamma * trace if greedy and not ended else 0.0
        for s in range(q.shape[0]):
            for k in range(q.shape[1]):
                if traces[s, k] != 0:
                    q[s, k] += step * error * traces[s, k]
                    traces[s, k] = traces[s, k] * keep if traces[s, k] * keep > 1e-8 else 0.0
        return abs(error)
    if n_step == 1:
        return move(q, visits, state, action, reward + gamma * later, alpha, power, horizon)
    filled = position[FILLED]
    memory[filled, 0], memory[filled, 1], rewards[filled] = state, action, reward
    filled += 1
    errors = 0.0
    while filled and (filled == n_step or ended):
        goal = later
        for k in range(filled - 1, -1, -1):
            goal = rewards[k] + gamma * goal
        errors += move(q, visits, memory[0, 0], memory[0, 1], goal, alpha, power, horizon)
        for k in range(1, filled):
            memory[k - 1], rewards[k - 1] = memory[k], rewards[k]
        filled -= 1
    position[FILLED] = filled
    return errors


@kernel
def _go_on(position, totals, finished, reward, after, next_action, ended):  # pragma: no cover
    """Count the reward, and stand where the step led; at an episode's end, close its account."""
    totals[1] += reward
    position[STATE], position[ACTION] = after, next_action
    if ended:
        position[BEGUN] = 0
        totals[2] += totals[1]
        totals[1] = 0.0
        finished[0] += 1


@kernel
def live_step(
    q, visits, traces, memory, rewards, position, chance, rule, totals, finished, reward, after,
    terminated, ended, epsilon,
):  # fmt: skip  # pragma: no cover
    """Learn from one step that an environment took, and choose the next: the action in ``after``.

    rule: [method, exploration, temperature, bonus, gamma, alpha, power, horizon, n_step, trace] as
    one array, because each argument costs a call its time. totals, finished: as in ``simulate``.
    """
    method, exploration, temperature = int(rule[0]), int(rule[1]), rule[2]
    next_action = 0
    if not terminated:
        next_action = choose(q, visits, after, exploration, epsilon, temperature, rule[3], chance)
    totals[0] += learn_step(
        q, visits, traces, memory, rewards, position, position[ACTION], reward, after, next_action,
        terminated, ended, method, exploration, epsilon, temperature, rule[4], rule[5], rule[6],
        rule[7], int(rule[8]), rule[9],
    )  # fmt: skip
    _go_on(position, totals, finished, reward, after, next_action, ended)
    return next_action


@kernel
def draw(cumulative, chance):  # pragma: no cover
    """An index by its cumulative probabilities."""
    number = uniform(chance)
    for k in range(len(cumulative) - 1):
        if number < cumulative[k]:
            return k
    return len(cumulative) - 1


@kernel
def simulate(
    q, visits, traces, memory, rewards, position, chance, cumulative, following, reward_of, ends, start,
    limit, steps, done, method, exploration, start_epsilon, end_epsilon, falling, temperature, bonus,
    gamma, alpha, power, horizon, n_step, trace, totals, finished,
):  # fmt: skip  # pragma: no cover
    """Act and learn for ``steps`` steps in a world whose transitions are known.

    cumulative, following, reward_of, ends: (state, action, outcome). done: steps taken before.
    falling: steps over which ε falls. totals: [sum of errors, return so far, sum of the returns of
    ended episodes]; finished: their number.
    """
    for number in range(steps):
        share = min((done + number) / falling, 1.0) if falling > 0 else 1.0
        epsilon = start_epsilon + (end_epsilon - start_epsilon) * share
        if not position[BEGUN]:
            position[STATE], position[AGE], position[BEGUN] = draw(start, chance), 0, 1
            position[ACTION] = choose(
                q, visits, position[STATE], exploration, epsilon, temperature, bonus, chance
            )
        state, action = position[STATE], position[ACTION]
        outcome = draw(cumulative[state, action], chance)
        after, reward = following[state, action, outcome], reward_of[state, action, outcome]
        terminated = ends[state, action, outcome]
        position[AGE] += 1
        ended = terminated or (limit > 0 and position[AGE] >= limit)
        # Where a time limit cuts the episode off, what would follow still has a value.
        next_action = 0
        if not terminated:
            next_action = choose(q, visits, after, exploration, epsilon, temperature, bonus, chance)
        totals[0] += learn_step(
            q, visits, traces, memory, rewards, position, action, reward, after, next_action,
            terminated, ended, method, exploration, epsilon, temperature, gamma, alpha, power,
            horizon, n_step, trace,
        )  # fmt: skip
        _go_on(position, totals, finished, reward, after, next_action, ended)
