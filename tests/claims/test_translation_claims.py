"""Claims of the chapters on Seq2Seq, attention and the Transformer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shinso.claims import translation_training as training
from shinso.claims.attention import alignment, length
from shinso.claims.claim import Verdict
from shinso.claims.seq2seq import translate as seq2seq_translate
from shinso.claims.transformer import parallel
from shinso.claims.transformer import translate as transformer_translate
from shinso.data.subwords import FIRST_PIECE
from shinso.language import Text
from shinso.models.seq2seq import Seq2Seq
from shinso.models.transformer import Transformer
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    numbers_in,
    seeds_of,
    verdict_of,
)

LEARNING = {
    "seq2seq.translate": seq2seq_translate,
    "attention.alignment": alignment,
    "attention.length": length,
    "transformer.translate": transformer_translate,
}
EVERY = {**LEARNING, "transformer.parallel": parallel}


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    for module in LEARNING.values():
        monkeypatch.setitem(module.STEPS, "quick", 2)
    for module, name, value in (
        (alignment, "PAIRS", 200), (length, "PAIRS", 200), (length, "KEPT", 4),
        (seq2seq_translate, "KEPT", 8), (transformer_translate, "KEPT", 8),
        (parallel, "LENGTHS", (4, 8)),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    monkeypatch.setitem(parallel.PASSES, "quick", 1)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", LEARNING)
def test_measurement_repeats_and_is_drawn(name):
    module = LEARNING[name]
    first = measured_twice(module)
    check_drawing(module, first, module.measure(3, True, "quick"))


def test_times_are_positive_and_drawn():
    first, control = (parallel.measure(0, cut, "quick") for cut in (False, True))
    assert min(numbers_in(first)) > 0
    check_drawing(parallel, first, control)


def test_translate_rule_asks_for_more_than_the_better_rival():
    def verdict(own: float) -> Verdict:
        rows = [
            {"bleu_seq2seq": own + noise, "bleu_copy": 3.0, "bleu_unigram": 20.0}
            for noise in (-0.5, 0.0, 0.5)
        ]
        return verdict_of(seq2seq_translate, *rows)

    assert verdict(30.0) is Verdict.HOLDS
    assert verdict(10.0) is Verdict.REFUTED
    assert verdict(20.2) is Verdict.UNDECIDED


def test_alignment_rule_asks_for_most_words():
    for share, verdict in (
        (0.95, Verdict.HOLDS), (0.2, Verdict.REFUTED), (0.65, Verdict.UNDECIDED),
    ):  # fmt: skip
        assert verdict_of(alignment, *seeds_of(found_share=share)) is verdict


def test_length_rule_compares_what_is_lost():
    def verdict(fixed: float, attentive: float) -> Verdict:
        return verdict_of(length, *seeds_of(lost_none=fixed, lost_luong=attentive))

    assert verdict(0.6, 0.1) is Verdict.HOLDS
    assert verdict(0.5, 0.7) is Verdict.REFUTED
    assert verdict(0.6, 0.5) is Verdict.UNDECIDED
    assert verdict(-0.1, -0.1) is Verdict.REFUTED


def test_transformer_rule_compares_bleu():
    def verdict(gru: float, transformer: float) -> Verdict:
        rows = [
            {"bleu_gru": gru + noise, "bleu_transformer": transformer - noise}
            for noise in (-1.0, 0.0, 1.0)
        ]
        return verdict_of(transformer_translate, *rows)

    assert verdict(40.0, 60.0) is Verdict.HOLDS
    assert verdict(60.0, 40.0) is Verdict.REFUTED
    assert verdict(50.0, 51.0) is Verdict.UNDECIDED


def test_parallel_rule_counts_the_lengths_won(monkeypatch):
    def verdict(*ratios: float) -> Verdict:
        named = {f"ratio_{n}": ratio for n, ratio in zip(parallel.LENGTHS, ratios, strict=True)}
        return verdict_of(parallel, *seeds_of(**named))

    assert verdict(2.0, 3.0) is Verdict.HOLDS
    assert verdict(0.5, 3.0) is Verdict.CONDITIONALLY
    assert verdict(0.5, 0.3) is Verdict.REFUTED
    assert verdict(0.5, 1.0) is Verdict.UNDECIDED


def test_parallel_condition_tells_where_it_is_slower(monkeypatch):
    monkeypatch.setattr(parallel, "LENGTHS", (16, 64, 256, 1024))

    def condition(*ratios: float) -> Text:
        named = {f"ratio_{n}": ratio for n, ratio in zip(parallel.LENGTHS, ratios, strict=True)}
        found = parallel.holds(seeds_of(**named)).condition
        assert found is not None
        return found

    beginning = condition(1.3, 1.3, 1.2, 0.6)
    assert beginning.en == "up to 256 words; slower than the LSTM at 1,024"
    assert beginning.ja == "256 語以下のとき。1,024 語では LSTM より遅い"
    scattered = condition(0.6, 1.3, 1.2, 1.0)
    assert scattered.en == "at 64 and 256 words; slower than the LSTM at 16; undecided at 1,024"
    assert scattered.ja == "64、256 語のとき。16 語では LSTM より遅い。1,024 語では判定できない"


def test_parallel_ratios_keep_their_digits():
    named = {f"ratio_{n}": 0.024 for n in parallel.LENGTHS}
    because = parallel.holds(seeds_of(**named)).because
    assert "0.024" in because.en
    assert "0.024" in because.ja


def test_chance_of_alignment_is_one_word_a_sentence():
    pairs = training.reversals(np.random.default_rng(0), 3000, 20, alignment.LENGTHS)
    words = sum(len(source) - 1 for source in pairs.source)
    assert abs(len(pairs.source) / words - 1 / 7) < 0.01


def test_reversals_are_what_they_say():
    pairs = training.reversals(np.random.default_rng(0), 30, 20, range(2, 5))
    for source, target in zip(pairs.source, pairs.target, strict=True):
        words, answer = source[:-1], target[1:-1]
        assert 2 <= len(words) == len(answer) <= 4
        for one, other in zip(words, reversed(answer), strict=True):
            assert other - FIRST_PIECE == (7 * (one - FIRST_PIECE) + 3) % 20
    with pytest.raises(ValueError, match="7 does not divide"):
        training.reversals(np.random.default_rng(0), 1, 14, range(2, 5))


def test_averaged_attention_looks_at_all_words_alike():
    source, target = torch.tensor([[5, 6, 7, 3]]), torch.tensor([[2, 8]])
    sizes = {"num_source": 12, "num_target": 12}
    for model in (
        Seq2Seq(Seq2Seq.Config(attention="luong", hidden=4), **sizes),
        Seq2Seq(Seq2Seq.Config(attention="bahdanau", hidden=4), **sizes),
        Transformer(Transformer.Config(width=8, heads=2), **sizes),
    ):
        training.average_attention(model)
        pairs = training.ParallelSamples([[5, 6, 7]], [[8, 9]])
        training.learn(model, pairs, seed=0, steps=3, tokens=50, lr=0.1)
        weights = model.alignment(source, None, target)
        torch.testing.assert_close(weights, torch.full((1, 2, 4), 0.25))


def test_cut_off_decoder_writes_the_same_of_every_sentence():
    torch.manual_seed(0)
    model = Seq2Seq(Seq2Seq.Config(attention="none"), num_source=12, num_target=12).eval()
    source, target = torch.tensor([[5, 6, 3], [7, 8, 3]]), torch.tensor([[2, 9], [2, 9]])
    before = model(source, None, target)
    assert not torch.equal(before[0], before[1])
    seq2seq_translate._cut_off(model)
    after = model(source, None, target)
    assert torch.equal(after[0], after[1])


def test_both_translators_have_as_many_parameters():
    sizes = [
        sum(p.numel() for p in transformer_translate.make(kind, 300).parameters())
        for kind in transformer_translate.KINDS
    ]
    assert abs(sizes[0] / sizes[1] - 1) < 0.05, sizes


def test_both_layers_have_as_many_parameters():
    sizes = [sum(p.numel() for p in one.parameters()) for one in parallel.layers()]
    assert abs(sizes[0] / sizes[1] - 1) < 0.1, sizes
