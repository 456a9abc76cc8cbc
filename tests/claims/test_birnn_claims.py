"""Claims of the chapter on bidirectional networks: where the future helps, and where it leaks."""

from __future__ import annotations

import pytest

from shinso.claims.birnn import future, leak
from shinso.claims.claim import Verdict
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EVERY = {"birnn.future": future, "birnn.leak": leak}


@pytest.fixture
def short_training(monkeypatch):
    for module in EVERY.values():
        monkeypatch.setitem(module.STEPS, "quick", 3)
        monkeypatch.setattr(module, "TESTED", 20)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.usefixtures("short_training")
@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    measured, control = measured_twice(module), measured_twice(module, control=True)
    assert measured != control
    check_drawing(module, measured, control)


def test_future_rule_asks_for_a_gain():
    def verdict(gain, scatter=0.001):
        return verdict_of(
            future,
            *(
                {"accuracy_bidirectional": 0.8 + gain + noise, "accuracy_forward": 0.8}
                for noise in (-scatter, 0.0, scatter)
            ),
        )

    assert verdict(0.15) is Verdict.HOLDS
    assert verdict(0.0) is Verdict.REFUTED
    assert verdict(-0.3) is Verdict.REFUTED
    assert verdict(0.15, scatter=0.1) is Verdict.UNDECIDED


def test_leak_rule_asks_for_the_leak_and_for_the_refusal():
    def verdict(within, end, refused=1.0):
        measured = seeds_of(error_within_rel=within, error_at_end_rel=end)
        return verdict_of(leak, *({**one, "refused": refused} for one in measured))

    assert verdict(0.01, 1.0) is Verdict.HOLDS
    assert verdict(0.01, 1.0, refused=0.0) is Verdict.REFUTED
    assert verdict(1.0, 1.0) is Verdict.REFUTED
    assert verdict(0.01, 0.5) is Verdict.UNDECIDED


def test_forecasting_refuses_to_read_backwards_and_takes_what_reads_forwards():
    assert leak._refused(True)
    assert not leak._refused(False)


@pytest.mark.slow
def test_future_holds_and_its_control_does_not(monkeypatch):
    monkeypatch.setitem(future.STEPS, "quick", 250)
    claimed, control = (
        future.holds([future.measure(seed, turned, "quick") for seed in range(2)])
        for turned in (False, True)
    )
    gain, loss = (found.estimates[2].value for found in (claimed, control))
    assert gain > future.GAIN > loss
