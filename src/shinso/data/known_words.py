"""A new text as a trained run's words, cut and joined as the text was that they were learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from shinso.data.word_corpus import Numbers, WordCorpus, check_enough, counts_of, renumbered
from shinso.data.word_numbers import TextPieces, Tokens, WordNumbers, numbers_on_disk
from shinso.data.word_pieces import piece_cutter
from shinso.language import _

Phrases = Sequence[Sequence[Sequence[str]]]
"""For each round the pairs of words that it joined."""


def read_known(
    path: Path,
    words: Sequence[str],
    *,
    tokens: Tokens,
    lower: bool,
    pieces: bytes = b"",
    phrases: Phrases = (),
) -> WordCorpus:
    """All of a text as the part "new"; words that are not known are left out, and their share said.

    pieces: sentencepiece's model where it cut the text. Raises what ``TextPieces`` does, or
    ManyDataFaults DATA-FEW-WORDS where hardly any word is known.
    """
    texts = TextPieces(path)
    # Words that are no longer words by themselves, such as san of san_francisco, are needed too.
    parts = (word for pairs in phrases for a, b in pairs for word in (a, b, f"{a}_{b}"))
    every = list(dict.fromkeys([*words, *parts]))
    numbering = WordNumbers("spaces" if pieces else tokens, lower=lower, known=every, grows=True)
    cut = piece_cutter(pieces) if pieces else None
    numbers = numbers_on_disk(
        iter(texts), numbering.of if cut is None else lambda text: numbering.of(cut(text))
    )
    place = {word: number for number, word in enumerate(every)}
    for pairs in phrases:
        numbers = _joined(numbers, [(place[a], place[b], place[f"{a}_{b}"]) for a, b in pairs])
    new = np.full(len(numbering), -1, dtype=np.int32)
    new[: len(words)] = np.arange(len(words))
    notes = list(texts.notes)
    strange = int(counts_of(numbers, len(numbering))[len(words) :].sum())
    if strange:
        share = strange / int((numbers >= 0).sum())
        notes.append(
            _("{share:.2%} of the text's words are unknown and left out").format(share=share)
        )
    numbers = renumbered(numbers, new)
    counts = counts_of(numbers, len(words))
    known = int((counts > 0).sum())
    check_enough(path, known, int(counts.sum()), _(" that the run knows"))
    return WordCorpus(path, tuple(words), counts, {"new": numbers}, texts.sha256, tuple(notes))


def _joined(numbers: Numbers, phrases: list[tuple[int, int, int]]) -> Int[np.ndarray, " kept"]:
    """Neighbours (first, second) as the one word that they are."""
    from shinso.nn.kernels.words_numba import join_pairs, move_pairs

    if not phrases:
        return numbers
    found = np.array(phrases, dtype=np.int64)
    size = 1 << (4 * len(found)).bit_length()  # a power of two, at most half of it used
    keys, names = np.full(size, -1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
    move_pairs(found[:, 0] << 32 | found[:, 1], found[:, 2].copy(), keys, names)
    return numbers[: join_pairs(numbers, keys, names.astype(np.int32))]
