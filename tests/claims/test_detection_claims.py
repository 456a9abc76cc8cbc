"""Claims of the chapter on object detection."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.claims.claim import Verdict
from shinso.claims.detection import hard_negatives, nms, scales, stages
from shinso.objectives.detection_scores import Answers, Truths
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EVERY = {
    "detection.hard-negatives": hard_negatives,
    "detection.scales": scales,
    "detection.nms": nms,
    "detection.stages": stages,
}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    for module in EVERY.values():
        monkeypatch.setitem(module.STEPS, "quick", 2)
        monkeypatch.setattr(module, "LEARNT", 16)
        monkeypatch.setattr(module, "KEPT", 6)
    # Seconds never come out the same twice; everything else must.
    monkeypatch.setattr(stages, "_seconds", lambda _run: 0.5)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


@pytest.mark.parametrize(
    ("module", "better", "worse", "margin"),
    [
        (hard_negatives, "ap_hard", "ap_random", 0.0),
        (scales, "ap_several", "ap_one", 0.05),
        (nms, "ap_with", "ap_without", 0.05),
    ],
)
def test_rules_look_at_the_difference_in_ap(module, better, worse, margin):
    def verdict(gain, scatter=0.001):
        rows = [{better: 0.5 + gain + noise, worse: 0.5} for noise in (-scatter, 0.0, scatter)]
        return verdict_of(module, *rows)

    assert verdict(margin + 0.02) is Verdict.HOLDS
    assert verdict(margin - 0.02) is Verdict.REFUTED
    assert verdict(margin, scatter=0.05) is Verdict.UNDECIDED


def test_two_stages_must_be_better_and_slower():
    def verdict(two, ms, fit=1.0):
        both = seeds_of(
            ap_two=two, ap_one=0.5, fit_two=fit, fit_one=1.0, ms_two=ms, ms_one=1.0
        )  # fmt: skip
        return verdict_of(stages, *both)

    assert verdict(0.8, 2.0) is Verdict.HOLDS
    assert verdict(0.8, 0.5) is Verdict.REFUTED
    assert verdict(0.2, 2.0) is Verdict.REFUTED
    # A detector that has not learnt its own training canvases says nothing of accuracy.
    assert verdict(0.2, 2.0, fit=0.5) is Verdict.UNDECIDED


def test_second_answers_of_a_class_to_one_object_go_and_others_stay():
    answers = Answers(
        np.array([[0.0, 0, 10, 10], [0, 1, 10, 11], [0, 1, 10, 11], [40, 40, 50, 50]]),
        np.array([0.5, 0.9, 0.8, 0.1]),
        np.array([0, 0, 1, 0]),
    )
    found = nms._once(answers, Truths(np.array([[0.0, 0, 10, 10]]), np.array([0])))
    assert sorted(found.scores.tolist()) == [0.1, 0.8, 0.9]
