from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.shuffled import ShuffledSource
from shinso.data.tagged_batches import NO_TAG, TagSamples
from shinso.data.tagged_tokens import as_conll, read_tagged
from shinso.data.vocabulary import PAD, UNKNOWN, Vocabulary
from tests.data.faults_of import codes_and_places, faults_of, written

# Words without blanks at their ends, line ends or control signs, as tokens are.
WORD = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=5
).filter(lambda word: word.strip() == word and not word.startswith(("{", "\ufeff")))
SENTENCE = st.lists(st.tuples(WORD, st.sampled_from(["A", "B"])), min_size=1, max_size=5)


@given(st.lists(SENTENCE, min_size=1, max_size=5))
def test_forms_hold_for_any_sentences(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("tagged")
    pairs = [
        (tuple(token for token, _ in sentence), tuple(tag for _, tag in sentence))
        for sentence in sentences
    ]
    (folder / "s.conll").write_text(as_conll(pairs), encoding="utf-8", newline="")
    lines = [json.dumps({"tokens": tokens, "tags": tags}) for tokens, tags in pairs]
    (folder / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name in ("s.conll", "s.jsonl"):
        found = read_tagged(folder / name)
        assert found.tokens == tuple(tokens for tokens, _ in pairs)
        assert found.tags == tuple(tags for _, tags in pairs)
    new = read_tagged(folder / "s.conll", needs_tags=False)
    assert new.tokens == found.tokens
    assert set(new.tags) == {()}


def test_blank_lines_end_sentences_however_many() -> None:
    found = read_tagged(written("\n\na\tX\nb\tY\n\n \n\nc\tX\n", "s.conll"))
    assert found.tokens == (("a", "b"), ("c",))
    assert found.lines == (3, 8)
    assert found.classes == ("X", "Y")
    facts = json.loads(json.dumps(found.facts()))
    assert (facts["samples"], facts["tokens"], facts["classes"]) == (2, 3, {"X": 2, "Y": 1})


def test_tsv_faults_name_their_lines() -> None:
    path = written("a\tX\n\nb X\nc\tX\tmore\nd\t\n\tX\n", "s.conll")
    assert codes_and_places(lambda: read_tagged(path), path) == [
        ("DATA-RAGGED", ":3"),
        ("DATA-RAGGED", ":4"),
        ("DATA-NAN", ":5, column tag"),
        ("DATA-NAN", ":6, column token"),
    ]
    faults = faults_of(lambda: read_tagged(path))
    assert "one tab" in faults[0].next_step
    assert "cut -f1,2" in faults[1].next_step


def test_json_faults_name_their_lines() -> None:
    path = written(
        '{"tokens": ["a"], "tags": ["X"]}\n'
        '{"tokens": ["a", "b"], "tags": ["X"]}\n'
        '{"tokens": [], "tags": []}\n'
        '{"tokens": ["a"]}\n'
        '{"tokens": "a", "tags": ["X"]}\n'
        '{"tokens": ["a", " "], "tags": ["X", "Y"]}\n'
        "{\n",
        "s.jsonl",
    )
    assert codes_and_places(lambda: read_tagged(path), path) == [
        ("DATA-RAGGED", ":2"),
        ("DATA-EMPTY", ":3, column tokens"),
        ("DATA-MISSING-COLUMN", ":4, column tags"),
        ("DATA-FORMAT", ":5, column tokens"),
        ("DATA-NAN", ":6, column tokens"),
        ("DATA-FORMAT", ":7"),
    ]


def test_encoding_is_checked() -> None:
    path = written("caf\xe9\tX\nna\xefve\tX\n".encode("latin-1"), "s.conll")
    assert codes_and_places(lambda: read_tagged(path), path) == [("DATA-ENCODING", ":1")]
    found = read_tagged(written("東京\t名詞\n".encode("cp932"), "s.conll"))
    assert found.tokens == (("東京",),)
    assert "cp932" in found.notes[0]


def test_missing_file_is_a_fault() -> None:
    assert faults_of(lambda: read_tagged(Path("no.jsonl")))[0].code == "DATA-NOT-FOUND"


def test_vocabulary_keeps_frequent_words_in_order() -> None:
    words = ["b", "a", "b", "c", "a", "b", PAD, PAD]
    vocabulary = Vocabulary.build(words, min_count=2)
    assert vocabulary.words == (PAD, UNKNOWN, "b", "a")
    assert vocabulary.encode(["a", "c", "b", PAD]) == [3, 1, 2, 1]
    assert vocabulary.unknown_share(["a", "c", "b", "z"]) == 0.5
    assert Vocabulary.from_list(json.loads(json.dumps(vocabulary.to_list()))) == vocabulary
    with pytest.raises(ValueError, match="min_count is 0"):
        Vocabulary.build([], 0)
    with pytest.raises(ValueError, match="begin with"):
        Vocabulary(("a", "b"))


def samples() -> TagSamples:
    found = read_tagged(written("a\tX\nb\tY\nz\tX\n\nb\tY\n\nc\tX\nc\tX\n", "s.conll"))
    return TagSamples(found, None, Vocabulary.build("abc"), found.classes)


def test_batches_pad_words_and_tags() -> None:
    tokens, lengths, tags = samples().take([0, 1])
    assert tokens.tolist() == [[2, 3, 1], [3, 0, 0]]
    assert lengths.tolist() == [3, 1]
    assert tags.tolist() == [[0, 1, 0], [1, NO_TAG, NO_TAG]]
    assert [len(batch.lengths) for batch in samples().batches(2)] == [2, 1]


def test_buckets_share_lengths() -> None:
    lines = "".join("a\tX\n" * length + "\n" for length in [1, 9] * 20)
    found = read_tagged(written(lines, "s.conll"))
    whole = TagSamples(found, None, Vocabulary.build("a"), found.classes)
    source = ShuffledSource(whole, 4, 0, lengths=whole.lengths)
    for _ in range(10):
        assert len(np.unique(source.next_batch().lengths)) == 1


def test_sentences_without_tags_have_none_in_the_batch() -> None:
    found = read_tagged(written("a\nb\n", "new.conll"), needs_tags=False)
    batch = TagSamples(found, None, Vocabulary.build("ab"), ["X"]).take([0])
    assert batch.tags.tolist() == [[NO_TAG, NO_TAG]]


def test_unknown_tags_are_named() -> None:
    found = read_tagged(written("a\tX\n\nb\tQ\n", "s.conll"))
    path = found.path
    place = codes_and_places(lambda: TagSamples(found, None, Vocabulary.build("a"), ["X"]), path)
    assert place == [("DATA-UNKNOWN-LABEL", ":3")]
    assert len(TagSamples(found, [0], Vocabulary.build("a"), ["X"])) == 1
