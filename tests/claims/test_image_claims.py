"""Claims of the chapters on MobileNet, DenseNet and the normalizations."""

from __future__ import annotations

import pytest
import torch

from shinso.claims.batchnorm import _networks, init, moments, regularization, speed
from shinso.claims.claim import Verdict
from shinso.claims.densenet import connectivity, growth, parameters
from shinso.claims.instancenorm import batch_of_one
from shinso.claims.layernorm import invariance
from shinso.claims.mobilenet import accuracy, cost
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EVERY = {
    "mobilenet.cost": cost,
    "mobilenet.accuracy": accuracy,
    "densenet.connectivity": connectivity,
    "densenet.growth": growth,
    "densenet.parameters": parameters,
    "batchnorm.moments": moments,
    "batchnorm.speed": speed,
    "batchnorm.init": init,
    "batchnorm.regularization": regularization,
    "layernorm.invariance": invariance,
    "instancenorm.batch-of-one": batch_of_one,
}
EXACT = (cost, connectivity, growth, moments, invariance, batch_of_one)


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    for module in (accuracy, parameters, speed, init, regularization):
        monkeypatch.setitem(module.STEPS, "quick", 2)
    # Seconds never come out the same twice; everything else must.
    monkeypatch.setattr(cost, "_seconds", lambda _control: 0.5)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


@pytest.mark.parametrize("module", EXACT)
def test_exact_claims_hold_and_fail_without_their_cause(module):
    assert module.holds([module.measure(5, False, "quick")]).verdict is Verdict.HOLDS
    assert module.holds([module.measure(5, True, "quick")]).verdict is Verdict.REFUTED


def test_seconds_are_measured(monkeypatch):
    monkeypatch.undo()
    assert 0 < cost._seconds(False) < 10


@pytest.mark.parametrize(
    ("module", "better", "worse", "margin"),
    [
        (accuracy, "accuracy_separable", "accuracy_full", 0.015),
        (parameters, "accuracy_dense", "accuracy_residual", 0.01),
    ],
)
def test_rules_on_accuracy_allow_a_margin(module, better, worse, margin):
    def verdict(gap, scatter=0.0005, share=0.3):
        return verdict_of(
            module,
            *[
                {
                    better: 0.9 + gap + noise, worse: 0.9,
                    "parameters_dense": share * 1000, "parameters_residual": 1000.0,
                }
                for noise in (-scatter, 0.0, scatter)
            ],
        )  # fmt: skip

    assert verdict(-margin + 0.005) is Verdict.HOLDS
    assert verdict(-margin - 0.005) is Verdict.REFUTED
    assert verdict(-margin, scatter=0.02) is Verdict.UNDECIDED
    if module is parameters:
        assert verdict(0.0, share=0.6) is Verdict.REFUTED


def test_speed_rule_asks_for_a_fifth():
    assert verdict_of(speed, *seeds_of(steps_with=100, steps_without=200)) is Verdict.HOLDS
    assert verdict_of(speed, *seeds_of(steps_with=200, steps_without=100)) is Verdict.REFUTED
    assert verdict_of(speed, *seeds_of(steps_with=100, steps_without=110)) is Verdict.UNDECIDED


def test_rules_on_spread_and_gap_look_at_differences():
    for module, name, least in ((init, "spread", 0.2), (regularization, "gap", 0.0)):

        def verdict(gain, scatter=0.001, module=module, name=name):
            return verdict_of(
                module,
                *[
                    {f"{name}_with": 0.3, f"{name}_without": 0.3 + gain + noise}
                    for noise in (-scatter, 0.0, scatter)
                ],
            )

        assert verdict(least + 0.05) is Verdict.HOLDS
        assert verdict(-0.05) is Verdict.REFUTED
        assert verdict(least, scatter=0.03) is Verdict.UNDECIDED


def test_still_norm_takes_no_statistics():
    torch.manual_seed(0)
    network = _networks.deep("still")
    images = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(network(images)[:1], network(images[:1]))
    assert not torch.allclose(
        _networks.deep("batch")(images)[:1], _networks.deep("none")(images)[:1]
    )


def test_descent_stops_where_the_loss_is_reached():
    from shinso.claims.image_training import digits

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    data = digits(generator, learnt=100)
    losses, steps = _networks.descend(
        _networks.deep("batch"), data, generator, steps=200, lr=0.3, until=1.0
    )
    assert steps == len(losses) < 200
    assert losses[0] > losses[-1]


def test_whole_set_statistics_do_not_depend_on_the_mini_batch():
    torch.manual_seed(0)
    network = _networks.deep("batch")
    every = torch.randn(12, 1, 8, 8)
    regularization._whole_set(network, every)
    network.train()
    few = every[:2]
    alone = network(few[:1])
    assert alone.shape == (1, 10)
    # Twelve of thirteen or fourteen rows are the same, so neighbours matter little.
    torch.testing.assert_close(network(few)[:1], alone, rtol=0.3, atol=0.3)
