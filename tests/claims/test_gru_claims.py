"""Claims of the chapter on GRU: three quarters is not half, and equal within a margin."""

from __future__ import annotations

import pytest
import torch

from shinso.claims.claim import Verdict
from shinso.claims.gru import parameters, quality
from shinso.nn import GRU
from tests.claims.claim_checks import check_drawing, check_texts, measured_twice, verdict_of

EVERY = {"gru.parameters": parameters, "gru.quality": quality}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    monkeypatch.setitem(quality.STEPS, "quick", 2)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


def test_parameters_are_three_quarters_at_every_width():
    measured = parameters.measure(0, False, "quick")
    assert measured["least_ratio"] == measured["largest_ratio"] == 0.75
    found = parameters.holds([measured])
    assert found.verdict is Verdict.REFUTED
    assert "0.75 in every case" in found.because.en
    assert "どの場合も 0.75" in found.because.ja
    control = parameters.measure(0, True, "quick")
    assert control["least_ratio"] == control["largest_ratio"] == 1.0
    assert parameters.holds([control]).verdict is Verdict.REFUTED


def test_parameters_rule_asks_for_half():
    def verdict(least, largest):
        return verdict_of(parameters, {"least_ratio": least, "largest_ratio": largest})

    assert verdict(0.3, 0.5) is Verdict.HOLDS
    assert verdict(0.6, 0.75) is Verdict.REFUTED
    assert verdict(0.4, 0.75) is Verdict.UNDECIDED
    mixed = parameters.holds([{"least_ratio": 0.4, "largest_ratio": 0.75}])
    assert "0.4 to 0.75" in mixed.because.en


def test_quality_rule_allows_a_margin():
    def measured(at_width, at_parameters, scatter=0.001):
        return [
            {
                "accuracy_lstm": 0.9,
                "accuracy_gru_width": 0.9 + at_width + noise,
                "accuracy_gru_parameters": 0.9 + at_parameters - noise,
            }
            for noise in (-scatter, 0.0, scatter)
        ]

    assert verdict_of(quality, *measured(-0.01, 0.05)) is Verdict.HOLDS
    for differences, where in (((-0.2, 0.0), "parameters"), ((0.0, -0.2), "width")):
        found = quality.holds(measured(*differences))
        assert found.verdict is Verdict.CONDITIONALLY
        assert where in found.condition.en
    assert verdict_of(quality, *measured(-0.2, -0.2)) is Verdict.REFUTED
    assert verdict_of(quality, *measured(0.0, 0.0, scatter=0.05)) is Verdict.UNDECIDED


def test_equal_parameters_are_equal_within_a_few_percent():
    from shinso.nn import LSTM

    def count(layer):
        return sum(parameter.numel() for parameter in layer.parameters())

    lstm, gru = count(LSTM(1, quality.WIDTH)), count(GRU(1, quality.EQUAL_PARAMETERS))
    assert abs(gru / lstm - 1) < 0.05


def test_held_update_gate_keeps_nothing_of_the_state():
    torch.manual_seed(0)
    layer = GRU(1, 5, batch_first=True)
    with torch.no_grad():
        layer.weight_hh_l0[10:] = 0  # the candidate sees the state through these alone,
        layer.bias_hh_l0[10:] = 0  # and through the reset gate, which scales both
    x = torch.randn(2, 3, 1)
    start = torch.randn(1, 2, 5)
    assert not torch.allclose(layer(x[:, :1], start)[0], layer(x[:, :1], -start)[0])
    quality._hold_update_gate(layer)
    torch.testing.assert_close(layer(x[:, :1], start)[0], layer(x[:, :1], -start)[0])
