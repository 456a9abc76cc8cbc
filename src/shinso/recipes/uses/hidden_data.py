"""The text of BERT's pre-training: read, split, cut into pieces that the train part taught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int

from shinso.data.findings import Findings
from shinso.data.piece_batches import Stretches
from shinso.data.stratified import parse_shares
from shinso.data.text import read_text
from shinso.data.text_parts import text_in_parts
from shinso.data.wordpiece import (
    LONGEST_WORD,
    SIGNS,
    UNKNOWN,
    WordPieces,
    read_vocabulary,
)
from shinso.language import _
from shinso.recipes.recipe import Part
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.learnt_pieces import learnt_pieces

if TYPE_CHECKING:
    from shinso.recipes.bert_pretrain import Config

PARTS: tuple[Part, ...] = ("train", "valid", "test")
FEWEST = 2  # different pieces without which there is nothing to guess
Numbers = tuple[Int[np.ndarray, " piece"], Bool[np.ndarray, " piece"]]
"""Pieces, and where words begin."""


@dataclass(frozen=True)
class HiddenData:
    """parts: the text in stretches. counts: of the pieces in the train part."""

    path: Path
    pieces: WordPieces
    parts: Mapping[Part, Stretches]
    counts: Int[np.ndarray, " kind"]
    sha256: str
    notes: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "pieces": list(self.pieces.pieces),
            "lower": self.pieces.lower,
            "counts": self.counts.tolist(),
            "part_stretches": {name: len(part) for name, part in self.parts.items()},
            "notes": list(self.notes),
        }


def read_parts(config: Config, paths: Sequence[Path]) -> HiddenData:
    """Read and cut; the vocabulary from the train part."""
    path = only_one(paths, "bert-pretrain", _("join the files into one: cat FILE FILE > ALL"))
    findings = Findings(path)
    file = read_text(path, findings)
    cut = text_in_parts(file.text, parse_shares(config.split))
    texts: dict[Part, list[str]] = {
        part: found.split("\n") for part, found in zip(PARTS, cut, strict=True)
    }
    if config.vocabulary_file is not None:
        pieces = read_vocabulary(config.vocabulary_file, lower=config.lower)
    else:
        pieces = learnt_pieces(texts["train"], config.vocabulary, lower=config.lower, path=path)
    numbers: dict[Part, Numbers] = {
        part: as_numbers(pieces, found) for part, found in texts.items()
    }
    parts: dict[Part, Stretches] = {
        part: Stretches(*found, pieces, config.length, pairs=config.next_sentence)
        for part, found in numbers.items()
    }
    check(findings, pieces, numbers, parts)
    notes = list(findings.notes)
    for part in PARTS[1:]:
        notes += said_of(pieces, numbers[part], part)
    counts = np.bincount(numbers["train"][0], minlength=len(pieces))
    return HiddenData(path, pieces, parts, counts, file.sha256, tuple(notes))


def as_numbers(pieces: WordPieces, lines: Iterable[str]) -> Numbers:
    """All lines one after the other."""
    found: list[int] = []
    begins: list[bool] = []
    for line in lines:
        for numbers in pieces.encode_words(pieces.cut(line)):
            found += numbers
            begins += [True, *[False] * (len(numbers) - 1)]
    return np.array(found, dtype=np.int64), np.array(begins, dtype=bool)


def said_of(pieces: WordPieces, numbers: Numbers, part: Part) -> list[str]:
    """How much of a part the vocabulary lacks, which makes it easier to guess."""
    found, begins = numbers
    unknown = int((found == pieces.number[UNKNOWN]).sum())
    if not unknown:
        return []
    note = _("{share:.2%} of the {part} part's words are unknown")
    return [note.format(share=unknown / int(begins.sum()), part=part)]


def check(
    findings: Findings,
    pieces: WordPieces,
    numbers: Mapping[Part, Numbers],
    parts: Mapping[Part, Stretches],
) -> None:
    """Raises ManyDataFaults DATA-FEW-WORDS for a text that repeats one piece, DATA-TOO-SHORT for
    parts without a stretch."""
    different = {int(n) for found, _begins in numbers.values() for n in np.unique(found)}
    different -= {pieces.number[sign] for sign in SIGNS}
    if len(different) < FEWEST:
        findings.fault(
            "DATA-FEW-WORDS",
            found=_("{count} different tokens").format(count=len(different)),
            why=_("with fewer than two there is nothing to predict"),
            next_step=_(
                "give more text, with blanks between words: one of more than {longest} letters is "
                "unknown"
            ).format(longest=LONGEST_WORD),
        )
        findings.stop()
    for part, found in parts.items():
        if not len(found):
            findings.fault(
                "DATA-TOO-SHORT",
                found=_("the {part} part is shorter than {length} pieces").format(
                    part=part, length=found.length
                ),
                why=_("train, valid and test need at least one stretch each"),
                next_step=_("give more text, a smaller --length, or another --split"),
            )
    findings.stop()
