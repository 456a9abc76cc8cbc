"""Vectors of words: gensim reads what we write, we read what gensim writes, both answer alike."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from shinso.data.word_tests import (
    analogy_accuracy,
    analogy_scores,
    read_pairs,
    read_questions,
    similarity_score,
)
from shinso.data.word_vectors import WordVectors, read_vectors, write_vectors
from shinso.faults import DataFault, UsageFault


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    words = ("sun", "moon", "日本", "new_york", "café", "x'y", *(f"w{n}" for n in range(60)))
    return WordVectors(words, rng.standard_normal((len(words), 12)).astype(np.float32))


def peer(path, binary):
    from gensim.models import KeyedVectors

    return KeyedVectors.load_word2vec_format(str(path), binary=binary)


@pytest.mark.parametrize("binary", [False, True])
def test_files_match_gensim_both_ways(tmp_path, vectors, binary):
    path, back = tmp_path / "ours", tmp_path / "theirs"
    write_vectors(vectors, path, binary=binary)
    theirs = peer(path, binary)
    assert tuple(theirs.index_to_key) == vectors.words
    np.testing.assert_array_equal(theirs.vectors, vectors.vectors)
    theirs.save_word2vec_format(str(back), binary=binary)
    ours = read_vectors(back)
    assert ours.words == vectors.words
    np.testing.assert_array_equal(ours.vectors, vectors.vectors)


def test_answers_match_gensim(tmp_path, vectors):
    path = tmp_path / "ours"
    write_vectors(vectors, path, binary=True)
    theirs = peer(path, True)
    for ours, other in (
        (vectors.neighbours("moon", 8), theirs.most_similar("moon", topn=8)),
        (vectors.analogy("sun", "moon", "w3", 6),
         theirs.most_similar(positive=["moon", "w3"], negative=["sun"], topn=6)),
    ):  # fmt: skip
        assert [word for word, _ in ours] == [word for word, _ in other]
        np.testing.assert_allclose([c for _, c in ours], [c for _, c in other], atol=1e-6)
    assert vectors.similarity("sun", "w9") == pytest.approx(
        theirs.similarity("sun", "w9"), abs=1e-6
    )


def test_tests_of_vectors_match_gensim(tmp_path, vectors):
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text(
        "".join(f"w{n}\tw{n + 1}\t{(n * 7) % 11}\n" for n in range(40)) + "w1\tzz\t3\n"
    )
    questions.write_text(
        ": one\n"
        + "".join(f"w{n} w{n + 1} w{n + 2} w{n + 3}\n" for n in range(30))
        + ": two\na b c d\n"
    )
    write_vectors(vectors, tmp_path / "v", binary=True)
    theirs = peer(tmp_path / "v", True)
    rho, known = similarity_score(vectors, read_pairs(pairs))
    expected = theirs.evaluate_word_pairs(str(pairs), case_insensitive=False)
    assert known == 40
    assert rho == pytest.approx(expected[1][0], abs=1e-9)
    rows = analogy_scores(vectors, read_questions(questions))
    score, _sections = theirs.evaluate_word_analogies(str(questions), case_insensitive=False)
    assert analogy_accuracy(rows) == pytest.approx(score)
    assert [(row["kind"], row["known"], row["questions"]) for row in rows] == [
        ("one", 30, 30), ("two", 0, 1),
    ]  # fmt: skip


def test_capitals_do_not_count_as_in_gensim(tmp_path):
    """The usual files write Paris, some vocabularies paris, GoogleNews both."""
    rng = np.random.default_rng(3)
    words = (*(f"W{n}" for n in range(40)), *(f"w{n}" for n in range(0, 60, 2)))
    vectors = WordVectors(words, rng.standard_normal((len(words), 12)).astype(np.float32))
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("".join(f"w{n}\tW{n + 1}\t{(n * 7) % 11}\n" for n in range(39)))
    questions.write_text(
        ": one\n" + "".join(f"w{n} W{n + 1} w{n + 2} w{n + 3}\n" for n in range(30))
    )
    write_vectors(vectors, tmp_path / "v", binary=True)
    theirs = peer(tmp_path / "v", True)
    rho, known = similarity_score(vectors, read_pairs(pairs))
    assert known == 39
    assert rho == pytest.approx(theirs.evaluate_word_pairs(str(pairs))[1][0], abs=1e-9)
    score, _sections = theirs.evaluate_word_analogies(str(questions))
    assert analogy_accuracy(analogy_scores(vectors, read_questions(questions))) == pytest.approx(
        score
    )


@pytest.mark.parametrize(
    "content",
    [
        "word1\tword2\tPOS\tSimLex999\tconc(w1)\nOld\tnew\tA\t1.58\t2.72\nsmart\tclever\tA\t9.2\t1\n",
        "Word 1,Word 2,Human (mean)\nold,new,1.58\nsmart,clever,9.20\n",
        "# Word 1\tWord 2\tHuman (mean)\t1\t2\nold\tnew\t1.58\t1\t2\nsmart\tclever\t9.2\t9\t9\n",
        "old;new;1.58\nsmart;clever;9.2\n",
        "old new 1.58\r\nsmart clever 9.2\r\n",
    ],
)  # fmt: skip
def test_usual_files_of_pairs_are_read(tmp_path, content):
    path = tmp_path / "pairs"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_pairs(path) == [("old", "new", 1.58), ("smart", "clever", 9.2)]


def test_planted_analogies_are_found():
    rng = np.random.default_rng(1)
    base, shift = rng.standard_normal((6, 30)), rng.standard_normal(30)
    words = tuple(f"{kind}{n}" for n in range(6) for kind in ("man", "woman"))
    rows = np.stack([row for one in base for row in (one, one + shift)]).astype(np.float32)
    vectors = WordVectors(words, rows)
    assert vectors.analogy("man0", "woman0", "man3")[0][0] == "woman3"


def test_unknown_word_offers_the_nearest_spelling(vectors):
    with pytest.raises(UsageFault) as raised:
        vectors.neighbours("New_York")
    assert raised.value.code == "WORD-UNKNOWN"
    assert "new_york" in raised.value.next_step


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"no numbers\nx 1 2\n", ":1"),
        (b"2 3\na 1 2 3\nb 1 2\n", ":3"),
        (b"2 2\na 1 2\n", "file"),
        (b"1 2\na 1 x\n", ":2"),
        (b"99999999999 300\na 1 2\n", ":1"),
        (b"2 3\na 1 2\nb 1 2 3\n", ":2"),
        (b"1 2\na " + np.ones(2, "<f4").tobytes() + b"\nb " + np.ones(2, "<f4").tobytes(), "file"),
        (gzip.compress(b"2 2\na 1 2\nb 1 2\n", mtime=0)[:-9], "file"),
        (b"3 4\na \x00\x01", "file"),
        (b"2 1\na 1\na 2\n", "file"),
    ],
)
def test_damaged_files_are_faults(tmp_path, content, where):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataFault) as raised:
        read_vectors(path)
    assert raised.value.code == "DATA-FORMAT"
    assert raised.value.place.endswith(where)


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        ("2 2\ncafé 1 2\nb 1 3\n".encode("latin-1"), "DATA-ENCODING", ":2"),
        ("2 2\nb 1 2\ncafé 1 3\n".encode("latin-1"), "DATA-ENCODING", ":3"),
        (b"1 2\ncaf\xe9 " + np.ones(2, "<f4").tobytes(), "DATA-ENCODING", "word 1"),
        (b"2 2\na nan 2\nb 1 3\n", "DATA-NAN", "word 1"),
        (b"2 1\na " + np.ones(1, "<f4").tobytes() + b"b " + b"\x00\x00\x80\x7f", "DATA-NAN", "word 2"),
    ],
)  # fmt: skip
def test_letters_and_numbers_that_are_none_are_placed(tmp_path, content, code, place):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataFault) as raised:
        read_vectors(path)
    assert raised.value.code == code
    assert raised.value.place.endswith(place)


def test_faults_of_test_files_name_their_lines(tmp_path):
    path = tmp_path / "file"
    path.write_text("a b 1\nc d\n")
    with pytest.raises(DataFault, match=":2"):
        read_pairs(path)
    path.write_text(": kind\na b c d\na b c\n")
    with pytest.raises(DataFault, match=":3"):
        read_questions(path)
