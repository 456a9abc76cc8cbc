"""Scores of predicted classes, the same for series, tokens and whatever else has a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import confusion_matrix, f1_score

from shinso.intervals import proportion
from shinso.recipes.recipe import Evaluation, Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def label_scores(
    probabilities: Float[np.ndarray, "sample class"],
    labels: Int[np.ndarray, " sample"],
    classes: Sequence[str],
) -> Evaluation:
    """Accuracy with its Wilson interval, macro F1 and the mean negative log-likelihood.

    Macro F1 is over the classes that occur among the labels or the answers. A probability of 0
    for the right class counts as the smallest positive number, so the loss stays finite.
    """
    answers = probabilities.argmax(axis=1)
    right = int((answers == labels).sum())
    interval = proportion(right, len(labels))
    own = probabilities[np.arange(len(labels)), labels]
    floor = np.finfo(np.float64).tiny
    by_class = [
        {
            "class": name,
            "samples": int((labels == number).sum()),
            "recall": float((answers[labels == number] == number).mean())
            if (labels == number).any()
            else float("nan"),
        }
        for number, name in enumerate(classes)
    ]
    return Evaluation(
        metrics={
            "accuracy": right / len(labels),
            "macro_f1": float(f1_score(labels, answers, average="macro", zero_division=0)),  # pyright: ignore[reportArgumentType]
            "loss_nats": float(-np.log(np.maximum(own, floor)).mean()),
        },
        details={
            "accuracy_interval": [{"low": interval.low, "high": interval.high}],
            "by_class": by_class,
        },
    )


def confusion(
    answers: Int[np.ndarray, " sample"],
    labels: Int[np.ndarray, " sample"],
    classes: Sequence[str],
) -> Predictions:
    """How often each class (row) was answered as each class (column)."""
    counts = confusion_matrix(labels, answers, labels=np.arange(len(classes)))
    rows = [(name, *map(int, row)) for name, row in zip(classes, counts, strict=True)]
    return Predictions(("true \\ answered", *classes), rows)


def draw_confusion(table: Predictions, figure: Figure) -> None:
    """The confusion table as a picture; each row is shaded by its own shares."""
    counts = np.array([row[1:] for row in table.rows], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [str(row[0]) for row in table.rows]
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.set_xticks(range(len(names)), names, rotation=45 if len(names) > 5 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("answered")
    axes.set_ylabel("true")
    if len(names) <= 12:
        for row in range(len(names)):
            for column in range(len(names)):
                if counts[row, column]:
                    light = shares[row, column] > 0.6
                    axes.text(
                        column, row, str(int(counts[row, column])), ha="center", va="center",
                        color="white" if light else "black", fontsize=8,
                    )  # fmt: skip
    figure.colorbar(image, label="share of the true class")
