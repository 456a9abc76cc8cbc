"""The network that sees the whole board, and networks folded for inference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shinso.data.searched_positions import SearchedBatch
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.models.go_inference import FoldedEvaluator, folded
from shinso.models.go_network import GoNetwork, NetworkEvaluator
from shinso.models.go_pooled_network import PooledGoNetwork, pooled
from shinso.nn.norm import BatchNorm
from shinso.objectives.policy_and_value import PolicyAndValueObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training


def batch(size: int = 12, side: int = 5) -> SearchedBatch:
    generator = torch.Generator().manual_seed(0)
    planes = (torch.rand(size, ZERO_PLANES, side, side, generator=generator) > 0.5).float()
    policy = torch.nn.functional.one_hot(
        torch.randint(side * side + 1, (size,), generator=generator), side * side + 1
    )
    result = torch.randint(-1, 2, (size,), generator=generator).float()
    owners = torch.randint(-1, 2, (size, side * side), generator=generator).float()
    return SearchedBatch(planes, policy.float(), result, owners)


def network(blocks: int = 3, side: int = 5) -> PooledGoNetwork:
    torch.manual_seed(0)
    return PooledGoNetwork(PooledGoNetwork.Config(filters=8, blocks=blocks), side=side)


def trained_a_little(model):
    """Batch norms with statistics of their own, as after some steps."""
    model.train()
    for _ in range(3):
        model(batch().planes)
    return model.eval()


def test_pooling_is_the_mean_and_the_largest():
    x = torch.rand(2, 3, 4, 4)
    assert torch.allclose(pooled(x)[:, :3], x.mean((2, 3)))
    assert torch.equal(pooled(x)[:, 3:], x.amax((2, 3)))


def test_one_set_of_weights_sees_boards_of_any_size():
    model = network().eval()
    for side in (4, 5, 9):
        scores, values, owners = model(batch(side=side).planes)
        assert scores.shape == (12, side * side + 1)
        assert owners.shape == (12, side * side)
        assert values.abs().max() <= 1


def test_a_far_stone_is_seen_through_the_pooling_alone():
    """Three blocks of 3×3 see seven points far (with the first layer); the third also sees the whole
    board."""
    far = torch.zeros(1, ZERO_PLANES, 19, 19)
    far[0, 0, 18, 18] = 1.0
    near = torch.zeros_like(far)
    for blocks, sees in ((2, False), (3, True)):
        model = trained_a_little(network(blocks, side=19))
        with torch.no_grad():
            difference = model.tower(far)[0, :, 0, 0] - model.tower(near)[0, :, 0, 0]
        assert bool(difference.abs().max() > 0) == sees


def test_owners_are_learnt_beside_policy_and_value():
    training = Training(steps=150, lr=1e-2, schedule="one-cycle")
    learner = GradientLearner(network(), PolicyAndValueObjective(), training)
    given = batch()
    first = learner.step(given)
    for _ in range(149):
        found = learner.step(given)
    assert float(found["owners_mse"]) < 0.3 * float(first["owners_mse"])
    total = found["policy_nats"] + found["value_mse"] + found["owners_mse"]
    assert float(found["loss"]) == pytest.approx(float(total), rel=1e-5)
    unknown = PolicyAndValueObjective()(learner.model, given._replace(owners=None))
    assert "owners_mse" not in unknown


@pytest.mark.parametrize("kind", ["pooled", "residual", "plain", "separate"])
def test_folding_changes_nothing_but_the_rounding(kind):
    if kind == "pooled":
        model = network()
    else:
        given = {"heads": "separate"} if kind == "separate" else {"body": kind}
        torch.manual_seed(0)
        model = GoNetwork(GoNetwork.Config(filters=8, blocks=2, **given), side=5)
    trained_a_little(model)
    assert not any(isinstance(m, BatchNorm) for m in folded(model).modules())
    planes = batch().planes.numpy()
    plain = NetworkEvaluator(model)(planes)
    # Two orders of the same sums in fp32; eight bits of mantissa in bf16.
    for precision, tolerance in (("fp32", 1e-5), ("bf16", 0.05)):
        fast = FoldedEvaluator(model, precision)(planes)
        for one, two in zip(plain, fast, strict=True):
            np.testing.assert_allclose(one, two, atol=tolerance)


def test_folded_weights_follow_the_network_while_it_learns():
    model = network()
    evaluator = FoldedEvaluator(model, "fp32")
    planes = batch().planes.numpy()
    before = evaluator(planes)[1]
    learner = GradientLearner(model, PolicyAndValueObjective(), Training(steps=3, lr=1e-2))
    for _ in range(3):
        learner.step(batch())
    model.eval()
    after = evaluator(planes)[1]
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, NetworkEvaluator(model)(planes)[1], atol=1e-5)
    owners = evaluator.owners(planes)
    assert owners is not None
    assert owners.shape == (12, 25)
