"""The compiled learning of agents against the same losses in PyTorch, differentiated automatically."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from shinso.models.action_values import ActionValues
from shinso.models.actor_critic import PPO
from shinso.nn.kernels import perceptron_numba
from shinso.nn.kernels.sum_tree_numba import set_priority
from shinso.objectives import action_values_numba, policy_gradient_numba
from shinso.objectives.action_values import ActionValueObjective, Transitions
from shinso.objectives.policy_gradient import PolicyGradientObjective, log_probability
from shinso.recipes.agents.policy_gradient import ActorCriticKernels

TOLERANCE = {"rtol": 2e-4, "atol": 2e-6}
"""float32 sums in another order, and a tanh that is right to 4e-7."""


def actor_critic(*, continuous: bool, activation: str = "tanh") -> PPO:
    torch.manual_seed(0)
    config = PPO.Config(hidden=16, layers=2, activation=activation)
    model = PPO(config, num_observations=5, num_actions=3, continuous=continuous)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def batch(model: PPO, rows: int = 40) -> SimpleNamespace:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 5)).astype(np.float32)
    if model.continuous:
        actions = rng.normal(size=(rows, 3)).astype(np.float32)
    else:
        actions = rng.integers(3, size=(rows, 1)).astype(np.float32)
    with torch.no_grad():
        log_p = log_probability(model, torch.from_numpy(x), torch.from_numpy(actions))[0].numpy()
    return SimpleNamespace(
        x=x, actions=actions, log_p=log_p + rng.normal(0, 0.3, rows),
        advantages=rng.normal(size=rows), returns=rng.normal(size=rows),
    )  # fmt: skip


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_policy_gradient_matches_autograd(continuous, activation):
    model = actor_critic(continuous=continuous, activation=activation)
    one = batch(model)
    totals = np.zeros(7)
    policy_gradient_numba.gradient_of(
        model.vector, model.gradient, *ActorCriticKernels(model).shape, one.x, one.actions, one.log_p,
        one.advantages, one.returns, 0.2, 0.5, 0.01, continuous, totals,
    )  # fmt: skip
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    scalars = PolicyGradientObjective(0.2, 0.5, 0.01)(model, one)
    scalars["loss"].backward()
    scalars = {name: value.item() for name, value in scalars.items()}
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, **TOLERANCE)
    assert totals[policy_gradient_numba.LOSS] == pytest.approx(scalars["loss"], rel=1e-4)
    assert totals[policy_gradient_numba.ENTROPY] == pytest.approx(scalars["entropy_nats"], rel=1e-4)


@pytest.mark.parametrize("continuous", [False, True])
def test_acting_draws_from_the_policy_and_says_how_likely(continuous):
    model = actor_critic(continuous=continuous)
    kernels = ActorCriticKernels(model)
    rows = 20_000
    x = np.tile(np.random.default_rng(0).normal(size=(1, 5)).astype(np.float32), (rows, 1))
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((rows, 3)) if continuous else rng.random((rows, 1))
    actions = np.empty((rows, 3 if continuous else 1), np.float32)
    log_p, values = np.empty(rows), np.empty(rows, np.float32)
    kernels.act(x, noise, actions, log_p, values)
    with torch.no_grad():
        expected, _h = log_probability(model, torch.from_numpy(x), torch.from_numpy(actions))
        output = model.policy(torch.from_numpy(x[:1]))[0].numpy()
        v = model.value(torch.from_numpy(x[:1]))[0, 0].item()
    np.testing.assert_allclose(log_p, expected.numpy(), rtol=1e-3, atol=1e-4)
    assert values[0] == pytest.approx(v, rel=1e-4)
    if continuous:
        np.testing.assert_allclose(actions.mean(0), output, atol=0.1)
    else:
        shares = np.bincount(actions[:, 0].astype(int), minlength=3) / rows
        np.testing.assert_allclose(shares, torch.from_numpy(output).softmax(0), atol=0.015)


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("double", [False, True])
def test_action_value_gradient_matches_autograd(dueling, double):
    config = ActionValues.Config(hidden=16, dueling=dueling, double=double)
    torch.manual_seed(0)
    model, target = (ActionValues(config, num_observations=5, num_actions=3) for _copy in range(2))
    rng = np.random.default_rng(0)
    x, following = rng.normal(size=(2, 30, 5)).astype(np.float32)
    actions, rewards = rng.integers(3, size=30), rng.normal(size=30) * 3
    discounts = 0.9 * (rng.random(30) < 0.8)
    errors, totals = np.empty(30), np.zeros(4)
    action_values_numba.gradient_of(
        model.vector, model.gradient, target.vector, model.network.sizes, model.network.kind, dueling,
        double, x, actions, rewards, discounts, following, np.ones(30), errors, totals,
    )  # fmt: skip
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    parts = (x, actions, rewards.astype(np.float32), discounts.astype(np.float32), following)
    scalars = ActionValueObjective(target, double)(
        model, Transitions(*(torch.from_numpy(part) for part in parts))
    )
    scalars["loss"].backward()
    scalars = {name: value.item() for name, value in scalars.items()}
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, **TOLERANCE)
    assert totals[action_values_numba.LOSS] == pytest.approx(scalars["loss"], rel=1e-4)


def test_adam_and_clipping_match_torch():
    rng = np.random.default_rng(0)
    theta = rng.normal(size=50).astype(np.float32)
    parameter = torch.nn.Parameter(torch.from_numpy(theta.copy()))
    optimizer = torch.optim.Adam([parameter], lr=0.01, eps=1e-5)
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    for time in range(1, 6):
        gradient = rng.normal(size=50).astype(np.float32)
        parameter.grad = torch.from_numpy(gradient.copy())
        norm = torch.nn.utils.clip_grad_norm_([parameter], 0.5)
        optimizer.step()
        assert perceptron_numba.clip(gradient, 0.5) == pytest.approx(float(norm), rel=1e-5)
        perceptron_numba.adam(theta, gradient, first, second, time, 0.01, 0.9, 0.999, 1e-5)
    np.testing.assert_allclose(theta, parameter.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_several_steps_stop_at_ends_and_at_the_newest():
    rewards = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    nothing = np.zeros(5, bool)

    def steps(i, n, terminated=nothing, ended=nothing, newest=4):
        return action_values_numba.several_steps(i, n, 0.5, rewards, terminated, ended, newest, 1)

    at_two = np.arange(5) == 2
    assert steps(0, 3) == (1 + 1 + 1, 0.125, 2)
    assert steps(1, 3, terminated=at_two, ended=at_two) == (2 + 2, 0.0, 2)
    assert steps(1, 3, ended=at_two) == (2 + 2, 0.25, 2)
    assert steps(3, 4) == (8 + 8, 0.25, 4)
    assert steps(4, 2, newest=1) == (16 + 0.5, 0.25, 0)


def test_fits_a_fixed_target_when_one_batch_overfits():
    torch.manual_seed(0)
    model = ActionValues(ActionValues.Config(hidden=32), num_observations=4, num_actions=2)
    target = ActionValues(ActionValues.Config(hidden=32), num_observations=4, num_actions=2)
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(8, 4)).astype(np.float32)
    ends = np.ones(8, bool)
    first, second = np.zeros_like(model.vector), np.zeros_like(model.vector)
    means = [
        action_values_numba.learn(
            model.vector, model.gradient, first, second, turn, target.vector, model.network.sizes, 1,
            False, True, seen, np.arange(8) % 2, rng.normal(size=8) * 0 + np.arange(8.0), seen, ends, ends,
            8, 7, 1, np.zeros(0), rng.random((1, 64)), 0.9, 1, 0.0, 1.0, 0.01, 0.0,
        )[0]
        for turn in range(600)
    ]  # fmt: skip
    assert means[0] > 1
    assert means[-1] < 0.01


def test_weights_of_prioritized_draws_match_their_formula():
    """Schaul et al. 2016, section 3.4: row i is drawn with P(i) = p_i / Σ p, its loss is weighed by
    (N P(i))^-β over the largest weight in the batch, and p_i becomes (|δ| + 1e-6)^α."""
    torch.manual_seed(0)
    config = ActionValues.Config(hidden=16, double=False)
    model, target = (ActionValues(config, num_observations=4, num_actions=3) for _copy in range(2))
    rng = np.random.default_rng(0)
    stored, batch_size, alpha, beta, gamma = 6, 5, 0.6, 0.7, 0.9
    seen, successors = rng.normal(size=(2, 8, 4)).astype(np.float32)
    actions, rewards = rng.integers(3, size=8), rng.normal(size=8) * 3
    priorities = np.array([0.1, 2.0, 0.5, 1.0, 0.3, 4.0, 0.0, 0.0])
    tree = np.zeros(16)
    for place, priority in enumerate(priorities):
        set_priority(tree, place, priority)
    noise = rng.random((1, batch_size))
    terminated = np.arange(8) == 1
    moments = np.zeros_like(model.vector), np.zeros_like(model.vector)
    totals = action_values_numba.learn(
        model.vector, model.gradient, *moments, 0, target.vector, model.network.sizes,
        model.network.kind, False, False, seen, actions, rewards, successors, terminated, terminated,
        stored, stored - 1, 1, tree, noise, gamma, 1, alpha, beta, 0.0, 0.0,
    )  # fmt: skip
    found = {name: p.grad.clone() for name, p in model.named_parameters()}

    masses = (np.arange(batch_size) + noise[0]) / batch_size * priorities.sum()
    rows = np.searchsorted(priorities.cumsum(), masses, side="right")
    assert len(set(rows)) > 2
    weights = (stored * priorities[rows] / priorities.sum()) ** -beta
    model.zero_grad(set_to_none=True)
    q = model(torch.from_numpy(seen[rows]))[range(batch_size), actions[rows]]
    with torch.no_grad():
        later = target(torch.from_numpy(successors[rows])).max(1).values.numpy()
    goals = rewards[rows] + gamma * np.where(terminated[rows], 0.0, later)
    errors = q.detach().numpy() - goals
    huber = torch.nn.functional.huber_loss(q, torch.from_numpy(goals).float(), reduction="none")
    loss = (torch.from_numpy(weights / weights.max()).float() * huber).mean()
    loss.backward()
    assert totals[action_values_numba.LOSS] == pytest.approx(loss.item(), rel=1e-4)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, **TOLERANCE)
    expected = priorities.copy()
    expected[rows] = (np.abs(errors) + 1e-6) ** alpha
    np.testing.assert_allclose(tree[8:], expected, rtol=1e-4)
    assert tree[1] == pytest.approx(expected.sum(), rel=1e-4)
