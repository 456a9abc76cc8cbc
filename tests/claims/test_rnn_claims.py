"""Claims of the chapter on recurrent networks: exact ones hold, rules decide as they say."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from shinso.claims.claim import Verdict
from shinso.claims.rnn import (
    chain_rule,
    conv_size,
    dependence,
    recurrence,
    sine,
    three_weights,
    unrolled,
)
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EXACT = {
    "rnn.chain-rule": chain_rule,
    "rnn.unrolled": unrolled,
    "rnn.three-weights": three_weights,
}
LEARNT = {"rnn.recurrence": recurrence, "rnn.sine": sine}
EVERY = {**EXACT, **LEARNT, "rnn.conv-size": conv_size, "rnn.dependence": dependence}


@pytest.fixture(autouse=True)
def _few_pairs(monkeypatch):
    monkeypatch.setattr(recurrence, "PAIRS", 200)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


@pytest.mark.parametrize("name", EXACT)
def test_exact_claim_holds_and_its_control_does_not(name):
    module = EXACT[name]
    assert module.holds([module.measure(s, False, "quick") for s in range(3)]).verdict == "holds"
    for seed in range(3):
        control = module.holds([module.measure(seed, True, "quick")])
        assert control.verdict is Verdict.REFUTED


@pytest.mark.parametrize("module", [chain_rule, unrolled])
def test_exact_rule_is_undecided_without_numbers(module):
    broken = {bound.of: float("nan") for bound in module.BOUNDS}
    assert verdict_of(module, broken) is Verdict.UNDECIDED


@pytest.mark.parametrize("module", [chain_rule, unrolled])
def test_exact_rule_refutes_one_deviation_among_many(module):
    for bound in module.BOUNDS:
        fine = {one.of: 0.0 for one in module.BOUNDS}
        assert verdict_of(module, fine, fine) is Verdict.HOLDS
        assert verdict_of(module, fine, {**fine, bound.of: bound.most * 2}) is Verdict.REFUTED
        assert verdict_of(module, fine, {**fine, bound.of: -bound.most * 2}) is Verdict.REFUTED


def test_convolution_size_depends_on_padding():
    found = conv_size.holds([conv_size.measure(0, False, "quick")])
    assert found.verdict is Verdict.CONDITIONALLY
    assert found.condition.en == "with padding 0"
    assert [estimate.value for estimate in found.estimates] == [2, 3, 0]
    assert conv_size.holds([conv_size.measure(0, True, "quick")]).verdict is Verdict.REFUTED


def test_convolution_rule_decides_by_sizes():
    def measurement(*sides, deviation=0.0):
        return {
            "side_px": list(sides),
            "deviation_from_framework": deviation,
            "formula_mismatches": 0.0,
        }

    assert verdict_of(conv_size, measurement(2.0, 2.0)) is Verdict.HOLDS
    assert verdict_of(conv_size, measurement(3.0, 2.0)) is Verdict.CONDITIONALLY
    assert verdict_of(conv_size, measurement(3.0, 3.0)) is Verdict.REFUTED
    assert verdict_of(conv_size, measurement(2.0, 2.0, deviation=1.0)) is Verdict.UNDECIDED


def test_explicit_convolution_matches_scipy():
    from scipy.signal import correlate2d

    rng = np.random.default_rng(1)
    image, kernel = rng.normal(size=(7, 7)), rng.normal(size=(3, 3))
    expected = correlate2d(np.pad(image, 2), kernel, mode="valid")[::2, ::2]
    np.testing.assert_allclose(conv_size.convolve(image, kernel, 2, 2), expected, atol=1e-12)


def test_three_weights_rule_needs_every_part():
    true = three_weights.measure(0, False, "quick")
    assert verdict_of(three_weights, true) is Verdict.HOLDS
    for change in (
        {"matrices_with_gradient": 2.0},
        {"influence_of_past": 0.0},
        {"influence_of_future": 0.1},
        {"past_without_W": 0.1},
        {"now_without_W": 0.0},
        {"now_without_W_in": 0.1},
        {"past_without_W_out": 0.1},
    ):
        assert verdict_of(three_weights, {**true, **change}) is Verdict.REFUTED
    broken = {**true, "influence_of_past": float("nan")}
    assert verdict_of(three_weights, broken) is Verdict.UNDECIDED


def test_recurrence_rule_decides_by_the_interval():
    def verdict(balanced, scatter=0.001):
        return verdict_of(
            recurrence,
            *(
                {"balanced_accuracy": balanced + scatter * place, "sum_accuracy": 0.5}
                for place in (-1, 0, 1)
            ),
        )

    assert verdict(0.99) is Verdict.HOLDS
    assert verdict(0.5) is Verdict.REFUTED
    assert verdict(0.75) is Verdict.UNDECIDED
    assert verdict(0.95, scatter=0.1) is Verdict.UNDECIDED


def test_sine_rule_tells_one_step_from_its_own_run():
    def verdict(ratio, own_run):
        return verdict_of(sine, *seeds_of(one_step_ratio=ratio, own_run_rmse=own_run))

    assert verdict(0.1, 0.2) is Verdict.HOLDS
    assert verdict(0.1, 0.9) is Verdict.CONDITIONALLY
    assert verdict(0.9, 0.2) is Verdict.REFUTED
    assert verdict(0.5, 0.2) is Verdict.UNDECIDED


def test_sine_control_is_no_better_than_persistence():
    measured = [sine.measure(seed, True, "quick") for seed in range(3)]
    assert sine.holds(measured).verdict is Verdict.REFUTED


def dependence_seeds(share, data="exchange rates"):
    return [
        {
            "data": data,
            "share_values": share,
            "share_changes": 0.25,
            "share_squares": 0.75,
            "p_of_values": [0.5],
        }
    ] * 3


def test_dependence_rule_decides_by_the_share():
    assert verdict_of(dependence, *dependence_seeds(1.0)) is Verdict.HOLDS
    assert verdict_of(dependence, *dependence_seeds(0.0)) is Verdict.REFUTED
    assert verdict_of(dependence, *dependence_seeds(0.75)) is Verdict.UNDECIDED


def test_dependence_draws_chances_between_its_floor_and_one():
    from shinso.figures import style

    figure = style.figure(7.2, 3.7)
    some = {**dependence_seeds(1.0)[0], "p_of_values": [0.0, 1e-300, 1e-6, 1.0]}
    dependence.draw(figure, [some], [some])
    axes = figure.axes[0]
    drawn = [float(p) for line in axes.lines for p in line.get_ydata()]
    assert min(drawn) == dependence.SMALLEST_DRAWN
    assert axes.get_ylim()[1] == 1


def test_dependence_says_aloud_that_other_series_stand_in(monkeypatch, tmp_path):
    monkeypatch.setenv("SHINSO_DATA", str(tmp_path))
    measured = dependence.measure(0, False, "quick")
    assert measured["data"] == "statsmodels samples"
    because = dependence.holds([measured]).because
    assert "not on this machine" in because.en
    assert "代用" in because.ja
    assert "not on this machine" not in dependence.holds(dependence_seeds(1.0)).because.en


def test_dependence_reads_the_exchange_rates_where_they_are(monkeypatch, tmp_path):
    rates = np.exp(np.random.default_rng(0).normal(size=(1500, 8)).cumsum(axis=0) * 0.01)
    path = tmp_path / dependence.RATES
    path.parent.mkdir()
    with gzip.open(path, "wt") as file:
        np.savetxt(file, rates, delimiter=",")
    monkeypatch.setenv("SHINSO_DATA", str(tmp_path))
    walk, shuffled = (dependence.measure(0, control, "quick") for control in (False, True))
    assert walk["data"] == shuffled["data"] == "exchange rates"
    # A random walk depends on its past, its steps do not; shuffled, nothing does.
    assert walk["share_values"] == 1.0
    assert walk["share_changes"] <= 0.25
    assert shuffled["share_values"] <= 0.25
