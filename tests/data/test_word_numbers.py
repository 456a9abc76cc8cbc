"""Words as numbers in one pass: what a dictionary and a regular expression give, for any text."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data.known_words import read_known
from shinso.data.word_corpus import num_words, read_corpus
from shinso.data.word_numbers import TextPieces, WordNumbers, numbers_on_disk
from shinso.faults import DataFault

SHARES = (Fraction(8, 10), Fraction(1, 10), Fraction(1, 10))
texts = st.text(st.sampled_from("ab'_1 \n.é“日　"), max_size=60)


def by_dictionary(text: str, pattern: str) -> tuple[list[int], list[str]]:
    known: dict[str, int] = {}
    numbers: list[int] = []
    for place, line in enumerate(text.split("\n")):
        if place:
            numbers.append(-1)
        numbers += [known.setdefault(word, len(known)) for word in re.findall(pattern, line)]
    return numbers, list(known)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_numbers_match_a_dictionary_for_any_text(text):
    for tokens, pattern in (("words", r"\w+(?:'\w+)*"), ("spaces", r"\S+")):
        numbering = WordNumbers(tokens, lower=False)  # type: ignore[arg-type]
        numbers = numbering.of(text).tolist()
        assert (numbers, numbering.words()) == by_dictionary(text, pattern)


def test_tables_grow_with_the_words():
    words = [f"w{n}" for n in range(70_000)]
    numbering = WordNumbers("words", lower=True)
    numbers = numbering.of(" ".join(words + words[::-1]))
    assert numbering.words() == words
    np.testing.assert_array_equal(numbers, np.r_[np.arange(70_000), np.arange(70_000)[::-1]])


def test_a_word_of_a_million_letters_finds_room():
    numbering = WordNumbers("spaces", lower=False)
    long = "x" * 1_000_000
    assert numbering.of(f"a {long} a {long}").tolist() == [0, 1, 0, 1]
    assert numbering.words()[1] == long


def test_known_words_keep_their_numbers_and_others_are_left_out():
    numbering = WordNumbers("words", lower=True, known=["new_york", "b's", "c"])
    assert numbering.of("C d b's\nnew_york").tolist() == [2, 1, -1, 0]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_pieces_join_to_the_text_however_it_is_packed_and_cut(tmp_path, pack):
    text = "".join(f"line {n} of the text é\n" for n in range(200)) + "no end"
    path = tmp_path / "text"
    path.write_bytes(pack(text.encode()))
    pieces = TextPieces(path, piece=97)
    assert "".join(pieces) == text
    assert len(pieces.sha256) == 64


def test_cp932_is_read_and_said(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(("ascii\n" * 50 + "単語の意味は周りの単語で決まる。\n").encode("cp932"))
    pieces = TextPieces(path, piece=100)
    assert "周りの単語" in "".join(pieces)
    assert "cp932" in pieces.notes[0]


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (b"", "DATA-EMPTY", ""),
        (b" \n\n", "DATA-EMPTY", ""),
        ("é\n".encode() * 30 + b"caf\xe9 noir\n", "DATA-ENCODING", ":31"),
        (b"good\n\x00\x01\x02", "DATA-FORMAT", ""),
        (("words\n" * 9).encode("utf-16"), "DATA-ENCODING", "text"),
        (gzip.compress(b"words " * 1000, mtime=0)[:-20], "DATA-FORMAT", ""),
    ],
)
def test_what_is_no_text_is_a_fault_with_its_line(tmp_path, content, code, place):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(DataFault) as raised:
        list(TextPieces(path))
    assert raised.value.code == code
    assert raised.value.place.endswith(place)
    assert raised.value.next_step


def test_a_broken_line_is_placed_in_a_later_piece(tmp_path):
    """Of a text that is UTF-8 nobody is told to convert it from Latin-1."""
    path = tmp_path / "text"
    path.write_bytes("é\n".encode() * 30 + b"caf\xe9 noir\nnext line\n")
    for piece in (40, 1 << 20):
        with pytest.raises(DataFault) as raised:
            list(TextPieces(path, piece=piece))
        assert raised.value.place.endswith(":31")
        assert "iconv" not in raised.value.next_step
        assert "next" not in raised.value.found


def test_missing_file_is_a_fault(tmp_path):
    with pytest.raises(DataFault, match="DATA-NOT-FOUND"):
        list(TextPieces(tmp_path / "none"))


def corpus_of(tmp_path, text, **settings):
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8")
    return read_corpus(path, **{"min_count": 1, "shares": SHARES, **settings})


def test_corpus_keeps_frequent_words_and_every_line(tmp_path):
    corpus = corpus_of(tmp_path, "the cat the dog\nthe bird\n" * 20, min_count=5)
    assert corpus.words[0] == "the"
    assert set(corpus.words) == {"the", "cat", "dog", "bird"}
    train = corpus.parts["train"]
    assert corpus.counts.sum() == num_words(train)
    number = corpus.words.index
    assert train[:5].tolist() == [0, number("cat"), 0, number("dog"), -1]


def test_phrases_join_what_stands_together(tmp_path):
    line = "we saw new york and the old town\nthe new house and york road\n"
    # "york road" and "new house" occur often enough too, but their words also stand elsewhere.
    more = "house road town old we saw the and\n"
    corpus = corpus_of(tmp_path, (line + more * 3) * 20, phrases=1, threshold=1.6, min_count=2)
    assert "new_york" in corpus.words
    assert "and_the" not in corpus.words
    plain = corpus_of(tmp_path, (line + more * 3) * 20, min_count=2)
    assert "new_york" not in plain.words


def test_one_word_corpora_are_faults(tmp_path):
    for text in ("word", "word " * 1000, "a b c d"):
        with pytest.raises(DataFault, match=r"DATA-FEW-WORDS|DATA-TOO-SHORT"):
            corpus_of(tmp_path, text, min_count=5)


def test_a_single_line_of_a_million_letters_is_split_within(tmp_path):
    corpus = corpus_of(tmp_path, "one two three four " * 60_000)
    assert num_words(corpus.parts["valid"]) > 1000
    assert num_words(corpus.parts["test"]) > 1000


def test_new_text_is_read_in_known_words(tmp_path):
    path = tmp_path / "text"
    path.write_text("b a\nz b c\n")
    new = read_known(path, ["a", "b", "c"], tokens="words", lower=True)
    assert new.parts["new"].tolist() == [1, 0, -1, 1, 2, -1]
    path.write_text("nothing that is known here")
    with pytest.raises(DataFault, match="DATA-FEW-WORDS"):
        read_known(path, ["a", "b"], tokens="words", lower=True)


@pytest.mark.parametrize("pieces", [0, 40])
def test_the_same_text_read_anew_gives_the_same_numbers(tmp_path, pieces):
    """Phrases are joined and pieces are cut as they were in training; only rare words are left out."""
    line = "we saw new york city and the old town\nthe new house and york road rare{n}\n"
    more = "house road town old we saw the and\n"
    text = "".join(line.format(n=n) + more * 3 for n in range(40))
    settings = {"phrases": 2, "threshold": 1.6, "min_count": 3, "pieces": pieces}
    if pieces:
        pytest.importorskip("sentencepiece")
        text = text.replace(" ", "")
    corpus = corpus_of(tmp_path, text, **settings)
    assert any("_" in word for word in corpus.words)
    new = read_known(
        corpus.path, corpus.words, tokens="words", lower=True,
        pieces=base64.b64decode(corpus.extra["pieces"]),
        phrases=json.loads(json.dumps(corpus.extra["phrases"])),
    )  # fmt: skip
    whole = np.concatenate([corpus.parts[part] for part in ("train", "valid", "test")])
    np.testing.assert_array_equal(new.parts["new"], whole)
    if not pieces:
        assert any(word.count("_") > 1 for word in corpus.words)  # joined in both rounds
        assert "unknown" in new.notes[0]


def test_numbers_on_disk_end_every_text():
    numbering = WordNumbers("words", lower=True)
    found = numbers_on_disk(iter(["a b\n", "c"]), numbering.of)
    assert found.tolist() == [0, 1, -1, 2, -1]
