"""Dialogues as samples of a training, a validation and a test part, for ``dialogue``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shinso.data.dialogues import END, Dialogues, DialogueSamples, read_dialogues
from shinso.data.splits import PARTS, SplitPart
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.vocabulary import Vocabulary
from shinso.language import _
from shinso.recipes.recipe import Part
from shinso.recipes.uses import starting_run
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from shinso.recipes.dialogue import Config


BEGUN = {"vhred": ("hred",)}
"""Which other networks one may begin as."""


@dataclass(frozen=True)
class TalkData:
    """Dialogues as samples of each part."""

    dialogues: Dialogues
    samples: Mapping[Part, DialogueSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.dialogues.facts(), **self.extra, "notes": list(self.notes)}


def read_parts(config: Config, paths: Sequence[Path]) -> TalkData:
    """Read and split; the vocabulary and its counts from the train part."""
    path = only_one(paths, "dialogue")
    found = read_dialogues(path, key=config.key)
    given = {
        part: read_dialogues(only_one(files, "dialogue"), key=config.key)
        for part, files in (("valid", config.valid), ("test", config.test))
        if files
    }
    missing: list[SplitPart] = [part for part in PARTS[1:] if part not in given]
    rows: dict[SplitPart, np.ndarray] = {"train": np.arange(len(found))}
    if missing:
        split = random_split(len(found), parse_shares(config.split), config.split_seed, path=path)
        taken = np.concatenate([split[part] for part in missing])
        rows = {"train": np.delete(rows["train"], taken), **{part: split[part] for part in missing}}
    turns = {
        part: given[part].turns if part in given else [found.turns[row] for row in rows[part]]
        for part in PARTS
    }
    vocabulary, begun = _words(config, turns["train"])
    samples: dict[Part, DialogueSamples] = {
        part: samples_of(config, turns[part], vocabulary) for part in PARTS
    }
    extra = {
        **begun,
        "vocabulary": vocabulary.to_list(),
        "split": f"{config.split} seed {config.split_seed}",
        "part_dialogues": {part: len(some) for part, some in turns.items()},
        "part_pieces": {part: len(some) for part, some in samples.items()},
        "counts": _counts(turns["train"], vocabulary, config.most_words),
    }
    notes = [*found.notes, *(note for one in given.values() for note in one.notes)]
    cut = sum(one.cut for one in samples.values())
    if cut:
        notes.append(
            _("{count:,} turns are cut after {words} words").format(
                count=cut, words=config.most_words
            )
        )
    everything = [dialogue for part in PARTS for dialogue in turns[part]]
    ends = np.cumsum([len(turns[part]) for part in PARTS])
    places: dict[SplitPart, np.ndarray] = {
        part: np.arange(end - len(turns[part]), end) for part, end in zip(PARTS, ends, strict=True)
    }
    return TalkData(found, samples, (*notes, *duplicates_across(everything, places)), extra)


def _words(
    config: Config, turns: Sequence[Sequence[Sequence[str]]]
) -> tuple[Vocabulary, dict[str, Any]]:
    """The vocabulary, of the train part or of the start, and what is kept of the start."""
    if config.start is None:
        words = Counter(word for dialogue in turns for turn in dialogue for word in [*turn, END])
        return Vocabulary.build(words.elements(), config.min_count), {}
    start = starting_run.read_start(
        config.start, task="dialogue", models=sorted({config.model, *BEGUN.get(config.model, ())}),
        train=f"shinso train dialogue TALKS --model {config.model}",
    )  # fmt: skip
    # An HRED has no latent variable that could be of another size.
    other = {"latent"} if start.model == "hred" else set()
    size = {name: has for name, has in start.settings.items() if name not in other}
    facts = {"start_settings": size, "start_sha256": start.sha256}
    return Vocabulary.from_list(start.facts["vocabulary"]), facts


def samples_of(
    config: Config, turns: Sequence[Sequence[Sequence[str]]], vocabulary: Vocabulary
) -> DialogueSamples:
    """Turns as the numbers of their words, in pieces of the settings' length."""
    return DialogueSamples(
        turns, vocabulary, most_turns=config.most_turns, most_words=config.most_words
    )


def _counts(
    turns: Sequence[Sequence[Sequence[str]]], vocabulary: Vocabulary, most_words: int
) -> list[int]:
    """How often each word occurs in the answers of the train part."""
    counts = np.zeros(len(vocabulary), np.int64)
    for dialogue in turns:
        for turn in dialogue[1:]:
            np.add.at(counts, vocabulary.encode([*turn[:most_words], END]), 1)
    return counts.tolist()
