"""Subwords: any text comes back, the same text gives the same model."""

from __future__ import annotations

import json

import pytest

from shinso.data import samples
from shinso.data.parallel_text import read_pairs
from shinso.data.subwords import BEGIN, END, FIRST_PIECE, PAD, UNKNOWN, Subwords
from shinso.faults import DataFault

PAIRS = read_pairs([samples.path("dates.en-ja.tsv")])


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_raw_text_of_both_languages_comes_back_as_it_was(kind):
    learnt = Subwords.train((*PAIRS.source, *PAIRS.target), 300, kind)
    assert len(learnt) <= 300
    for sentences in (PAIRS.source[:50], PAIRS.target[:50]):
        pieces = learnt.encode(sentences)
        assert min(map(min, pieces)) >= FIRST_PIECE
        assert [learnt.decode([BEGIN, *one, END, PAD]) for one in pieces] == list(sentences)
        assert "".join(learnt.spelled(pieces[0])).replace("▁", " ").strip() == sentences[0]


def test_the_same_text_gives_the_same_model_and_text_keeps_it():
    one, two = (Subwords.train(PAIRS.target, 200) for _ in range(2))
    assert one.model == two.model
    back = Subwords.from_text(json.loads(json.dumps(one.to_text())))
    assert back.encode(PAIRS.target) == one.encode(PAIRS.target)


def test_letters_never_seen_are_unknown_and_nothing_fails():
    learnt = Subwords.train(PAIRS.source, 100)
    (pieces,) = learnt.encode(["猫 sleeps"])
    assert UNKNOWN in pieces
    assert learnt.encode([""]) == [[]]


def test_size_is_what_the_text_can_give():
    few = Subwords.train(["ab ab", "abc"], 1000)
    assert len(few) < 20
    assert few.decode(few.encode(["abc"])[0]) == "abc"
    with pytest.raises(DataFault, match="DATA-SUBWORDS"):
        Subwords.train(PAIRS.source, 10)
