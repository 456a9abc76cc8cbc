"""Claims of the chapter on LSTM: exact ones hold, rules decide as they say."""

from __future__ import annotations

import math

import pytest
import torch

from shinso.claims.claim import Verdict
from shinso.claims.lstm import cec, cec_uniform, forget, gates, peephole, sigmoid, vanishing
from shinso.claims.sequence_training import hold, set_gate_bias
from shinso.nn import LSTM
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EXACT = {"lstm.sigmoid": sigmoid, "lstm.cec": cec, "lstm.cec-uniform": cec_uniform}
LEARNT = {
    "lstm.vanishing": vanishing,
    "lstm.gates": gates,
    "lstm.forget": forget,
    "lstm.peephole": peephole,
}
EVERY = {**EXACT, **LEARNT}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    monkeypatch.setitem(vanishing.BATCHES, "quick", 3)
    monkeypatch.setitem(vanishing.LENGTH, "quick", 12)
    monkeypatch.setattr(vanishing, "NETWORKS", 2)
    monkeypatch.setattr(vanishing, "STEPS_BACK", 10)
    for module in (gates, peephole):
        monkeypatch.setitem(module.STEPS, "quick", 3)
    monkeypatch.setattr(peephole, "TESTED", 20)
    monkeypatch.setattr(gates, "TESTED", 20)
    monkeypatch.setitem(forget.STEPS, "quick", 5)
    monkeypatch.setattr(forget, "PIECES", 5)
    monkeypatch.setattr(forget, "PIECE", 20)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    measured, control = measured_twice(module), measured_twice(module, control=True)
    assert measured != control
    check_drawing(module, measured, control)


@pytest.mark.parametrize("name", LEARNT)
def test_measurement_follows_the_seed(name):
    module = EVERY[name]
    assert module.measure(0, False, "quick") != module.measure(1, False, "quick")


@pytest.mark.parametrize("name", EXACT)
def test_exact_claim_holds_and_its_control_does_not(name):
    module = EXACT[name]
    measured = [module.measure(seed, False, "quick") for seed in range(3)]
    assert module.holds(measured).verdict is Verdict.HOLDS
    for seed in range(3):
        control = module.holds([module.measure(seed, True, "quick")])
        assert control.verdict is Verdict.REFUTED


@pytest.mark.parametrize("name", EXACT)
def test_exact_rule_refutes_one_deviation_among_many(name):
    module = EXACT[name]
    fine = {bound.of: 0.0 for bound in module.BOUNDS}
    assert verdict_of(module, fine, fine) is Verdict.HOLDS
    for bound in module.BOUNDS:
        assert verdict_of(module, fine, {**fine, bound.of: bound.most * 2}) is Verdict.REFUTED
        assert verdict_of(module, fine, {**fine, bound.of: math.nan}) is Verdict.UNDECIDED


def test_vanishing_rule_asks_for_gradient_and_learning():
    def verdict(slope=-0.5, usual=0.1, opened=0.1, lstm=0.01, rnn=0.9):
        return verdict_of(
            vanishing,
            *seeds_of(
                slope_rnn_per_step=slope,
                slope_ratio_usual=usual,
                slope_ratio_open=opened,
                error_lstm_rel=lstm,
                error_rnn_rel=rnn,
            ),
        )

    assert verdict() is Verdict.HOLDS
    assert verdict(usual=0.8) is Verdict.CONDITIONALLY
    for opposite in ({"slope": 0.1}, {"opened": 0.9}, {"lstm": 0.8}, {"rnn": 0.01}):
        assert verdict(**opposite) is Verdict.REFUTED
    for between in ({"lstm": 0.3}, {"rnn": 0.3}, {"opened": 0.5}):
        assert verdict(**between) is Verdict.UNDECIDED


def test_vanishing_rule_takes_errors_by_factors():
    measured = [
        {
            "slope_rnn_per_step": -0.5 - 0.001 * seed,
            "slope_ratio_usual": 0.1 + 0.001 * seed,
            "slope_ratio_open": -0.01 + 0.001 * seed,
            "error_lstm_rel": 0.5 if seed == 0 else 0.001,
            "error_rnn_rel": 0.9 + 0.001 * seed,
        }
        for seed in range(10)
    ]
    # The arithmetic mean is 0.05 (-0.06 to 0.16): the one seed would leave it undecided.
    assert verdict_of(vanishing, *measured) is Verdict.HOLDS
    assert vanishing.holds(measured).estimates[3].low > 0


def test_slope_of_a_decay_is_its_rate():
    norms = [0.5**k for k in range(120)]  # the last ones lie below what is counted
    assert vanishing._slope(norms) == pytest.approx(math.log(0.5))


def test_gates_rule_names_the_gate_that_costs():
    def measured(cost_of_input, cost_of_output):
        return [
            {
                "error_with_input_rel": 0.1 + noise,
                "error_without_input_rel": 0.1 + 2 * noise + cost_of_input,
                "error_with_output_rel": 0.1 - noise,
                "error_without_output_rel": 0.1 + cost_of_output,
            }
            for noise in (-0.001, 0.0, 0.001)
        ]

    assert verdict_of(gates, *measured(0.5, 0.5)) is Verdict.HOLDS
    for costs, gate in (((0.5, 0.0), "input gate"), ((0.0, 0.5), "output gate")):
        found = gates.holds(measured(*costs))
        assert found.verdict is Verdict.CONDITIONALLY
        assert gate in found.condition.en
    assert verdict_of(gates, *measured(0.0, 0.0)) is Verdict.REFUTED
    assert verdict_of(gates, *measured(0.05, 0.0)) is Verdict.UNDECIDED


def test_forget_rule_asks_for_failure_and_for_piling_up():
    def verdict(kept=0.01, lost=0.9, growth=5.0):
        return verdict_of(
            forget,
            *seeds_of(
                late_error_with_rel=kept, late_error_without_rel=lost, cell_growth_without=growth
            ),
        )

    assert verdict() is Verdict.HOLDS
    for opposite in ({"kept": 0.9}, {"lost": 0.01}, {"growth": 1.0}):
        assert verdict(**opposite) is Verdict.REFUTED
    for between in ({"kept": 0.3}, {"lost": 0.3}, {"growth": 2.0}):
        assert verdict(**between) is Verdict.UNDECIDED


def test_forget_rule_takes_errors_and_growth_by_factors():
    one_large = [20.0, *(1 + 0.01 * place for place in range(9))]
    measured = [
        {
            "late_error_with_rel": 0.01 * large,
            "late_error_without_rel": large,
            "cell_growth_without": 5 * large,
        }
        for large in one_large
    ]
    # The arithmetic mean of the error without the gate is 2.9 (-1.4 to 7.3).
    assert verdict_of(forget, *measured) is Verdict.HOLDS
    assert all(estimate.low > 0 for estimate in forget.holds(measured).estimates)


def test_peephole_rule_compares_errors_seed_by_seed():
    def verdict(*ratios):
        errors = (0.5, 0.01, 0.0002)
        return verdict_of(
            peephole,
            *(
                {"error_with": error * ratio, "error_without": error}
                for error, ratio in zip(errors, ratios, strict=True)
            ),
        )

    assert verdict(0.5, 0.51, 0.49) is Verdict.HOLDS
    assert verdict(1.0, 1.01, 0.99) is Verdict.REFUTED
    assert verdict(0.01, 10.0, 0.5) is Verdict.UNDECIDED


def test_held_rows_stay_while_the_rest_learns():
    torch.manual_seed(0)
    layer, rows = LSTM(2, 4, batch_first=True), slice(4, 8)
    hold(layer.weight_hh_l0, rows, 0.0)
    hold(layer.bias_ih_l0, rows, None)
    before = {name: value.detach().clone() for name, value in layer.named_parameters()}
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(3, 5, 2))[0].square().sum().backward()
        optimizer.step()
    assert (layer.weight_hh_l0[rows] == 0).all()
    assert torch.equal(layer.bias_ih_l0[rows], before["bias_ih_l0"][rows])
    assert not torch.equal(layer.bias_hh_l0[rows], before["bias_hh_l0"][rows])
    assert (layer.weight_hh_l0[:4] != before["weight_hh_l0"][:4]).any()


def test_a_gate_starts_where_its_bias_says():
    layer = LSTM(2, 4, batch_first=True)
    set_gate_bias(layer, slice(4, 8), 3.0)
    both = layer.bias_ih_l0 + layer.bias_hh_l0
    assert (both[4:8] == 3).all()
    assert (both[:4].abs() <= 1).all()
