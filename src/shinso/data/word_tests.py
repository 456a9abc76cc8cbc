"""Tests of word vectors in their usual files: similarity of pairs, and analogies."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shinso.data.findings import Findings, shown
from shinso.data.text import read_text
from shinso.data.word_vectors import WordVectors, known_pairs
from shinso.language import _

Pair = tuple[str, str, float]
PIECE = 512  # analogies answered by one matrix product


@dataclass(frozen=True)
class Question:
    """a is to b as c is to d."""

    kind: str
    words: tuple[str, str, str, str]


def read_pairs(path: Path) -> list[Pair]:
    """``word word score`` a line, separated by tabs, commas or blanks, lower-cased.

    The score is the first number behind the words: SimLex-999 has a part of speech between them,
    WordSim-353 each judge's score after it. A first line without a number is a heading; lines with #
    are remarks. Raises ManyDataFaults DATA-FORMAT, or what ``read_text`` raises.
    """
    findings = Findings(path)
    found: list[Pair] = []
    for line, text in enumerate(read_text(path, findings).text.split("\n"), 1):
        fields = _fields(text)
        # "Word 1" is no word but the heading of a column.
        if not fields or text.startswith("#") or (line == 1 and " " in fields[0]):
            continue
        score = next((field for field in fields[2:] if is_number(field)), None)
        if score is not None:
            found.append((fields[0].lower(), fields[1].lower(), float(score)))
        elif line > 1:
            findings.fault(
                "DATA-FORMAT",
                line=line,
                found=shown(text),
                why=_("a line is two words and a number"),
                next_step=_("write it like {example}").format(example="sun sunlight 50"),
            )
    findings.stop()
    return found


def _fields(text: str) -> list[str]:
    """What stands between tabs, else semicolons, else commas; else between any of these and blanks."""
    for sign in "\t;,":
        fields = [field.strip() for field in text.split(sign) if field.strip()]
        if len(fields) > 2:
            return fields
    return [field for field in re.split(r"[\t,; ]+", text.strip()) if field]


def is_number(text: str) -> bool:
    """Whether a field holds a score."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_questions(path: Path) -> list[Question]:
    """``: kind`` lines, then four words a line, lower-cased (questions-words.txt).

    Raises ManyDataFaults DATA-FORMAT, or what ``read_text`` raises.
    """
    findings = Findings(path)
    found: list[Question] = []
    kind = ""
    for line, text in enumerate(read_text(path, findings).text.split("\n"), 1):
        fields = text.lower().split()
        if not fields:
            continue
        if fields[0] == ":":
            kind = " ".join(fields[1:])
        elif len(fields) == 4:
            found.append(Question(kind, (fields[0], fields[1], fields[2], fields[3])))
        else:
            findings.fault(
                "DATA-FORMAT",
                line=line,
                found=shown(text),
                why=_("a line is four words, or a colon and a kind"),
                next_step=_("write it like {example}").format(example="man king woman queen"),
            )
    findings.stop()
    return found


def similarity_score(vectors: WordVectors, pairs: Sequence[Pair]) -> tuple[float, int]:
    """Spearman's rank correlation of cosines with people's scores, and the pairs it is over.

    0 where fewer than three pairs are known: then nothing was shown.
    """
    from scipy.stats import spearmanr

    human, cosine = known_pairs(vectors, pairs)
    if len(human) < 3 or len(set(cosine)) < 2 or len(set(human)) < 2:
        return 0.0, len(human)
    return float(np.asarray(spearmanr(human, cosine))[0]), len(human)


def analogy_scores(
    vectors: WordVectors, questions: Sequence[Question], among: int = 30_000
) -> list[dict[str, Any]]:
    """A row for each kind: share answered rightly, questions known, questions in all.

    A question counts where its four words are among the ``among`` most frequent ones, which are
    also the possible answers (as word2vec's compute-accuracy and gensim do). Capitals do not count:
    of words that differ in them alone the most frequent one asks, and any of them is the answer.
    """
    size = min(among, len(vectors))
    unit, number = vectors.unit[:size], vectors.folded
    kin = np.array([number[word.lower()] for word in vectors.words[:size]])
    twins = np.flatnonzero(kin != np.arange(size))
    known = [q for q in questions if all(number.get(word, size) < size for word in q.words)]
    places = np.array([[number[word] for word in q.words] for q in known]).reshape(-1, 4)
    right = np.zeros(len(known), dtype=bool)
    for begin in range(0, len(known), PIECE):
        a, b, c, d = places[begin : begin + PIECE].T
        cosines = (unit[b] - unit[a] + unit[c]) @ unit.T
        rows = np.arange(len(a))
        for left_out in (a, b, c):
            cosines[rows, left_out] = -np.inf
            asked, twin = np.nonzero(kin[twins] == left_out[:, None])
            cosines[asked, twins[twin]] = -np.inf
        right[begin : begin + PIECE] = kin[cosines.argmax(axis=1)] == d
    rows = []
    for kind in dict.fromkeys(q.kind for q in questions):
        mine = np.array([q.kind == kind for q in known], dtype=bool)
        rows.append(
            {
                "kind": kind,
                "accuracy": float(right[mine].mean()) if mine.any() else 0.0,
                "known": int(mine.sum()),
                "questions": sum(q.kind == kind for q in questions),
            }
        )
    return rows


def analogy_accuracy(rows: Sequence[dict[str, Any]]) -> float:
    """Share answered rightly over all known questions; 0 where none is known."""
    known = sum(row["known"] for row in rows)
    return sum(row["accuracy"] * row["known"] for row in rows) / known if known else 0.0
