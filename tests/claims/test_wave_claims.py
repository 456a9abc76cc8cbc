"""Claims on WaveNet, autoencoders and dialogue: their texts, their rules, their measurements."""

from __future__ import annotations

import time

import pytest

from shinso.claims import dialogue_training, sequence_training
from shinso.claims.autoencoder import unsupervised
from shinso.claims.claim import Verdict
from shinso.claims.hred import context
from shinso.claims.vae import prior
from shinso.claims.vhred import variation
from shinso.claims.wavenet import causal, efficiency, joint, receptive_field
from shinso.figures import style
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    seeds_of,
    verdict_of,
)

EVERY = {
    "wavenet.causal": causal,
    "wavenet.receptive-field": receptive_field,
    "wavenet.joint": joint,
    "wavenet.efficiency": efficiency,
    "autoencoder.unsupervised": unsupervised,
    "vae.prior": prior,
    "hred.context": context,
    "vhred.variation": variation,
}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    monkeypatch.setitem(efficiency.MOST_STEPS, "quick", 10)
    monkeypatch.setitem(unsupervised.STEPS, "quick", 3)
    monkeypatch.setitem(prior.STEPS, "quick", 3)
    monkeypatch.setitem(dialogue_training.STEPS, "quick", 2)
    monkeypatch.setattr(variation, "ANSWERED", 3)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "wavenet.efficiency"])
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


def test_steps_repeat_where_seconds_cannot():
    one, two = (efficiency.measure(3, False, "quick") for _ in range(2))
    steps = {name: value for name, value in one.items() if not name.startswith("seconds")}
    assert steps == {name: two[name] for name in steps}
    check_drawing(efficiency, one, efficiency.measure(3, True, "quick"))


def test_compiling_is_not_counted_as_learning(monkeypatch):
    true, waited = sequence_training.learner_of, []

    class SlowAtFirst:
        def __init__(self, learner):
            self.learner = learner

        def step(self, batch):
            if not waited:
                end = time.process_time() + 1.0
                while time.process_time() < end:
                    pass
                waited.append(1.0)
            return self.learner.step(batch)

    monkeypatch.setattr(
        sequence_training, "learner_of", lambda *some, **more: SlowAtFirst(true(*some, **more))
    )
    found = efficiency.measure(3, False, "quick")
    assert waited
    assert found["seconds_wavenet"] < 0.9


@pytest.mark.parametrize("module", [causal, receptive_field, joint])
def test_exact_claims_hold_and_their_controls_do_not(module):
    assert verdict_of(module, module.measure(0, False, "quick")) is Verdict.HOLDS
    assert verdict_of(module, module.measure(0, True, "quick")) is Verdict.REFUTED


def test_efficiency_rule_wants_fewer_steps_and_less_time():
    def measured(rnn, lstm, seconds=1.0, learned=1.0):
        parts = {"steps_wavenet": 100.0, "steps_rnn": rnn, "steps_lstm": lstm}
        times = {"seconds_wavenet": seconds, "seconds_rnn": 2.0, "seconds_lstm": 2.0}
        scattered = seeds_of(**parts, **times)
        for place, one in enumerate(scattered):  # the ratio scatters, too
            one["steps_wavenet"] *= 1 + 0.02 * place
            one["seconds_wavenet"] *= 1 + 0.02 * place
            one["learned"] = learned
        return scattered

    assert verdict_of(efficiency, *measured(300.0, 300.0)) is Verdict.HOLDS
    only = efficiency.holds(measured(300.0, 60.0))
    assert only.verdict is Verdict.CONDITIONALLY
    assert "RNN" in only.condition.en
    assert verdict_of(efficiency, *measured(300.0, 300.0, seconds=5.0)) is Verdict.UNDECIDED
    assert verdict_of(efficiency, *measured(50.0, 50.0)) is Verdict.REFUTED
    assert verdict_of(efficiency, *measured(300.0, 300.0, learned=0.0)) is Verdict.REFUTED


def test_unsupervised_rule_asks_for_less_error_than_pca():
    def verdict(error):
        rows = seeds_of(error=error, error_pca=0.03, error_mean=0.07)
        rows[0]["error"] *= 0.98
        return verdict_of(unsupervised, *rows)

    assert verdict(0.02) is Verdict.HOLDS
    assert verdict(0.04) is Verdict.REFUTED
    assert verdict(0.03) is Verdict.UNDECIDED


def test_prior_rule_asks_for_both_networks():
    def verdict(vae, plain):
        rows = seeds_of(distance_vae=vae, distance_autoencoder=plain)
        return verdict_of(prior, *({**row, "variances_vae": [1.0]} for row in rows))

    assert verdict(0.05, 0.5) is Verdict.HOLDS
    assert verdict(0.3, 0.5) is Verdict.REFUTED
    assert verdict(0.05, 0.05) is Verdict.UNDECIDED


def test_context_rule_asks_for_a_difference():
    def verdict(hred, alone, scatter=0.001):
        rows = [{"nats_hred": hred + scatter * place, "nats_alone": alone} for place in (-1, 0, 1)]
        return verdict_of(context, *rows)

    assert verdict(3.0, 3.1) is Verdict.HOLDS
    assert verdict(3.1, 3.0) is Verdict.REFUTED
    assert verdict(3.0, 3.0) is Verdict.REFUTED
    assert verdict(3.0, 3.1, scatter=0.5) is Verdict.UNDECIDED


def test_context_rule_takes_a_tiny_difference_for_none():
    def verdict(difference, scatter):
        rows = [
            {"nats_hred": 3.0 + difference + scatter * place, "nats_alone": 3.0}
            for place in (-1, 0, 1)
        ]
        return verdict_of(context, *rows)

    assert verdict(-0.0025, 0.0005) is Verdict.REFUTED
    assert verdict(-0.005, 0.001) is Verdict.UNDECIDED


def test_context_names_the_direction_of_the_perplexity():
    def because(hred, alone):
        return context.holds(
            [{"nats_hred": hred + 0.001 * place, "nats_alone": alone} for place in (-1, 0, 1)]
        ).because

    worse, better = because(3.01, 3.0), because(2.99, 3.0)
    assert "higher by 1.0%" in worse.en
    assert "1.0% 高い" in worse.ja
    assert "lower by 1.0%" in better.en
    assert "1.0% 低い" in better.ja


def test_variation_rule_asks_for_use_and_for_variety():
    def verdict(kl, distinct, entropy):
        return verdict_of(variation, *talks(kl, distinct, entropy))

    assert verdict(3.0, 0.1, 0.3) is Verdict.HOLDS
    assert verdict(3.0, 0.1, -0.3) is Verdict.CONDITIONALLY
    assert verdict(3.0, -0.1, 0.3) is Verdict.CONDITIONALLY
    assert verdict(0.01, 0.1, 0.3) is Verdict.REFUTED
    assert verdict(3.0, -0.1, -0.3) is Verdict.REFUTED
    assert verdict(3.0, 0.0, 0.0) is Verdict.UNDECIDED


def test_variation_says_whether_the_bound_is_worse():
    worse = variation.holds(talks(3.0, 0.1, 0.3, bound=0.3)).because
    assert "0.300 nats a word worse" in worse.en
    assert "0.300 nats 悪い" in worse.ja
    assert (
        "0.300 nats a word better" in variation.holds(talks(3.0, 0.1, 0.3, bound=-0.3)).because.en
    )


def test_variation_has_one_legend_outside_its_axes():
    figure = style.figure(7.2, 3.7)
    variation.draw(figure, rows := [{**one, "kl_hred": 0.0} for one in talks(3.0, 0.1, 0.3)], rows)
    assert len(figure.legends) == 1
    assert not any(axes.get_legend() for axes in figure.axes)


def talks(kl, distinct, entropy, bound=0.0):
    """Three seeds; distinct, entropy, bound: what VHRED has more than HRED."""
    return [
        {
            "kl_vhred": kl + 0.01 * place, "nats_vhred": 3.0 + bound,
            "nats_hred": 3.0 + 0.01 * place,
            "distinct_hred": 0.1, "distinct_vhred": 0.1 + distinct + 0.001 * place,
            "entropy_hred": 2.0, "entropy_vhred": 2.0 + entropy + 0.001 * place,
        }
        for place in (-1, 0, 1)
    ]  # fmt: skip
