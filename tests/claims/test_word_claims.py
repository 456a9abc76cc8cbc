"""Claims of the chapters on word vectors, language models and BERT."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.claims.bert import pretraining
from shinso.claims.claim import Verdict
from shinso.claims.language_model import softmax
from shinso.claims.word2vec import cost, meaning, vocabulary
from shinso.figures import style
from tests.claims.claim_checks import check_drawing, check_texts, measured_twice, verdict_of

EVERY = {
    "word2vec.vocabulary": vocabulary,
    "word2vec.cost": cost,
    "word2vec.meaning": meaning,
    "language-model.softmax": softmax,
    "bert.pretraining": pretraining,
}
TIMED = {"word2vec.cost"}
"""What these measure are seconds, which do not come out the same twice."""


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    monkeypatch.setitem(cost.STEPS, "quick", 2)
    monkeypatch.setattr(meaning, "PASSES", 1)
    monkeypatch.setitem(softmax.STEPS, "quick", 4)
    monkeypatch.setattr(softmax, "ORDERS", (2,))
    monkeypatch.setattr(softmax, "UNSEEN", 500)
    characters = softmax._characters
    monkeypatch.setattr(softmax, "_characters", lambda: (characters()[0][:40_000], 90))
    monkeypatch.setitem(pretraining.STEPS, "quick", 6)
    monkeypatch.setattr(pretraining, "TUNING", 7)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    if name in TIMED:
        own, control = (module.measure(3, without, "quick") for without in (False, True))
    else:
        own, control = measured_twice(module), measured_twice(module, control=True)
    check_drawing(module, own, control)


def seeds(**values):
    """Three seeds with a scatter of 0.001 around each value."""
    return [{name: v + noise for name, v in values.items()} for noise in (-0.001, 0.0, 0.001)]


def test_vocabulary_rule_asks_for_one_length_and_for_coverage():
    def verdict(covered, words=15, rows=1):
        given = [
            {"covered_share": covered + noise, "lengths_of_words": words, "lengths_of_rows": rows}
            for noise in (-0.001, 0.0, 0.001)
        ]
        return verdict_of(vocabulary, *given)

    assert verdict(0.9) is Verdict.HOLDS
    assert verdict(0.5) is Verdict.REFUTED
    assert verdict(0.85) is Verdict.UNDECIDED
    assert verdict(0.9, rows=2) is Verdict.REFUTED
    assert verdict(0.9, words=3) is Verdict.REFUTED


def test_cost_rule_asks_for_flat_and_steep():
    def verdict(looked_up, one_hot):
        given = seeds(exponent_looked_up=looked_up, exponent_one_hot=one_hot)
        return verdict_of(
            cost, *[{**one, "numbers_dense": 1.0, "numbers_square": 2.0} for one in given]
        )

    assert verdict(0.05, 1.0) is Verdict.HOLDS
    assert verdict(0.9, 1.0) is Verdict.REFUTED
    assert verdict(0.05, 0.2) is Verdict.REFUTED
    assert verdict(0.35, 1.0) is Verdict.UNDECIDED


def test_meaning_rule_names_what_it_beats():
    def found(random, counted):
        learnt = 0.3
        return seeds_of_difference(learnt, random, counted)

    def seeds_of_difference(learnt, random, counted):
        return [
            {
                "yardstick": "groups",
                "score_learnt": learnt,
                "score_random": learnt - random + noise,
                "score_counted": learnt - counted - noise,
            }
            for noise in (-0.01, 0.0, 0.01)
        ]

    assert verdict_of(meaning, *found(0.3, 0.1)) is Verdict.HOLDS
    conditional = meaning.holds(found(0.3, -0.1))
    assert conditional.verdict is Verdict.CONDITIONALLY
    assert "random" in conditional.condition.en
    assert verdict_of(meaning, *found(-0.3, -0.3)) is Verdict.REFUTED
    assert verdict_of(meaning, *found(0.0, 0.0)) is Verdict.UNDECIDED
    assert verdict_of(meaning, *found(0.0, 0.0) * 4) is Verdict.REFUTED


def test_meaning_says_what_its_scores_are_compared_with():
    def shown(yardstick):
        scores = {"score_learnt": 0.3, "score_random": 0.0, "score_counted": 0.2}
        measured = [{"yardstick": yardstick, **scores}] * 2
        figure = style.figure(7.2, 3.7)
        meaning.draw(figure, measured, [])
        return figure.axes[0].get_ylabel(), meaning.holds(measured).because.en

    for said in shown("groups"):
        assert "groups made by hand" in said
        assert "people" not in said
    for said in shown("ratings"):
        assert "people's ratings" in said


def test_groups_are_in_the_text_and_no_word_is_in_two():
    words = [word for group in meaning.GROUPS for word in group]
    assert len(set(words)) == len(words) == 60
    corpus, _pairs = meaning._material("quick")
    assert not set(words) - set(corpus.words)


def test_softmax_rule_compares_bits():
    assert verdict_of(softmax, *bits(2.0, 2.2)) is Verdict.HOLDS
    assert verdict_of(softmax, *bits(2.4, 2.2)) is Verdict.REFUTED
    assert verdict_of(softmax, *bits(2.2, 2.2, scatter=0.1)) is Verdict.UNDECIDED


def test_softmax_is_not_refuted_by_a_network_that_is_still_learning():
    assert verdict_of(softmax, *bits(2.4, 2.2, fall=0.3)) is Verdict.UNDECIDED
    assert verdict_of(softmax, *bits(2.0, 2.2, fall=0.3)) is Verdict.HOLDS


def test_softmax_names_each_order_once():
    same = bits(2.0, 2.2)
    assert "order 5 need" in softmax.holds(same).because.en
    assert "次数 5 の" in softmax.holds(same).because.ja
    other = [{**same[0], "order": 7.0}, *same[1:]]
    assert "order 5 or 7 need" in softmax.holds(other).because.en


def bits(network, ngram, scatter=0.001, fall=0.01):
    """Three seeds; fall: of the training loss from the third quarter of the steps to the last."""
    return [
        {
            "bits_network": network + noise, "bits_ngram": ngram, "order": 5.0,
            "bits_learnt": [4.0, 3.0, network + fall + noise, network],
        }
        for noise in (-scatter, 0.0, scatter)
    ]  # fmt: skip


def test_pretraining_rule_asks_for_a_gain():
    def verdict(tuned, alone, scatter=0.001):
        given = [
            {"accuracy_tuned": tuned + noise, "accuracy_alone": alone}
            for noise in (-scatter, 0.0, scatter)
        ]
        return verdict_of(pretraining, *given)

    assert verdict(0.9, 0.7) is Verdict.HOLDS
    assert verdict(0.7, 0.7) is Verdict.REFUTED
    assert verdict(0.75, 0.7, scatter=0.05) is Verdict.UNDECIDED


@pytest.mark.parametrize("seed", range(3))
def test_labels_alone_give_the_same_without_the_cause(seed, monkeypatch):
    monkeypatch.setattr(pretraining, "TUNING", 60)  # a network that names all alike proves nothing
    own, control = (pretraining.measure(seed, cut, "quick") for cut in (False, True))
    assert own["accuracy_alone"] == control["accuracy_alone"] > 0.55
    assert own["accuracy_tuned"] != control["accuracy_tuned"]


def test_shuffling_moves_words_and_leaves_the_signs():
    raw, _subjects = pretraining._sentences(40, np.random.default_rng(0))
    mixed = pretraining._shuffled(raw, np.random.default_rng(1))
    for place in (0, -1):
        assert (mixed[:, place] == raw[:, place]).all()
    assert (mixed[:, 1:-1] != raw[:, 1:-1]).any(axis=1).all()
    assert (np.sort(mixed, axis=None) == np.sort(raw, axis=None)).all()


def test_sentences_are_about_one_subject_each():
    pieces, subjects = pretraining._sentences(40, np.random.default_rng(0))
    own = (pieces[:, 1:-1] - 5) // pretraining.OWN
    for subject in range(pretraining.SUBJECTS):
        counts = (own[subjects == subject] == subject).sum(axis=1)
        assert (counts == pretraining.ABOUT).all()
        others = [s for s in range(pretraining.SUBJECTS) if s != subject]
        assert not np.isin(own[subjects == subject], others).any()
