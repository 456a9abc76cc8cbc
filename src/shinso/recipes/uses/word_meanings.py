"""What a user gets from word vectors: scores, neighbours, a picture; and their naive rivals."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float32, Int
from torch import nn

from shinso.data.known_words import read_known
from shinso.data.stratified import parse_shares
from shinso.data.word_corpus import Numbers, WordCorpus, num_words, read_corpus
from shinso.data.word_tests import (
    Pair,
    Question,
    analogy_accuracy,
    analogy_scores,
    read_pairs,
    read_questions,
    similarity_score,
)
from shinso.data.word_vectors import WordVectors
from shinso.faults import UsageFault
from shinso.language import _
from shinso.models.count_vectors import ppmi_svd
from shinso.models.word2vec import Word2Vec
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one
from shinso.recipes.uses.vocabulary_fits import check_fits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.word2vec import Config

COUNTED = 5000  # most frequent words of the counting rival: its table has their square
PAIRS = 50_000  # of which window_auc is the mean
DRAWN = 80  # words in the picture
PASSED_OVER = 60  # the most frequent ones, which say little
NEIGHBOURS = 5


def read_parts(config: Config, paths: Sequence[Path]) -> WordCorpus:
    """Read the text; say how often training will read it."""
    path = only_one(paths, "word2vec", _("join the files into one: cat FILE FILE > ALL"))
    found = read_corpus(
        path,
        tokens=config.tokens,
        lower=config.lower,
        pieces=config.pieces,
        min_count=config.min_count,
        phrases=config.phrases,
        threshold=config.threshold,
        shares=parse_shares(config.split),
    )
    # Read now, so that a fault in them is found before training.
    for file, reader in ((config.similarity, read_pairs), (config.analogies, read_questions)):
        if file is not None:
            reader(file)
    words = num_words(found.parts["train"])
    epochs = config.training.steps * config.training.batch_size / words
    note = _("{steps:,} steps of {size:,} words read the {words:,} words about {epochs:.1f} times")
    notes = note.format(
        steps=config.training.steps, size=config.training.batch_size, words=words, epochs=epochs
    )
    return WordCorpus(
        found.path, found.words, found.counts, found.parts, found.sha256,
        (*found.notes, notes), {**found.extra, "split": config.split},
    )  # fmt: skip


class WordUse:
    """Trained word vectors."""

    better: Mapping[str, Literal["min", "max"]] = {
        "window_auc": "max",
        "similarity_rho": "max",
        "analogy_accuracy": "max",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        assert isinstance(model, Word2Vec)
        self.config, self.facts, self.model = config, facts, model
        self.words: tuple[str, ...] = tuple(facts["vocabulary"])
        check_fits(model.inputs, len(self.words))
        self._pairs: list[Pair] | None = None
        self._questions: list[Question] | None = None

    @property
    def vectors(self) -> WordVectors:
        return WordVectors(self.words, self.model.vectors.numpy())

    def read_new(self, paths: Sequence[Path]) -> WordCorpus:
        if self.config.pieces and "pieces" not in self.facts:
            raise UsageFault(
                "DATA-PIECES",
                place="evaluate",
                found=_("the run cut its text with sentencepiece and did not keep how"),
                why=_("the pieces of another text would be others"),
                next_step=_("train it anew: a run keeps that now"),
            )
        return read_known(
            only_one(paths, "word2vec"), self.words,
            tokens=self.config.tokens, lower=self.config.lower,
            pieces=base64.b64decode(self.facts.get("pieces", "")),
            phrases=self.facts.get("phrases", ()),
        )  # fmt: skip

    def evaluate(self, data: WordCorpus, part: Part) -> Evaluation:
        return self._scores(self.vectors, data.parts[part])

    def baselines(self, data: WordCorpus, part: Part) -> dict[str, Evaluation]:
        """Random vectors; counts of the train part, decomposed, where that part is at hand."""
        dim = self.model.config.dim
        random = np.random.default_rng(0).standard_normal((len(self.words), dim))
        rivals = {"random vectors": random.astype(np.float32)}
        if "train" in data.parts:
            rivals["PPMI, SVD"] = ppmi_svd(
                data.parts["train"], len(self.words),
                dim=dim, window=self.model.config.window, limit=COUNTED,
            )  # fmt: skip
        return {
            name: self._scores(WordVectors(self.words, found), data.parts[part])
            for name, found in rivals.items()
        }

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """The nearest words of every word of a text that the vocabulary has."""
        numbers = self.read_new(paths).parts["new"]
        vectors = self.vectors
        rows = [
            (self.words[place], rank, name, cosine)
            for place in np.unique(numbers[numbers >= 0]).tolist()
            for rank, (name, cosine) in enumerate(
                vectors.neighbours(self.words[place], NEIGHBOURS), 1
            )
        ]
        return Predictions(("word", "rank", "neighbour", "cosine"), rows)

    def stream(self, lines: Iterable[str]) -> Iterator[str]:
        """The neighbours of each line's word."""
        vectors = self.vectors
        for line in lines:
            try:
                found = vectors.neighbours(line.strip(), NEIGHBOURS)
                yield "  ".join(f"{word} {cosine:.3f}" for word, cosine in found)
            except UsageFault as fault:
                yield fault.text().replace("\n", " ")

    def plots(
        self, data: WordCorpus, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        """Frequent words on the plane in which their vectors differ most."""
        begin = PASSED_OVER if len(self.words) > PASSED_OVER + DRAWN else 0
        chosen = range(begin, min(begin + DRAWN, len(self.words)))
        plane = on_a_plane(self.vectors.unit[list(chosen)])
        rows = [
            (self.words[i], float(x), float(y)) for i, (x, y) in zip(chosen, plane, strict=True)
        ]
        table = Predictions(("word", "x", "y"), rows)
        return {"vectors": (lambda figure: _draw(table, figure), table)}

    def _scores(self, vectors: WordVectors, numbers: Numbers) -> Evaluation:
        metrics = {"window_auc": window_auc(vectors, numbers, self.model.config.window)}
        details: dict[str, list[dict[str, Any]]] = {}
        if self.config.similarity is not None:
            self._pairs = self._pairs or read_pairs(self.config.similarity)
            rho, known = similarity_score(vectors, self._pairs)
            metrics["similarity_rho"] = rho
            details["similarity"] = [{"known": known, "pairs": len(self._pairs)}]
        if self.config.analogies is not None:
            self._questions = self._questions or read_questions(self.config.analogies)
            details["analogies"] = analogy_scores(vectors, self._questions)
            metrics["analogy_accuracy"] = analogy_accuracy(details["analogies"])
        return Evaluation(metrics=metrics, details=details)


def window_auc(vectors: WordVectors, numbers: Numbers, window: int) -> float:
    """How often a word that stands within the window is nearer, by cosine, than a word from
    anywhere else in the text; ties count half. Of at most PAIRS pairs, always the same ones."""
    rng = np.random.default_rng(0)
    numbers = np.asarray(numbers[: 20 * PAIRS])
    lines = np.cumsum(numbers < 0)
    ones, others = [], []
    for distance in range(1, window + 1):
        a, b = numbers[:-distance], numbers[distance:]
        near = (a >= 0) & (b >= 0) & (lines[:-distance] == lines[distance:]) & (a != b)
        ones.append(a[near])
        others.append(b[near])
    one, other = np.concatenate(ones), np.concatenate(others)
    if not len(one):
        return 0.5
    some = rng.permutation(len(one))[:PAIRS]
    one, other = one[some], other[some]
    drawn = rng.permutation(other)
    unit = vectors.unit
    found = np.einsum("ij,ij->i", unit[one], unit[other])
    chance = np.einsum("ij,ij->i", unit[one], unit[drawn])
    fair = (drawn != one) & (drawn != other)
    if not fair.any():
        return 0.5
    return float(((found > chance) + 0.5 * (found == chance))[fair].mean())


def on_a_plane(
    vectors: Float32[np.ndarray, "word dim"],
) -> Int[np.ndarray, "word 2"] | np.ndarray:
    """The two principal components; signs so that the largest entry of each is positive."""
    centred = vectors - vectors.mean(axis=0)
    _left, _values, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2] if len(axes) > 1 else np.concatenate([axes, axes * 0])
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    return centred @ (axes * np.where(largest < 0, -1, 1)[:, None]).T


def _draw(table: Predictions, figure: Figure) -> None:
    axes = figure.subplots()
    axes.scatter([row[1] for row in table.rows], [row[2] for row in table.rows], s=4)
    for word, x, y in table.rows:
        axes.annotate(word, (x, y), fontsize=7, xytext=(2, 2), textcoords="offset points")
    axes.set_xlabel(_("first principal component"))
    axes.set_ylabel(_("second principal component"))
