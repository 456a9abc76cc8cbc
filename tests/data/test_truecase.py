from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.tagged_tokens import as_conll, read_tagged
from shinso.data.truecase import sentences, tag_of, tagged_sentences, tokens_of
from tests.data.faults_of import written

PROSE = Path(__file__).parent.parent / "samples" / "prose.txt"


@pytest.mark.parametrize(
    ("token", "tag"),
    [("king", "lower"), ("King", "Title"), ("KING", "UPPER"), ("I", "Title"), ("McDonald", "Title"),
     ("U.S.", "UPPER"), ("iron-bound", "lower"), ("1889", "lower"), ("—", "lower"),
     ("Ärger", "Title"), ("王", "lower"), ("O'clock", "Title"), ("'tis", "lower")],
)  # fmt: skip
def test_tags_say_how_a_word_is_written(token: str, tag: str) -> None:
    assert tag_of(token) == tag


def test_sentences_end_before_a_capital_but_not_after_a_title() -> None:
    text = 'I met Mr. Smith at 5 p.m. yesterday. "Go!" he said. "No." She left.\nNew paragraph'
    assert list(sentences(text)) == [
        "I met Mr. Smith at 5 p.m. yesterday.",
        '"Go!" he said.',
        '"No."',
        "She left.",
        "New paragraph",
    ]


def test_tokens_keep_inner_signs() -> None:
    assert tokens_of("The stranger's well-kept inn--it's 'ours', he said.") == [
        "The", "stranger's", "well-kept", "inn", "-", "-", "it's", "'", "ours", "'", ",", "he",
        "said", ".",
    ]  # fmt: skip


@given(st.text(max_size=80))
def test_tags_hold_for_any_text(text: str) -> None:
    for tokens, tags in tagged_sentences(text, shortest=1):
        assert len(tokens) == len(tags)
        assert set(tags) <= {"lower", "Title", "UPPER"}
        assert all(token.strip() and token == token.lower() for token in tokens)


def test_prose_becomes_a_file_that_reads_back() -> None:
    found = list(tagged_sentences(PROSE.read_text(encoding="utf-8")))
    again = read_tagged(written(as_conll(found), "prose.conll"))
    assert [list(tokens) for tokens in again.tokens] == [tokens for tokens, _ in found]
    assert [list(tags) for tags in again.tags] == [tags for _, tags in found]
    assert again.classes == ("Title", "UPPER", "lower")
    # The label hangs on the context: one word, two ways to write it.
    ways = {tag for tokens, tags in found for token, tag in zip(tokens, tags, strict=True)
            if token == "sir"}  # fmt: skip
    assert ways >= {"lower", "Title"}
