"""AlphaGo Zero's network and what it learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shinso.data.searched_positions import SearchedBatch
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.models.go_network import Block, GoNetwork, NetworkEvaluator
from shinso.models.go_policy import ConvolutionalPolicy, ResidualPolicy
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.models.go_value import ValueNetwork
from shinso.nn.norm import BatchNorm
from shinso.objectives.policy_and_value import PolicyAndValueObjective
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.synchronous import synchronize_norms
from shinso.training.plan import Training


def batch(size: int = 16, side: int = 4) -> SearchedBatch:
    generator = torch.Generator().manual_seed(0)
    planes = (torch.rand(size, ZERO_PLANES, side, side, generator=generator) > 0.5).float()
    policy = torch.rand(size, side * side + 1, generator=generator).softmax(-1)
    return SearchedBatch(planes, policy, torch.randint(-1, 2, (size,), generator=generator).float())


@pytest.mark.parametrize("body", ["residual", "plain"])
@pytest.mark.parametrize("heads", ["joined", "separate"])
def test_four_variants_differ_as_they_say(body, heads):
    model = GoNetwork(GoNetwork.Config(filters=8, blocks=2, body=body, heads=heads), side=4)
    names = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert ("value_tower" in names) == (heads == "separate")
    scores, values = model(batch().planes)
    assert scores.shape == (16, 17)
    assert values.shape == (16,)
    assert values.abs().max() <= 1


def test_a_residual_block_of_zeros_passes_its_input():
    x = torch.rand(2, 6, 4, 4)
    for residual in (True, False):
        block = Block(6, residual=residual).eval()
        torch.nn.init.zeros_(block.second.weight)
        expected = x if residual else torch.zeros_like(x)
        assert torch.equal(block(x), expected)


def test_loss_is_the_papers():
    model = GoNetwork(GoNetwork.Config(filters=8, blocks=1), side=4).eval()
    given = batch()
    found = PolicyAndValueObjective(value_weight=0.5)(model, given)
    scores, values = model(given.planes)
    policy = -(given.policy * scores.log_softmax(-1)).sum(1).mean()
    value = ((given.result - values) ** 2).mean()
    assert float(found["loss"]) == pytest.approx(float(policy + 0.5 * value), rel=1e-5)


def test_network_overfits():
    torch.manual_seed(0)
    model = GoNetwork(GoNetwork.Config(filters=16, blocks=2), side=4)
    given = batch()
    sharp = given._replace(policy=torch.nn.functional.one_hot(given.policy.argmax(1), 17).float())
    training = Training(steps=120, lr=1e-2, schedule="one-cycle")
    learner = GradientLearner(model, PolicyAndValueObjective(), training)
    for _ in range(120):
        found = learner.step(sharp)
    assert float(found["loss"]) < 0.05


def test_evaluator_gives_chances_and_leaves_the_batch_norm_alone():
    model = GoNetwork(GoNetwork.Config(filters=8, blocks=1), side=4)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    priors, values = NetworkEvaluator(model)(batch().planes.numpy())
    assert priors.sum(1) == pytest.approx(np.ones(16), rel=1e-5)
    assert values.dtype == np.float32
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize(
    "kind", [GoNetwork, PooledGoNetwork, ConvolutionalPolicy, ResidualPolicy, ValueNetwork]
)
def test_workers_normalize_by_the_joint_batch(kind):
    """All Go networks have layers that can; torch's own cannot on a processor."""
    model = kind(kind.Config(filters=8), side=5)
    synchronize_norms(model)
    norms = [one for one in model.modules() if isinstance(one, BatchNorm)]
    assert norms
    assert all(one.synchronized for one in norms)
