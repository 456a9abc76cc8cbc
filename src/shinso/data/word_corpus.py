"""The corpus of word2vec: a text as numbers of its frequent words, phrases joined, in three parts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from shinso.data.findings import Findings
from shinso.data.word_numbers import LINE_END, TextPieces, Tokens, WordNumbers, numbers_on_disk
from shinso.data.word_pieces import learn_pieces, piece_cutter
from shinso.language import _

Numbers = Int[np.ndarray, " token"]
PIECE = 1 << 22  # numbers worked on at a time
FEWEST = 2  # different words without which there is nothing to predict


@dataclass(frozen=True)
class WordCorpus:
    """words: by number, frequent first. counts: in the train part. parts: numbers of words, -1 at
    each line's end. extra: what a new text is read by (``known_words.read_known``)."""

    path: Path
    words: tuple[str, ...]
    counts: Int[np.ndarray, " word"]
    parts: Mapping[str, Int[np.ndarray, " _"]]
    sha256: str
    notes: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was, and the words with their counts."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "vocabulary": list(self.words),
            "counts": self.counts.tolist(),
            "part_words": {name: num_words(part) for name, part in self.parts.items()},
            "notes": list(self.notes),
            **self.extra,
        }


def num_words(numbers: Numbers) -> int:
    """How many are words and not line ends."""
    pieces = range(0, len(numbers), PIECE)
    return sum(int((numbers[begin : begin + PIECE] >= 0).sum()) for begin in pieces)


def read_corpus(
    path: Path,
    *,
    tokens: Tokens = "words",
    lower: bool = True,
    pieces: int = 0,
    min_count: int = 5,
    phrases: int = 0,
    threshold: float = 100.0,
    shares: tuple[Fraction, Fraction, Fraction] | None,
) -> WordCorpus:
    """Read a text once; the last lines are the valid and test parts, where ``shares`` are given.

    pieces: above 0, sentencepiece first cuts the text into so many different pieces (for languages
    without blanks). phrases: how often neighbours that belong together become one word;
    threshold: of their score.

    Raises what ``TextPieces`` does, or ManyDataFaults DATA-FEW-WORDS.
    """
    texts = TextPieces(path)
    # A piece of sentencepiece ends where it says, so what it gives is cut at its blanks.
    numbering = WordNumbers("spaces" if pieces else tokens, lower=lower)
    model = learn_pieces(path, pieces) if pieces else b""
    cut = piece_cutter(model) if pieces else None
    numbers = numbers_on_disk(
        iter(texts), numbering.of if cut is None else lambda text: numbering.of(cut(text))
    )
    words = numbering.words()
    check_enough(path, len(words), int((numbers >= 0).sum()), "")
    whole = len(numbers)
    ends = part_ends(numbers, shares) if shares else (whole, whole, whole)
    counts = counts_of(numbers[: ends[0]], len(words))
    joined: list[list[list[str]]] = []
    for _round in range(phrases):
        numbers, words, ends, pairs = _join_phrases(
            numbers, words, counts, ends, min_count, threshold
        )
        joined.append(pairs)
        counts = counts_of(numbers[: ends[0]], len(words))
    order = np.lexsort((np.arange(len(words)), -counts))
    kept = order[: int((counts >= min_count).sum())]
    check_enough(
        path, len(kept), int(counts[kept].sum()), _(" that occur {n} times").format(n=min_count)
    )
    new = np.full(len(words), -1, dtype=np.int32)
    new[kept] = np.arange(len(kept))
    parts = {}
    for name, begin, end in zip(("train", "valid", "test"), (0, *ends), ends, strict=False):
        parts[name] = renumbered(numbers[begin:end], new)
    for name in ("valid", "test") if shares else ():
        if num_words(parts[name]) < FEWEST:
            _too_short(path, name)
    return WordCorpus(
        path, tuple(words[i] for i in kept), counts[kept], parts, texts.sha256, tuple(texts.notes),
        {"pieces": base64.b64encode(model).decode(), "phrases": joined},
    )  # fmt: skip


def part_ends(
    numbers: Numbers, shares: tuple[Fraction, Fraction, Fraction]
) -> tuple[int, int, int]:
    """Where the parts end: the first line end at or after each share; one line is cut within."""
    ends = []
    for share in (shares[0], shares[0] + shares[1]):
        wanted = int(len(numbers) * share)
        following = np.flatnonzero(numbers[wanted : wanted + PIECE] == LINE_END)
        end = wanted + int(following[0]) + 1 if len(following) else wanted
        # A text of one line has no other place to be cut at.
        ends.append(end if end < len(numbers) else wanted)
    return ends[0], ends[1], len(numbers)


def counts_of(numbers: Numbers, num_words: int) -> Int[np.ndarray, " word"]:
    from shinso.nn.kernels.words_numba import count_numbers

    counts = np.zeros(num_words, dtype=np.int64)
    count_numbers(numbers, counts)
    return counts


def renumbered(numbers: Numbers, new: Int[np.ndarray, " word"]) -> Int[np.ndarray, " kept"]:
    from shinso.nn.kernels.words_numba import renumber

    return numbers[: renumber(numbers, new)]


def _join_phrases(
    numbers: Numbers,
    words: list[str],
    counts: Int[np.ndarray, " word"],
    ends: tuple[int, int, int],
    min_count: int,
    threshold: float,
) -> tuple[Int[np.ndarray, " kept"], list[str], tuple[int, int, int], list[list[str]]]:
    """Neighbours with score (count(ab) − min_count) / (count(a) count(b)) · N above the threshold
    become one word a_b (Mikolov et al. 2013b, eq. 6; N: words of the train part, as in word2phrase).

    Returns the numbers, all words, where the parts end, and the pairs that were joined.
    """
    from shinso.nn.kernels import words_numba as kernels

    keys, pairs = np.full(1 << 16, -1, dtype=np.int64), np.zeros(1 << 16, dtype=np.int64)
    place, used, train = 0, 0, numbers[: ends[0]]
    while True:
        place, used = kernels.count_pairs(train, place, keys, pairs, used)
        if place == len(train):
            break
        more_keys, more = (
            np.full(2 * len(keys), -1, dtype=np.int64),
            np.zeros(2 * len(keys), np.int64),
        )
        kernels.move_pairs(keys, pairs, more_keys, more)
        keys, pairs = more_keys, more
    first, second = keys >> 32, keys & 0xFFFFFFFF
    there = (keys >= 0) & (pairs > min_count)
    scores = np.zeros(len(keys))
    product = counts[first[there]].astype(float) * counts[second[there]]
    scores[there] = (pairs[there] - min_count) / product * counts.sum()
    found = np.flatnonzero(scores > threshold)
    found = found[np.argsort(keys[found])]
    joined = np.full(len(keys), -1, dtype=np.int32)
    # A word a_b may stand in the text already; then the phrase is that word.
    known = {word: number for number, word in enumerate(words)}
    words, together = list(words), []
    for slot in found:
        together.append([words[first[slot]], words[second[slot]]])
        name = f"{words[first[slot]]}_{words[second[slot]]}"
        if name not in known:
            known[name] = len(words)
            words.append(name)
        joined[slot] = known[name]
    new_ends, kept = [], 0
    for begin, end in zip((0, *ends), ends, strict=False):
        part = numbers[begin:end]
        length = kernels.join_pairs(part, keys, joined)
        numbers[kept : kept + length] = part[:length]
        kept += length
        new_ends.append(kept)
    return numbers[:kept], words, (new_ends[0], new_ends[1], new_ends[2]), together


def check_enough(path: Path, words: int, tokens: int, kind: str) -> None:
    if words >= FEWEST and tokens > FEWEST:
        return
    findings = Findings(path)
    findings.fault(
        "DATA-FEW-WORDS",
        found=_("{words} different words{kind}, {tokens} in all").format(
            words=words, kind=kind, tokens=tokens
        ),
        why=_("vectors are learnt from which words stand near which"),
        next_step=_("give more text, a smaller --min-count, or --pieces where it has no blanks"),
    )
    findings.stop()


def _too_short(path: Path, part: str) -> None:
    findings = Findings(path)
    findings.fault(
        "DATA-TOO-SHORT",
        found=_("the {part} part has fewer than two known words").format(part=part),
        why=_("train, valid and test need some text each"),
        next_step=_("give more text, or another --split"),
    )
    findings.stop()
