"""What a user gets from a trained tagger, and its naive rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.tagged_batches import NO_TAG, TagBatch, TagSamples
from shinso.data.tagged_tokens import TaggedSentences, read_tagged
from shinso.data.vocabulary import Vocabulary
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.label_scores import confusion, draw_confusion, label_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.tag import Config


@dataclass(frozen=True)
class TagData:
    """Tagged sentences as samples of each part."""

    sentences: TaggedSentences
    samples: Mapping[Part, TagSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.sentences.facts(), "notes": list(self.notes), **self.extra}


def read_parts(config: Config, paths: Sequence[Path]) -> TagData:
    """Read, split; vocabulary and rivals from the train part."""
    path = only_one(paths, "tag")
    sentences = read_tagged(path)
    shares = parse_shares(config.split)
    parts = random_split(len(sentences), shares, config.split_seed, path=path)
    words = chain.from_iterable(sentences.tokens[i] for i in parts["train"])
    vocabulary = Vocabulary.build(words, config.min_count)
    classes = sentences.classes
    samples: dict[Part, TagSamples] = {
        part: TagSamples(sentences, rows, vocabulary, classes) for part, rows in parts.items()
    }
    train = _flat(samples["train"])
    extra = {
        "class_names": list(classes),
        "vocabulary": vocabulary.to_list(),
        "split": f"{config.split} seed {config.split_seed}",
        "part_sentences": {part: len(found) for part, found in samples.items()},
        "tag_counts": _tag_counts(*train, len(vocabulary), len(classes)),
    }
    notes = (*sentences.notes, *duplicates_across(sentences.tokens, parts))
    return TagData(sentences, samples, notes, extra)


def _flat(samples: TagSamples) -> tuple[np.ndarray, np.ndarray]:
    """Word numbers and tag numbers of all tokens, in order."""
    words, tags = [], []
    for batch in samples.batches(256):
        real = batch.tags != NO_TAG
        words.append(batch.tokens[real].numpy())
        tags.append(batch.tags[real].numpy())
    return np.concatenate(words), np.concatenate(tags)


def _tag_counts(
    words: np.ndarray, tags: np.ndarray, num_words: int, num_tags: int
) -> list[list[int]]:
    """How often each word number had each tag in the train part."""
    counts = np.zeros((num_words, num_tags), dtype=np.int64)
    np.add.at(counts, (words, tags), 1)
    return counts.tolist()


class TagUse:
    """A trained tagger. All scores count tokens."""

    better: Mapping[str, Literal["min", "max"]] = {
        "accuracy": "max",
        "macro_f1": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.vocabulary = Vocabulary.from_list(facts["vocabulary"])
        self.classes: list[str] = facts["class_names"]

    def read_new(self, paths: Sequence[Path]) -> TagData:
        sentences = read_tagged(only_one(paths, "tag"))
        samples = TagSamples(sentences, None, self.vocabulary, self.classes)
        return TagData(sentences, {"new": samples}, sentences.notes)

    def evaluate(self, data: TagData, part: Part) -> Evaluation:
        probabilities, tags = self._answers(data.samples[part])
        return label_scores(probabilities, tags, self.classes)

    def baselines(self, data: TagData, part: Part) -> dict[str, Evaluation]:
        words, tags = _flat(data.samples[part])
        counts = np.array(self.facts["tag_counts"], dtype=float)
        overall = counts.sum(axis=0) / counts.sum()
        # One more occurrence of each word, tagged as all tokens are: no tag gets probability 0
        # because of a small count, and a word never seen has the overall shares.
        by_word = (counts + overall) / (counts.sum(axis=1, keepdims=True) + 1)
        answers = {
            "majority": np.tile(overall, (len(tags), 1)),
            "commonest tag of the word": by_word[words],
        }
        return {name: label_scores(found, tags, self.classes) for name, found in answers.items()}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each token: its sentence, the token, its tag and the tag's probability."""
        sentences = read_tagged(only_one(paths, "tag"), needs_tags=False)
        samples = TagSamples(sentences, None, self.vocabulary, self.classes)
        device = next(self.model.parameters()).device
        rows: list[tuple[Any, ...]] = []
        for batch in samples.batches(256):
            with torch.no_grad():
                found = self.model(batch.tokens.to(device), batch.lengths).softmax(-1).cpu()
            for one, length in zip(found, batch.lengths.tolist(), strict=True):
                number = rows[-1][0] + 1 if rows else 1
                best, tags = one[:length].max(-1)
                tokens = sentences.tokens[number - 1]
                rows += [
                    (number, token, self.classes[tag], chance)
                    for token, tag, chance in zip(tokens, tags.tolist(), best.tolist(), strict=True)
                ]
        return Predictions(("sentence", "token", "tag", "probability"), rows)

    def plots(
        self, data: TagData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        probabilities, tags = self._answers(data.samples[part])
        table = confusion(probabilities.argmax(axis=1), tags, self.classes)
        return {"confusion": (lambda figure: draw_confusion(table, figure), table)}

    def _answers(self, samples: TagSamples) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and true tags of all tokens, in order."""
        device = next(self.model.parameters()).device
        found, tags = [], []
        with torch.no_grad():
            for batch in samples.batches(256):
                moved: TagBatch = batch.to(device)
                logits = self.model(moved.tokens, moved.lengths)
                real = moved.tags != NO_TAG
                found.append(logits[real].softmax(-1).double().cpu())
                tags.append(moved.tags[real].cpu())
        return torch.cat(found).numpy(), torch.cat(tags).numpy()
