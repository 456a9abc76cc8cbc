"""What a user gets from a trained classifier of texts, and its naive rivals."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from shinso.data.findings import Findings, shown
from shinso.data.labelled_text import LabelledTexts, read_labelled_texts
from shinso.data.piece_batches import NONE, PieceSamples, cut_notes
from shinso.data.stratified import duplicates_across, parse_shares, stratified_split
from shinso.data.text import sha256_of
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

    from shinso.recipes.classify_text import Config

AT_ONCE = 64
BAG_WORDS = 20_000  # most frequent words that the logistic regression sees
BAG_STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)  # inverse regularization; the valid part chooses


@dataclass(frozen=True)
class TextData:
    """Labelled texts of each part, as they stand and as samples."""

    texts: Mapping[Part, LabelledTexts]
    samples: Mapping[Part, PieceSamples]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {**self.extra, "notes": list(self.notes)}


def read_parts(config: Config, paths: Sequence[Path]) -> TextData:
    """Read, split; vocabulary and rivals from the train part."""
    path = only_one(paths, "classify-text")
    whole = read_labelled_texts(path)
    classes = whole.classes
    if len(classes) < 2:
        _one_class(path, classes)
    texts: dict[Part, LabelledTexts] = {"train": whole}
    notes, sha256 = list(whole.notes), whole.sha256
    if config.valid:
        given: tuple[tuple[Part, Any], ...] = (("valid", config.valid), ("test", config.test))
        for part, chosen in given:
            texts[part] = read_labelled_texts(only_one(chosen, f"--{part}"))
            sha256 = sha256_of((sha256 + texts[part].sha256).encode())
            notes += texts[part].notes
            _check_classes(texts[part], classes)
    else:
        shares = parse_shares(config.split)
        parts = stratified_split(whole.labels, shares, config.split_seed, path=path)
        both = list(zip(whole.first, whole.second, strict=True))
        notes += duplicates_across(both, parts)
        texts = {part: whole.take(rows) for part, rows in parts.items()}
    if config.only:
        texts["train"] = _some(texts["train"], config.only, config.split_seed)
        notes.append(_("learning from {count} labels").format(count=len(texts["train"])))
    start_size: dict[str, Any] | None = None
    if config.start is not None:
        pieces, start_size = pieces_of(config.start)
    else:
        learnt = [*texts["train"].first, *texts["train"].second]
        pieces = learnt_pieces(learnt, config.vocabulary, lower=config.lower, path=path)
    samples: dict[Part, PieceSamples] = {
        part: _samples(found, pieces, classes, config.longest) for part, found in texts.items()
    }
    notes += cut_notes(samples.values())
    extra = {
        "file": path.name,
        "sha256": sha256,
        "class_names": list(classes),
        "classes": texts["train"].facts()["classes"],
        "pieces": list(pieces.pieces),
        "lower": pieces.lower,
        "start_size": start_size,
        "split": "given" if config.valid else f"{config.split} seed {config.split_seed}",
        "part_samples": {part: len(found) for part, found in texts.items()},
        "bag": _fit_bag(texts, classes, pieces),
    }
    return TextData(texts, samples, tuple(notes), extra)


def _samples(
    texts: LabelledTexts, pieces: WordPieces, classes: Sequence[str], longest: int
) -> PieceSamples:
    pairs = [
        (pieces.encode(one), pieces.encode(two) if two else [])
        for one, two in zip(texts.first, texts.second, strict=True)
    ]
    number = {name: place for place, name in enumerate(classes)}
    return PieceSamples(pairs, [number[label] for label in texts.labels], pieces, longest)


def _some(train: LabelledTexts, count: int, seed: int) -> LabelledTexts:
    """So many samples, the classes in turn so that each is there."""
    rng = np.random.default_rng([seed, count])
    order = rng.permutation(len(train))
    turns: dict[str, int] = {}
    keyed = []
    for place in order.tolist():
        turn = turns[train.labels[place]] = turns.get(train.labels[place], -1) + 1
        keyed.append((turn, place))
    return train.take(sorted(place for _turn, place in sorted(keyed)[:count]))


def _one_class(path: Path, classes: Sequence[str]) -> None:
    findings = Findings(path)
    findings.fault(
        "DATA-ONE-CLASS",
        found=", ".join(classes),
        why=_("with one class there is nothing to learn"),
        next_step=_("give data with at least two classes"),
    )
    findings.stop()


def _check_classes(texts: LabelledTexts, classes: Sequence[str]) -> None:
    findings = Findings(texts.path)
    for line, label in zip(texts.lines, texts.labels, strict=True):
        if label not in classes:
            findings.fault(
                "DATA-UNKNOWN-LABEL",
                line=line,
                found=shown(label),
                why=_("the known classes are {classes}").format(classes=", ".join(classes)),
                next_step=_("mend the label, or train on data that hold it"),
            )
    findings.stop()


def _fit_bag(
    texts: Mapping[Part, LabelledTexts], classes: Sequence[str], pieces: WordPieces
) -> dict[str, Any]:
    """Logistic regression on which words occur, as JSON."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    train = texts["train"]
    analyzer: Any = pieces.cut  # annotated as a name alone
    counter = CountVectorizer(analyzer=analyzer, binary=True, max_features=BAG_WORDS)
    x = counter.fit_transform(_both(train))
    number = {name: place for place, name in enumerate(classes)}
    y = [number[label] for label in train.labels]
    if len(set(y)) < 2:
        return {}
    valid = counter.transform(_both(texts["valid"]))
    truth = np.array([number[label] for label in texts["valid"].labels])
    fits = [LogisticRegression(C=c, max_iter=1000).fit(x, y) for c in BAG_STRENGTHS]
    best = max(fits, key=lambda fit: float((fit.predict(valid) == truth).mean()))
    weights = np.vstack([best.coef_.T, best.intercept_]).astype("<f4")
    return {
        "words": counter.get_feature_names_out().tolist(),
        "classes": best.classes_.tolist(),
        "weights": base64.b64encode(weights.tobytes()).decode(),
    }


def _both(texts: LabelledTexts) -> list[str]:
    return [f"{one} {two}" for one, two in zip(texts.first, texts.second, strict=True)]


class TextUse:
    """A trained classifier of texts."""

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

    def read_new(self, paths: Sequence[Path]) -> TextData:
        found = read_labelled_texts(only_one(paths, "classify-text"))
        _check_classes(found, self.classes)
        samples = _samples(found, self.pieces, self.classes, self.config.longest)
        return TextData({"new": found}, {"new": samples}, (*found.notes, *cut_notes([samples])))

    def evaluate(self, data: TextData, part: Part) -> Evaluation:
        return label_scores(
            self._answers(data.samples[part]), self._labels(data.texts[part]), self.classes
        )

    def baselines(self, data: TextData, part: Part) -> dict[str, Evaluation]:
        texts = data.texts[part]
        labels = self._labels(texts)
        counts = np.array([self.facts["classes"].get(name, 0) for name in self.classes], float)
        rivals = {"majority": np.tile(counts / counts.sum(), (len(labels), 1))}
        if self.facts["bag"]:
            rivals["logistic regression on words"] = self._bag_answers(texts)
        return {name: label_scores(found, labels, self.classes) for name, found in rivals.items()}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each text: its class, and the probability of every class."""
        found = read_labelled_texts(only_one(paths, "classify-text"), needs_label=False)
        samples = _samples(found, self.pieces, self.classes, self.config.longest)
        chances = self._answers(samples)
        rows = [
            (line, self.classes[int(one.argmax())], *map(float, one))
            for line, one in zip(found.lines, chances, strict=True)
        ]
        columns = ("line", "class", *(f"p({name})" for name in self.classes))
        return Predictions(columns, rows, (*found.notes, *cut_notes([samples])))

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """The class of each line, with its probability; a tab begins the second text of a pair."""
        for line in lines:
            (chances,) = self.chances([line])
            yield f"{self.classes[int(chances.argmax())]}\t{chances.max():.4f}"

    def chances(self, lines: Sequence[str]) -> Float[np.ndarray, "line class"]:
        """The probability of every class; a tab begins the second text of a pair."""
        pairs = []
        for line in lines:
            first, _tab, second = line.partition("\t")
            pairs.append((self.pieces.encode(first), self.pieces.encode(second) if second else []))
        return self._answers(PieceSamples(pairs, [], self.pieces, self.config.longest))

    def plots(
        self, data: TextData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        answers = self._answers(data.samples[part]).argmax(axis=1)
        table = confusion(answers, self._labels(data.texts[part]), self.classes)
        return {"confusion": (lambda figure: draw_confusion(table, figure), table)}

    def _labels(self, texts: LabelledTexts) -> Int[np.ndarray, " sample"]:
        number = {name: place for place, name in enumerate(self.classes)}
        return np.array([number[label] for label in texts.labels], dtype=np.int64)

    def _bag_answers(self, texts: LabelledTexts) -> Float[np.ndarray, "sample class"]:
        bag = self.facts["bag"]
        place = {word: number for number, word in enumerate(bag["words"])}
        weights = np.frombuffer(base64.b64decode(bag["weights"]), dtype="<f4").astype(float)
        weights = weights.reshape(len(place) + 1, -1)
        scores = np.tile(weights[-1], (len(texts), 1))
        for row, text in enumerate(_both(texts)):
            known = sorted({place[word] for word in self.pieces.cut(text) if word in place})
            scores[row] += weights[known].sum(axis=0)
        if scores.shape[1] == 1:  # two classes share one column of weights
            scores = np.hstack([np.zeros_like(scores), scores])
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        found = np.zeros((len(texts), len(self.classes)))
        found[:, bag["classes"]] = chances / chances.sum(axis=1, keepdims=True)
        return found

    @torch.no_grad()
    def _answers(self, samples: PieceSamples) -> Float[np.ndarray, "sample class"]:
        device = next(self.model.parameters()).device
        # Texts of like length side by side, so that little is padding.
        order = np.argsort(samples.lengths, kind="stable")
        found = np.empty((len(samples), len(self.classes)))
        for begin in range(0, len(samples), AT_ONCE):
            chosen = order[begin : begin + AT_ONCE]
            batch = samples.take(chosen)._replace(labels=torch.full((len(chosen),), NONE))
            moved = batch.to(device)
            scores = self.model(moved.pieces, moved.types, moved.there)
            found[chosen] = scores.softmax(-1).double().cpu().numpy()
        return found
