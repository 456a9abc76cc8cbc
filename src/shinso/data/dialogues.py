"""Dialogues from JSON lines, their words as numbers, and batches of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from shinso.data.findings import Findings, shown
from shinso.data.json_lines import read_objects
from shinso.data.text import read_text
from shinso.data.vocabulary import Vocabulary
from shinso.language import _

KEYS = ("turns", "utterances", "dialogue", "dialog")
END = "</s>"
LETTERS = "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Of Chinese and Japanese, which write no spaces between words."""
WORD = re.compile(rf"[{LETTERS}]|[^\W{LETTERS}]+(?:['’][^\W{LETTERS}]+)?|[^\w\s]")
EXAMPLE = '{"turns": ["…", "…"]}'


def words_of(text: str) -> list[str]:
    """Words in lower case and signs, each by itself; of Chinese and Japanese every letter."""
    return WORD.findall(text.lower())


def text_of(words: Sequence[str]) -> str:
    """Words with spaces between them, but between two letters or signs that are written without."""
    text = " ".join(words)
    close = rf"[{LETTERS}\u3001-\u301f\uff01-\uff65]"
    return re.sub(rf"(?<={close}) (?={close})", "", text)


@dataclass(frozen=True, eq=False)
class Dialogues:
    """turns: the words of each turn of each dialogue. places: ``file:line`` of each."""

    path: Path
    turns: tuple[tuple[tuple[str, ...], ...], ...]
    places: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.turns)

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was."""
        return {"file": self.path.name, "sha256": self.sha256, "dialogues": len(self)}


def read_dialogues(path: Path, *, key: str = "auto") -> Dialogues:
    """Each line ``{"turns": [...]}``; a turn is a text, a list whose second part is the text
    ([speaker, text, …]), or an object with "text". key: "auto" takes the first of turns, utterances,
    dialogue and dialog that the first line has.

    A dialogue of one turn has no answer: it is left out, aloud. Raises ManyDataFaults with every
    line that is none (DATA-FORMAT), lacks the key (DATA-MISSING-COLUMN) or has a turn without a word
    (DATA-EMPTY), or DATA-EMPTY where no dialogue has two turns.
    """
    findings = Findings(path)
    file = read_text(path, findings)
    turns, places, alone = [], [], 0
    for line, content in read_objects(
        file, findings, () if key == "auto" else (key,), example=EXAMPLE if key == "auto" else ""
    ):
        if key == "auto":
            key = next((name for name in KEYS if name in content), KEYS[0])
        if key not in content:
            findings.missing_column(key, content, role=_("a key of every line"), line=line)
            continue
        found = _turns(content[key], line, key, findings)
        if found is None:
            continue
        if len(found) < 2:
            alone += 1
            continue
        turns.append(found)
        places.append(findings.place(line))
    if alone:
        findings.note(
            _("{count:,} dialogues of one turn have no answer and are left out").format(count=alone)
        )
    if not turns and not findings.any_fault:
        findings.fault(
            "DATA-EMPTY",
            found=_("no dialogue of two turns or more"),
            why=_("there is nothing to learn from"),
            next_step=_('write lines like {"turns": ["…", "…"]}'),
        )
    findings.stop()
    return Dialogues(path, tuple(turns), tuple(places), file.sha256, tuple(findings.notes))


def _turns(
    content: Any, line: int, key: str, findings: Findings
) -> tuple[tuple[str, ...], ...] | None:
    if not isinstance(content, list) or not content:
        findings.fault(
            "DATA-FORMAT",
            line=line,
            column=key,
            found=shown(repr(content)),
            why=_("a dialogue is a list of turns"),
            next_step=_('write lines like {"turns": ["…", "…"]}'),
        )
        return None
    found = []
    for number, turn in enumerate(content):
        if isinstance(turn, dict):
            turn = turn.get("text")
        elif isinstance(turn, list):
            turn = turn[1] if len(turn) > 1 else None
        words = tuple(words_of(turn)) if isinstance(turn, str) else ()
        if not words:
            findings.fault(
                "DATA-EMPTY",
                line=line,
                column=f"{key}[{number}]",
                found=shown(repr(content[number])),
                why=_("a turn has at least one word"),
                next_step=_("mend the turn, or take it out"),
            )
            return None
        found.append(words)
    return tuple(found)


class DialogueBatch(NamedTuple):
    """words: of every turn of every dialogue, padded with 0, one turn a row, dialogues one after
    another; each ends with the end sign. lengths: words of each turn. turns: of each dialogue."""

    words: Int[Tensor, "turn word"]
    lengths: Int[Tensor, " turn"]
    turns: Int[Tensor, " dialogue"]

    def to(self, device: torch.device | str) -> DialogueBatch:
        return DialogueBatch(self.words.to(device), self.lengths, self.turns)

    @property
    def num_samples(self) -> int:
        return len(self.turns)

    def part(self, index: int, of: int) -> DialogueBatch:
        """Dialogues index, index + of, …, as they would have been padded alone."""
        chosen = torch.zeros(len(self.turns), dtype=torch.bool)
        chosen[index::of] = True
        rows = chosen.repeat_interleave(self.turns)
        lengths = self.lengths[rows]
        return DialogueBatch(self.words[rows][:, : int(lengths.max())], lengths, self.turns[chosen])


class DialogueSamples:
    """Dialogues as numbers, in pieces of at most ``most_turns`` turns that share one turn with the
    next piece, so that every turn but a dialogue's first is an answer exactly once."""

    def __init__(
        self,
        turns: Sequence[Sequence[Sequence[str]]],
        vocabulary: Vocabulary,
        *,
        most_turns: int,
        most_words: int,
    ) -> None:
        self._pieces: list[list[list[int]]] = []
        self.cut = 0  # turns that lost their last words
        self.origins: list[tuple[int, int]] = []  # dialogue, first turn of each piece
        for number, dialogue in enumerate(turns):
            coded = []
            for turn in dialogue:
                self.cut += len(turn) > most_words
                coded.append(vocabulary.encode([*turn[:most_words], END]))
            for begin in range(0, len(coded) - 1, most_turns - 1):
                self._pieces.append(coded[begin : begin + most_turns])
                self.origins.append((number, begin))
        self.lengths = np.array([sum(map(len, piece)) for piece in self._pieces], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._pieces)

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> DialogueBatch:
        pieces = [self._pieces[int(place)] for place in indices]
        turns = [turn for piece in pieces for turn in piece]
        lengths = torch.tensor([len(turn) for turn in turns])
        words = torch.zeros(len(turns), int(lengths.max()), dtype=torch.long)
        for row, turn in enumerate(turns):
            words[row, : len(turn)] = torch.tensor(turn)
        return DialogueBatch(words, lengths, torch.tensor([len(piece) for piece in pieces]))

    def batches(self, batch_size: int, most: int = 0) -> Iterator[DialogueBatch]:
        """Pieces in order, like lengths together; most: so many of them, evenly chosen; 0 for all."""
        chosen = np.arange(len(self))
        if most and len(self) > most:
            chosen = np.linspace(0, len(self) - 1, most).astype(int)
        order = chosen[np.argsort(self.lengths[chosen], kind="stable")]
        for begin in range(0, len(order), batch_size):
            yield self.take(order[begin : begin + batch_size])
