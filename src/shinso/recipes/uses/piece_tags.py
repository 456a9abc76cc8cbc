"""What a user gets from a BERT that tags, and its naive rivals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from shinso.data.findings import Findings, shown
from shinso.data.piece_batches import NONE, PieceSamples
from shinso.data.stratified import duplicates_across, parse_shares, random_split
from shinso.data.tagged_tokens import TaggedSentences, read_tagged
from shinso.data.wordpiece import WordPieces
from shinso.language import _
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.bert_starts import pieces_of
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.label_scores import confusion, draw_confusion, label_scores
from shinso.recipes.uses.learnt_pieces import learnt_pieces
from shinso.recipes.uses.vocabulary_fits import check_fits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.tag_text import Config

AT_ONCE = 32


@dataclass(frozen=True)
class PieceTagData:
    """rows: sentences of each part. firsts: for each sample the places of its tokens' first pieces."""

    sentences: TaggedSentences
    rows: Mapping[Part, Sequence[int]]
    samples: Mapping[Part, PieceSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.sentences.facts(), "notes": list(self.notes), **self.extra}

    def tokens(self, part: Part) -> list[str]:
        """All tokens of a part in order."""
        return [token for row in self.rows[part] for token in self.sentences.tokens[row]]


def read_parts(config: Config, paths: Sequence[Path]) -> PieceTagData:
    """Read, split; vocabulary and rivals from the train part."""
    path = only_one(paths, "tag-text")
    sentences = read_tagged(path)
    parts = random_split(len(sentences), parse_shares(config.split), config.split_seed, path=path)
    classes = sentences.classes
    start_size: dict[str, Any] | None = None
    if config.start is not None:
        pieces, start_size = pieces_of(config.start)
    else:
        texts = (" ".join(sentences.tokens[row]) for row in parts["train"].tolist())
        pieces = learnt_pieces(texts, config.vocabulary, lower=config.lower, path=path)
    rows: dict[Part, list[int]] = {part: found.tolist() for part, found in parts.items()}
    samples: dict[Part, PieceSamples] = {
        part: _samples(sentences, found, pieces, classes, config.longest)
        for part, found in rows.items()
    }
    data = PieceTagData(sentences, rows, samples, ())
    tags = [tag for row in rows["train"] for tag in sentences.tags[row]]
    extra = {
        "class_names": list(classes),
        "pieces": list(pieces.pieces),
        "lower": pieces.lower,
        "start_size": start_size,
        "split": f"{config.split} seed {config.split_seed}",
        "part_sentences": {part: len(found) for part, found in rows.items()},
        "tag_counts": dict(Counter(tags)),
        "word_tags": _commonest(data.tokens("train"), tags),
    }
    notes = [*sentences.notes, *duplicates_across(sentences.tokens, parts)]
    notes += _cut_notes(sentences, rows, samples)
    return PieceTagData(sentences, rows, samples, tuple(notes), extra)


def _cut_notes(
    sentences: TaggedSentences,
    rows: Mapping[Part, Sequence[int]],
    samples: Mapping[Part, PieceSamples],
) -> list[str]:
    """Says how many tokens stand behind a sentence's cut, where no piece of them is read."""
    missing = sum(
        len(sentences.tokens[row]) - tagged
        for part, found in samples.items()
        for row, tagged in zip(rows[part], found.num_labelled, strict=True)
    )
    if not missing:
        return []
    note = _(
        "{count:,} tokens stand behind the first {longest} pieces of their sentences, untagged"
    )
    return [note.format(count=missing, longest=next(iter(samples.values())).longest)]


def _commonest(tokens: Sequence[str], tags: Sequence[str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for token, tag in zip(tokens, tags, strict=True):
        counts.setdefault(token, Counter())[tag] += 1
    return {token: found.most_common(1)[0][0] for token, found in counts.items()}


def _samples(
    sentences: TaggedSentences,
    rows: Sequence[int],
    pieces: WordPieces,
    classes: Sequence[str],
    longest: int,
) -> PieceSamples:
    """Labels stand at each token's first piece; without tags the first piece has the label 0."""
    number = {name: place for place, name in enumerate(classes)}
    texts, labels = [], []
    unknown = pieces.number["[UNK]"]
    for row in rows:
        numbers: list[int] = []
        marks: list[int] = [NONE]  # [CLS]
        tags = sentences.tags[row] or (classes[0],) * len(sentences.tokens[row])
        for token, tag in zip(sentences.tokens[row], tags, strict=True):
            own = [n for part in pieces.encode_words(pieces.cut(token)) for n in part] or [unknown]
            numbers += own
            marks += [number[tag], *[NONE] * (len(own) - 1)]
        texts.append((numbers, []))
        labels.append([*marks[: min(len(marks), longest - 1)], NONE])
    return PieceSamples(texts, labels, pieces, longest)


class PieceTagUse:
    """A trained tagger. All scores count tokens; those behind a text's cut count as not tagged."""

    better: Mapping[str, Literal["min", "max"]] = {
        "accuracy": "max",
        "macro_f1": "max",
        "loss_nats": "min",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts = config, facts
        self.model: Any = model
        self.pieces = WordPieces(tuple(facts["pieces"]), facts["lower"])
        check_fits(self.model.bert.pieces.weight, len(self.pieces))
        self.classes: list[str] = facts["class_names"]

    def read_new(self, paths: Sequence[Path]) -> PieceTagData:
        sentences = read_tagged(only_one(paths, "tag-text"))
        findings = Findings(sentences.path)
        for line, tags in zip(sentences.lines, sentences.tags, strict=True):
            for tag in sorted(set(tags) - set(self.classes)):
                findings.fault(
                    "DATA-UNKNOWN-LABEL",
                    line=line,
                    found=_("a token of this sentence has the tag {tag}").format(tag=shown(tag)),
                    why=_("the known tags are {tags}").format(tags=", ".join(self.classes)),
                    next_step=_("mend the tag, or train on data that hold it"),
                )
        findings.stop()
        return self._whole(sentences)

    def evaluate(self, data: PieceTagData, part: Part) -> Evaluation:
        chances = np.concatenate(self._answers(data, part))
        return label_scores(chances, self._labels(data, part), self.classes)

    def baselines(self, data: PieceTagData, part: Part) -> dict[str, Evaluation]:
        counts = np.array([self.facts["tag_counts"].get(name, 0) for name in self.classes], float)
        overall = (counts + 1) / (counts + 1).sum()
        number = {name: place for place, name in enumerate(self.classes)}
        known = self.facts["word_tags"]
        tokens = data.tokens(part)
        by_word = np.tile(overall, (len(tokens), 1))
        for place, token in enumerate(tokens):
            if token in known:
                # As sure as the share of all words that have their commonest tag would be; 0.95.
                by_word[place] *= 0.05
                by_word[place, number[known[token]]] += 0.95
        labels = self._labels(data, part)
        rivals = {
            "majority": np.tile(overall, (len(tokens), 1)),
            "commonest tag of the word": by_word,
        }
        return {name: label_scores(found, labels, self.classes) for name, found in rivals.items()}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each token: its sentence, the token, its tag and the tag's probability."""
        sentences = read_tagged(only_one(paths, "tag-text"), needs_tags=False)
        data = self._whole(sentences)
        rows = [
            (number, token, self.classes[int(one.argmax())], float(one.max()))
            for number, (tokens, found) in enumerate(
                zip(sentences.tokens, self._answers(data, "new"), strict=True), 1
            )
            for token, one in zip(tokens, found, strict=True)
        ]
        return Predictions(("sentence", "token", "tag", "probability"), rows, data.notes)

    def plots(
        self, data: PieceTagData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        answers = np.concatenate(self._answers(data, part)).argmax(axis=1)
        table = confusion(answers, self._labels(data, part), self.classes)
        return {"confusion": (lambda figure: draw_confusion(table, figure), table)}

    def _whole(self, sentences: TaggedSentences) -> PieceTagData:
        rows = range(len(sentences))
        samples = _samples(sentences, rows, self.pieces, self.classes, self.config.longest)
        said = _cut_notes(sentences, {"new": rows}, {"new": samples})
        return PieceTagData(sentences, {"new": rows}, {"new": samples}, (*sentences.notes, *said))

    def _labels(self, data: PieceTagData, part: Part) -> Int[np.ndarray, " token"]:
        number = {name: place for place, name in enumerate(self.classes)}
        tags = (tag for row in data.rows[part] for tag in data.sentences.tags[row])
        return np.array([number[tag] for tag in tags], dtype=np.int64)

    @torch.no_grad()
    def _answers(self, data: PieceTagData, part: Part) -> list[Float[np.ndarray, "_ tag"]]:
        """Probabilities of each sentence's tokens; tokens behind the cut have the train part's."""
        device = next(self.model.parameters()).device
        samples, rows = data.samples[part], data.rows[part]
        counts = np.array([self.facts["tag_counts"].get(name, 0) for name in self.classes], float)
        overall = (counts + 1) / (counts + 1).sum()
        order = np.argsort(samples.lengths, kind="stable")
        found: list[Any] = [None] * len(samples)
        for begin in range(0, len(samples), AT_ONCE):
            chosen = order[begin : begin + AT_ONCE]
            batch = samples.take(chosen).to(device)
            chances = self.model(batch.pieces, batch.types, batch.there).softmax(-1).double().cpu()
            marked = (batch.labels != NONE).cpu()
            for place, own, there in zip(chosen.tolist(), chances, marked, strict=True):
                answers = own[there].numpy()
                missing = len(data.sentences.tokens[rows[place]]) - len(answers)
                found[place] = np.vstack([answers, np.tile(overall, (missing, 1))])
        return found
