"""WordPiece against transformers' tokenizer, and the pieces that it learns from a text."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shinso.data.wordpiece import SIGNS, WordPieces, cut_words, read_vocabulary
from tests.peers import peer

LETTERS = [chr(97 + n) for n in range(26)]
PIECES = (*SIGNS, *LETTERS, *(f"##{letter}" for letter in LETTERS), "the", "##ing", "un", "##able")
SENTENCES = [
    "The unable, un-doing!  HELLO world's $5.00",
    "naïve café  日本語 tests\ttabs",
    "don't stop... [x] {y} a_b ~`",
    "x" * 120 + " the",
    "control\x07char zero\u200bwidth ümläut",
    "",
]


@pytest.mark.parametrize("lower", [True, False])
def test_pieces_match_transformers(tmp_path, lower):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    theirs = peer("transformers").BertTokenizerFast(vocab=str(path), do_lower_case=lower)
    ours = read_vocabulary(path, lower=lower)
    for sentence in SENTENCES:
        expected = theirs.convert_ids_to_tokens(theirs.encode(sentence, add_special_tokens=False))
        assert [ours.pieces[n] for n in ours.encode(sentence)] == expected, sentence


def test_voiced_kana_are_letters_of_their_own_where_the_vocabulary_has_them(tmp_path):
    assert cut_words("がき カキ ガキ ぱ café", lower=True) == ["がき", "カキ", "ガキ", "ぱ", "cafe"]
    assert cut_words("か\u3099き", lower=True) == ["がき"]
    pieces = WordPieces.learn(["かき がき"] * 9, 40, lower=True)
    assert pieces.encode("かき") != pieces.encode("がき")
    # A published uncased vocabulary was learnt from text without the marks.
    known = (*SIGNS, "か", "##き")
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(known) + "\n", encoding="utf-8")
    theirs = peer("transformers").BertTokenizerFast(vocab=str(path), do_lower_case=True)
    ours = read_vocabulary(path, lower=True)
    assert ours.encode("がき") == theirs.encode("がき", add_special_tokens=False)


def test_learnt_pieces_cut_frequent_words_least():
    text = ["low lower lowest newer newest wider the the the the"] * 20 + ["strange"]
    pieces = WordPieces.learn(text, 60, lower=True)
    assert len(pieces.encode("the")) == 1
    assert len(pieces.encode("low")) == 1
    assert len(pieces.encode("lowest newer")) <= 4
    assert pieces.encode("xyz§") == [pieces.number["[UNK]"]] * 2
    assert len(pieces) <= 60
    assert (
        "".join(p.removeprefix("##") for n in pieces.encode("strange") for p in [pieces.pieces[n]])
        == "strange"
    )
    with pytest.raises(ValueError, match="size is 10"):
        WordPieces.learn(text, 10, lower=True)


def test_learnt_pieces_match_counting_anew():
    """Every merge is the commonest pair of the words as they then are."""
    from collections import Counter

    text = ["abab abc bcab cabab aab abba bab abcabc"] * 3
    pieces = WordPieces.learn(text, 20, lower=True).pieces
    words = Counter(cut_words(text[0], lower=True))
    parts = {w: [c if i == 0 else "##" + c for i, c in enumerate(w)] for w in words}
    learnt = [piece for piece in pieces if piece not in SIGNS and len(piece.removeprefix("##")) > 1]
    for piece in learnt:
        counts = Counter()
        for word, found in parts.items():
            for pair in pairwise(found):
                counts[pair] += words[word]
        best = max(counts.values())
        joins = {a + b.removeprefix("##"): (a, b) for (a, b), n in counts.items() if n == best}
        assert piece in joins, (piece, joins)
        a, b = joins[piece]
        for found in parts.values():
            place = 0
            while place < len(found) - 1:
                if (found[place], found[place + 1]) == (a, b):
                    found[place : place + 2] = [piece]
                place += 1
