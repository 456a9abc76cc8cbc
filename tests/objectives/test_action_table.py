"""Tables: what each method learns, against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.claims.acting_worlds import TableAgent, policy_values, random_world
from shinso.experience.transition_table import TransitionTable
from shinso.experience.worlds import World
from shinso.models.action_table import LearntTable, PlannedTable
from shinso.nn.kernels.features_numba import features
from shinso.objectives import action_table_numba as kernels
from shinso.objectives import linear_values_numba as linear
from shinso.recipes.agents.tables import Planner, TableLearner

GAMMA = 0.9


def learn(q, state, action, reward, after, *, terminated=False, ended=False, **more):
    """One step of a fresh memory."""
    given = {"method": 0, "exploration": 0, "epsilon": 0.2, "temperature": 1.0, "gamma": 0.5,
             "alpha": 0.5, "power": 0.0, "horizon": 0.0, "n_step": 1, "trace": 0.0,
             "next_action": 1, **more}  # fmt: skip
    position = np.zeros(5, np.int64)
    position[0] = state
    kernels.learn_step(
        q, np.zeros(q.shape, np.int64), np.zeros(q.shape), np.zeros((1, 2), np.int64), np.zeros(1),
        position, action, reward, after, given["next_action"], terminated, ended or terminated,
        given["method"], given["exploration"], given["epsilon"], given["temperature"], given["gamma"],
        given["alpha"], given["power"], given["horizon"], given["n_step"], given["trace"],
    )  # fmt: skip
    return q[state, action]


@pytest.mark.parametrize(
    ("method", "worth"), [(0, 8.0), (1, 2.0), (2, 0.2 * 5.0 + 0.8 * 8.0)]
)  # fmt: skip
def test_targets_are_those_of_the_book(method, worth):
    q = np.array([[0.0, 0.0], [8.0, 2.0]])
    assert learn(q, 0, 0, 1.0, 1, method=method) == pytest.approx(0.5 * (1 + 0.5 * worth))


def test_termination_has_no_future_and_a_time_limit_has():
    q = np.array([[0.0, 0.0], [8.0, 2.0]])
    assert learn(q.copy(), 0, 0, 1.0, 1, terminated=True) == 0.5
    assert learn(q.copy(), 0, 0, 1.0, 1, ended=True) == 0.5 * (1 + 4)


def test_q_learning_matches_value_iteration_whatever_it_does():
    world = random_world(1, 12, 3, 2)
    agent = TableAgent(world, 0, epsilon=1.0, alpha=1.0, alpha_power=1.0, alpha_horizon=10.0)
    agent.live(1_000_000)
    where = world.reachable()
    np.testing.assert_allclose(agent.q[where], world.optimal(GAMMA)[where], atol=0.12)


@pytest.mark.parametrize("method", ["sarsa", "expected-sarsa"])
def test_sarsa_matches_the_values_of_its_own_policy(method):
    world = random_world(2, 12, 3, 2)
    agent = TableAgent(
        world, 0, method=method, epsilon=1.0, alpha=1.0, alpha_power=1.0, alpha_horizon=10.0
    )
    agent.live(1_000_000)
    uniform = np.full((12, 3), 1 / 3)
    values = policy_values(world, uniform, GAMMA)
    where = world.reachable()
    np.testing.assert_allclose(
        agent.q[where], world.action_values(values, GAMMA)[where], atol=0.12
    )  # fmt: skip


def test_boltzmann_ucb_and_greedy_choose_as_they_should():
    q = np.array([[0.0, 1.0, 1.0]])
    visits = np.array([[5, 5, 5]])
    chance = np.array([1], np.uint64)

    def shares(exploration, epsilon=0.0, temperature=1.0, bonus=1.0, n=6000):
        found = [
            kernels.choose(q, visits, 0, exploration, epsilon, temperature, bonus, chance)
            for _draw in range(n)
        ]
        return np.bincount(found, minlength=3) / n

    np.testing.assert_allclose(shares(kernels.EPSILON), [0, 0.5, 0.5], atol=0.03)
    np.testing.assert_allclose(shares(kernels.EPSILON, epsilon=0.6), [0.2, 0.4, 0.4], atol=0.03)
    weights = np.exp(q[0] / 0.5)
    np.testing.assert_allclose(
        shares(kernels.BOLTZMANN, temperature=0.5), weights / weights.sum(), atol=0.03
    )
    visits[0] = [1, 500, 500]
    assert shares(kernels.UCB, bonus=1.0, n=5)[0] == 1.0  # √(ln 1001 / 1) > 1 + √(ln 1001 / 500)
    visits[0] = [5, 0, 5]
    assert shares(kernels.UCB, n=5)[1] == 1.0


def test_uniform_numbers_are_uniform():
    chance = np.array([3], np.uint64)
    found = np.array([kernels.uniform(chance) for _draw in range(20_000)])
    counts = np.histogram(found, bins=10, range=(0, 1))[0]
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # χ² of 9 degrees beyond 99.9 %
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.03


def chain(length: int) -> TransitionTable:
    """One way, one action; the last step pays 1."""
    shape = (length, 1, 1)
    last = np.arange(length).reshape(shape) == length - 1
    following = np.minimum(np.arange(length) + 1, length - 1).reshape(shape)
    start = np.eye(length)[0]
    return TransitionTable(np.ones(shape), following, last.astype(float), last, start, 0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"n_step": 1}, [0, 0, 0, 0, 1]),
        ({"n_step": 3}, [0, 0, 0.25, 0.5, 1]),
        ({"n_step": 9}, [0.0625, 0.125, 0.25, 0.5, 1]),
        ({"trace": 1.0}, [0.0625, 0.125, 0.25, 0.5, 1]),
        ({"trace": 0.5}, [1 / 256, 1 / 64, 1 / 16, 1 / 4, 1]),
    ],
)
@pytest.mark.parametrize("method", ["q-learning", "sarsa", "expected-sarsa"])
def test_several_steps_and_traces_match_their_returns_in_a_chain(method, settings, expected):
    """One episode with α = 1 and γ = ½, so that every number is a power of two."""
    config = LearntTable.Config(method=method, alpha=1.0, **settings)
    model = LearntTable(config, num_states=5, num_actions=1)
    world = World(np.zeros(5, np.int64), np.array([1], np.uint64), 5, chain(5), None)
    scalars = TableLearner(model, 0.5, 5).step(world)
    assert scalars["training_return"] == 1.0
    assert model.get_buffer("q")[:, 0].tolist() == expected


def test_planners_match_the_optimum_from_anywhere():
    world = random_world(3, 15, 3, 2)
    for method in ("value-iteration", "policy-iteration"):
        model = PlannedTable(PlannedTable.Config(method=method), num_states=15, num_actions=3)
        planner = Planner(model, world, GAMMA)
        for _step in range(400 if method == "value-iteration" else 20):
            planner.step(None)
        np.testing.assert_allclose(planner.q, world.optimal(GAMMA), atol=1e-9)


def test_tiles_are_shared_by_neighbours_only():
    def places(x):
        found, values = np.empty(8, np.int64), np.empty(8)
        features(np.array(x), np.zeros(2), np.ones(2), 4, 1 << 40, np.zeros((0, 2)), found, values)
        assert values.tolist() == [1.0] * 8
        return set(found.tolist())

    here = places([0.4, 0.4])
    assert len(here) == 8
    assert here == places([0.4 + 1e-6, 0.4])
    assert 0 < len(here & places([0.5, 0.4])) < 8
    assert not here & places([0.9, 0.9])
    assert places([-5.0, 0.0]) == places([0.0, 0.0])


def test_fourier_features_match_their_formula():
    frequencies = np.array([[0.0, 0.0], [1.0, 2.0]])
    found, values = np.empty(2, np.int64), np.empty(2)
    features(
        np.array([3.0, 1.0]),
        np.array([2.0, 0.0]),
        np.array([4.0, 4.0]),
        1,
        1,
        frequencies,
        found,
        values,
    )
    np.testing.assert_allclose(values, [1.0, np.cos(np.pi * (0.25 + 2 * 0.25))], atol=1e-12)


def test_linear_step_follows_the_error():
    weights = np.array([[1.0, 2.0], [0.0, 5.0]])
    places, values = np.array([0, 1]), np.array([1.0, 0.5])
    q = np.empty(2)
    linear.values_of(weights, places, values, q)
    assert q.tolist() == [2.0, 2.5]
    after = np.array([4.0, 6.0])
    error = linear.learn_step(
        weights, np.zeros((1, 1)), np.array([0.1, 0.2]), places, values, 0, 1.0, q, after, 0, False,
        False, linear.SARSA, 0.0, 0.5, 0.0,
    )  # fmt: skip
    assert error == 1.0 + 0.5 * 4.0 - 2.0
    np.testing.assert_allclose(weights, [[1.1, 2.1], [0.0, 5.0]])


@pytest.mark.parametrize("method", [linear.Q_LEARNING, linear.SARSA, linear.EXPECTED_SARSA])
def test_linear_traces_match_a_plain_loop_over_all_weights(method):
    """Sutton & Barto 2018, section 12.7, on dense feature vectors: replacing traces that an action
    taken in the same place clears for the others, cut by an end and by Watkins's exploring action."""
    rng = np.random.default_rng(method)
    actions, size, gamma, trace, epsilon = 3, 12, 0.9, 0.8, 0.3
    weights = rng.normal(size=(actions, size))
    step_sizes, traces = rng.uniform(0.05, 0.2, size), np.zeros((actions, size))
    w, z = [row.tolist() for row in weights], [[0.0] * size for _action in range(actions)]
    cut = 0
    for turn in range(30):
        places = rng.choice(size, 4, replace=False)
        values, action, reward = rng.uniform(0.5, 1, 4), int(rng.integers(actions)), rng.normal()
        q, after = np.empty(actions), rng.normal(size=actions)
        linear.values_of(weights, places, values, q)
        terminated, ended = turn % 11 == 10, turn % 11 == 10 or turn % 7 == 6
        following = int(after.argmax() if turn % 3 else rng.integers(actions))
        error = linear.learn_step(
            weights, traces, step_sizes, places, values, action, reward, q, after, following,
            terminated, ended, method, epsilon, gamma, trace,
        )  # fmt: skip

        x = [0.0] * size
        for place, value in zip(places, values, strict=True):
            x[place] = value
        later = {
            linear.Q_LEARNING: max(after),
            linear.SARSA: after[following],
            linear.EXPECTED_SARSA: epsilon * sum(after) / actions + (1 - epsilon) * max(after),
        }[method]
        delta = reward + (0 if terminated else gamma * later)
        delta -= sum(a * b for a, b in zip(w[action], x, strict=True))
        explores = method == linear.Q_LEARNING and after[following] < max(after)
        cut += explores
        for k in range(actions):
            for i in range(size):
                if x[i]:
                    z[k][i] = x[i] if k == action else 0.0
                w[k][i] += step_sizes[i] * delta * z[k][i]
                z[k][i] *= 0.0 if ended or explores else gamma * trace
        assert error == pytest.approx(abs(delta))
        np.testing.assert_allclose(weights, w, rtol=1e-9)
        np.testing.assert_allclose(traces, z, rtol=1e-9)
    assert (cut > 0) == (method == linear.Q_LEARNING)
