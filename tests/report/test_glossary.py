"""The glossary: complete, without doubles, in the order of its readers."""

import re

from shinso.report import glossary


def test_every_term_is_there_in_both_languages():
    assert len(glossary.terms()) >= 40
    for term in glossary.terms():
        assert re.fullmatch(r"[ぁ-ゖー]+", term.reading), term.reading
        assert re.search(r"[A-Za-z]", term.name.en)
        assert re.search(r"[぀-ヿ一-鿿]", term.name.ja + term.meaning.ja)
        assert term.meaning.en.endswith(".")
        assert term.meaning.ja.endswith("。")


def test_no_term_stands_twice():
    for names in zip(*((t.name.en, t.name.ja, t.reading) for t in glossary.terms()), strict=True):
        assert len(set(names)) == len(names)


def test_order_is_that_of_the_reader():
    english = [term.name.en for term in glossary.in_order("en")]
    japanese = [term.reading for term in glossary.in_order("ja")]
    assert english == sorted(english, key=str.casefold)
    assert japanese == sorted(japanese)
    assert english[0] == "ablation"
    assert set(english) == {term.name.en for term in glossary.in_order("ja")}
