"""Tables: what each method learns, against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.claims.acting_worlds import TableAgent, policy_values, random_world
from shinso.objectives import action_table_numba as kernels

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
