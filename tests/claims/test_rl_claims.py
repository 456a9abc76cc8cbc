"""Claims of the chapter on reinforcement learning: their rules, and the worlds that they rest on."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.claims.acting_worlds import TableAgent, bandit, policy_values, random_world
from shinso.claims.claim import Verdict
from shinso.claims.measured import number
from shinso.claims.rl import approximation, exploration, policy_gradient, q_learning, values
from tests.claims.claim_checks import check_drawing, check_texts, measured_twice, verdict_of

EVERY = {
    "rl.exploration": exploration,
    "rl.q-learning": q_learning,
    "rl.values": values,
    "rl.approximation": approximation,
    "rl.policy-gradient": policy_gradient,
}


@pytest.fixture(autouse=True)
def _short_lives(monkeypatch):
    monkeypatch.setattr(exploration, "AGENTS", 5)
    monkeypatch.setitem(q_learning.STEPS, "quick", 5000)
    monkeypatch.setitem(values.EPISODES, "quick", 50)
    monkeypatch.setitem(approximation.EPISODES, "quick", 2)
    monkeypatch.setitem(policy_gradient.EPISODES, "quick", 5000)
    monkeypatch.setattr(policy_gradient, "UPDATES", 20)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


def test_exploration_rule_asks_for_both_halves():
    def verdict(stays, finds):
        measured = [
            {"stays_share": s, "better_share_exploring": f, "better_share_alone": 0.1}
            for s, f in zip(stays, finds, strict=True)
        ]
        return verdict_of(exploration, *measured)

    assert verdict([1.0, 0.99, 1.0], [1.0, 0.97, 0.98]) is Verdict.HOLDS
    assert verdict([0.2, 0.25, 0.2], [1.0, 0.97, 0.98]) is Verdict.REFUTED
    assert verdict([1.0, 0.99, 1.0], [0.2, 0.25, 0.2]) is Verdict.REFUTED
    assert verdict([1.0, 0.2, 0.9], [1.0, 0.97, 0.98]) is Verdict.UNDECIDED


def test_approximation_rule_asks_for_more_states_than_weights():
    def verdict(steps, met):
        measured = [
            {"steps_last": s, "states_met": met, "met_once_share": 0.9, "weights": 100.0}
            for s in (steps - 1, steps, steps + 1)
        ]
        return verdict_of(approximation, *measured)

    assert verdict(150.0, 5000.0) is Verdict.HOLDS
    assert verdict(150.0, 50.0) is Verdict.UNDECIDED
    assert verdict(900.0, 5000.0) is Verdict.REFUTED


def test_exact_gradient_matches_differences():
    theta = np.random.default_rng(0).normal(0, 0.5, (policy_gradient.LENGTH, 2))
    exact = policy_gradient._exact_gradient(theta)
    for place in (2, 3, 6):
        moved = theta.copy()
        moved[place, 1] += 1e-5
        back = theta.copy()
        back[place, 1] -= 1e-5
        slope = (policy_gradient._expected(moved) - policy_gradient._expected(back)) / 2e-5
        assert exact[place, 1] == pytest.approx(slope, abs=1e-7)


def test_solved_values_satisfy_their_equation():
    world = random_world(0, 20, 3, 2)
    policy = np.random.default_rng(0).dirichlet(np.ones(3), size=20)
    found = policy_values(world, policy, 0.9)
    np.testing.assert_allclose(found, (policy * world.action_values(found, 0.9)).sum(1), atol=1e-12)


def test_agent_without_exploration_never_leaves_its_first_choice():
    agent = TableAgent(bandit([3.0, 1.0, 2.0]), 0, epsilon=0.0)
    agent.live(1)
    first = agent.totals[2]
    agent.live(500)
    assert agent.totals[2] == 501 * first
    optimist = TableAgent(bandit([3.0, 1.0, 2.0]), 0, epsilon=0.0, initial=10.0)
    optimist.live(500)
    assert optimist.q.argmax() == 0


def test_deviation_counts_no_parameter_without_scatter():
    """Credited with the next reward only, an action far from both ends has an estimate of 0 in every
    episode, which has no standard error."""
    found = policy_gradient.measure(3, True, "quick")
    assert 2 < number(found, "deviation_se") < 1e4
