"""The glossary: complete, without doubles, in the order of its readers."""

import re

import pytest

from shinso.report import glossary


def test_every_term_is_there_in_both_languages():
    assert len(glossary.terms()) >= 170
    for term in glossary.terms():
        assert re.fullmatch(r"[ぁ-ゖー]+", term.reading), term.reading
        assert re.search(r"[A-Za-z]", term.name.en)
        assert re.search(r"[぀-ヿ一-鿿]", term.name.ja + term.meaning.ja)
        assert term.meaning.en.endswith(".")
        assert term.meaning.ja.endswith("。")


def test_no_term_stands_twice():
    for names in zip(*((t.name.en, t.name.ja, t.reading) for t in glossary.terms()), strict=True):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "english",
    [
        "LSTM (long short-term memory)", "beam search", "skip-gram", "attention mechanism",
        "variational autoencoder (VAE)", "Q-learning", "Monte Carlo tree search (MCTS)",
        "data parallelism", "model parallelism", "quantization", "distillation", "pruning",
        "depthwise separable convolution", "growth rate", "batch normalization",
        "layer normalization", "instance normalization", "causal convolution", "n-gram",
        "self-attention", "masked language model", "non-maximum suppression (NMS)",
        "semantic segmentation",
    ],
)  # fmt: skip
def test_chapters_of_the_course_have_their_terms(english):
    assert english in {term.name.en for term in glossary.terms()}


def test_file_stands_in_the_order_of_the_alphabet():
    assert list(glossary.terms()) == glossary.in_order("en")


def test_order_is_that_of_the_reader():
    english = [term.name.en for term in glossary.in_order("en")]
    assert english == sorted(english, key=str.casefold)
    assert english[0] == "ablation"
    assert set(english) == {term.name.en for term in glossary.in_order("ja")}


@pytest.mark.parametrize(
    ("reading", "plain"),
    [("ばーと", "はあと"), ("きゅーがくしゅう", "きゆうかくしゆう"), ("ぷーりんぐ", "ふうりんく")],
)
def test_japanese_terms_are_compared_as_dictionaries_do(reading, plain):
    assert glossary.plain_kana(reading) == plain


def test_terms_stand_below_their_initials():
    english, japanese = glossary.by_initial("en"), glossary.by_initial("ja")
    assert [first for first, _terms in japanese] == list("あかさたなはまやらわ")
    assert [first for first, _terms in english] == sorted({first for first, _terms in english})
    for found, row in (
        (japanese[1], "かきくけこがぎぐげご"),
        (japanese[5], "はひふへほばびぶべぼぱぴぷぺぽ"),
    ):
        assert {term.reading[0] for term in found[1]} <= set(row)
    for initials in (english, japanese):
        assert sum(len(some) for _first, some in initials) == len(glossary.terms())
