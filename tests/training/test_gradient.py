"""The gradient learner against torch's optimizer by hand, and the range test."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shinso.training.find_lr import find_lr
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

from .test_loop import NoisyLine, SquaredError


def test_steps_match_a_loop_by_hand() -> None:
    training = Training(steps=10, lr=0.02, schedule="constant", clip_norm=0.5, weight_decay=0.1)
    torch.manual_seed(0)
    ours = nn.Linear(4, 1)
    theirs = copy.deepcopy(ours)
    learner = GradientLearner(ours, SquaredError(), training)
    decayed = [{"params": [theirs.weight], "weight_decay": 0.1},
               {"params": [theirs.bias], "weight_decay": 0.0}]  # fmt: skip
    optimizer = torch.optim.AdamW(decayed, lr=0.02, fused=True)
    source, twin = NoisyLine(1), NoisyLine(1)
    for _ in range(10):
        learner.step(source.next_batch())
        optimizer.zero_grad()
        SquaredError()(theirs, twin.next_batch())["loss"].backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizer.step()
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


def test_accumulated_clip_of_zero_leaves_gradients_alone() -> None:
    ours = nn.Linear(4, 1)
    learner = GradientLearner(ours, SquaredError(), Training(clip_norm=0.0))
    norm = learner.step(NoisyLine(1).next_batch())["gradient_norm"]
    assert ours.weight.grad is not None
    assert ours.bias.grad is not None
    whole = torch.cat([ours.weight.grad.flatten(), ours.bias.grad]).norm()
    assert torch.allclose(torch.as_tensor(norm), whole)


def test_sgd_matches_a_loop_by_hand() -> None:
    training = Training(
        steps=10, lr=0.01, schedule="constant", clip_norm=0.0, optimizer="sgd", momentum=0.8
    )
    torch.manual_seed(0)
    ours = nn.Linear(4, 1)
    theirs = copy.deepcopy(ours)
    learner = GradientLearner(ours, SquaredError(), training)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.8, nesterov=True)
    source, twin = NoisyLine(1), NoisyLine(1)
    for _ in range(10):
        learner.step(source.next_batch())
        optimizer.zero_grad()
        SquaredError()(theirs, twin.next_batch())["loss"].backward()
        optimizer.step()
    assert torch.allclose(ours.weight, theirs.weight, rtol=1e-6)


def test_running_mean_is_what_counts_and_resumes() -> None:
    training = Training(steps=40, lr=0.05, schedule="constant", average=0.9)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    learner = GradientLearner(model, SquaredError(), training)
    source = NoisyLine(1)
    expected = {n: t.clone() for n, t in model.state_dict().items() if t.is_floating_point()}
    for step in range(20):
        learner.step(source.next_batch())
        decay = min(0.9, (1 + step) / (10 + step))
        for name, kept in expected.items():
            kept += (1 - decay) * (model.state_dict()[name] - kept)
    learning = copy.deepcopy(model.state_dict())
    with learner.evaluating():
        for name, kept in expected.items():
            torch.testing.assert_close(model.state_dict()[name], kept)
    assert all(torch.equal(learning[n], t) for n, t in model.state_dict().items())
    other = copy.deepcopy(model)
    again = GradientLearner(other, SquaredError(), training)
    again.load_state_dict(copy.deepcopy(learner.state_dict()))
    with learner.evaluating(), again.evaluating():
        assert all(torch.equal(other.state_dict()[n], t) for n, t in model.state_dict().items())


def test_only_chosen_parameters_learn() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    before = copy.deepcopy(model.state_dict())
    chosen = [(n, p) for n, p in model.named_parameters() if n.startswith("1.")]
    learner = GradientLearner(model, SquaredError(), Training(), trained=chosen)
    learner.step(NoisyLine(1).next_batch())
    after = model.state_dict()
    assert torch.equal(before["0.weight"], after["0.weight"])
    assert not torch.equal(before["1.weight"], after["1.weight"])


class NothingToLearn(NoisyLine):
    """Targets that no input says anything of, around what the network begins with."""

    def next_batch(self) -> tuple[Tensor, Tensor]:
        x, _line = super().next_batch()
        return x, torch.randn(len(x), 1, generator=self.generator)


def test_find_lr_recommends_nothing_from_noise() -> None:
    """The smoothed loss of the batches alone falls somewhere in every one of these."""
    suggested = []
    for seed in range(12):
        model = nn.Linear(4, 1)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        found = find_lr(model, SquaredError(), NothingToLearn(seed), Training(batch_size=8))
        assert max(found.losses[10:40]) > 1.1 * min(found.losses[10:40])
        suggested.append(found.suggestion)
    assert suggested == [None] * 12


def test_find_lr_suggests_a_rate_that_learns_and_changes_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    before = copy.deepcopy(model.state_dict())
    source = NoisyLine(2)
    state: dict[str, Any] = source.state_dict()
    found = find_lr(model, SquaredError(), source, Training(batch_size=8))
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 1
    assert found.changes[5] == pytest.approx(0, abs=1e-4)  # nothing but the batches differs yet
    assert min(found.changes) < -1
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(source.state_dict()["generator"], state["generator"])


def test_find_lr_gives_no_rate_where_the_loss_never_falls() -> None:
    class Flat(SquaredError):
        def __call__(self, model: nn.Module, batch: Any) -> Any:
            return {"loss": 0.0 * super().__call__(model, batch)["loss"] + 1.0}

    found = find_lr(nn.Linear(4, 1), Flat(), NoisyLine(2), Training())
    assert found.suggestion is None


class Counting(SquaredError):
    """Counts the batches that it was asked of."""

    count = 0

    def __call__(self, model: nn.Module, batch: Any) -> Any:
        self.count += 1
        return super().__call__(model, batch)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def test_step_of_several_parts_counts_once() -> None:
    """What rises with the steps (a KL weight, scheduled sampling) rises as in whole batches."""
    objective = Counting()
    learner = GradientLearner(nn.Linear(4, 1), objective, Training(accumulate=3))
    source = NoisyLine(1)
    for _ in range(2):
        learner.step(source.next_batch())
    assert objective.count == 2
