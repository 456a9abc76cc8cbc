"""How well masks agree: intersection over union, pixel accuracy, from one table of counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from shinso.data.mask_decoding import VOID

Counts = Int[np.ndarray, "true answered"]


def counted(
    truth: UInt8[np.ndarray, "*pixels"], answer: UInt8[np.ndarray, "*pixels"], num_classes: int
) -> Counts:
    """Pixels of each true class (row) by the class answered (column); void ones do not count."""
    counts = truth != VOID
    both = truth[counts].astype(np.int64) * num_classes + answer[counts]
    return np.bincount(both, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_iou(table: Counts) -> Float[np.ndarray, " class"]:
    """|truth ∩ answer| / |truth ∪ answer| of each class (Everingham et al. 2010, section 4.2); NaN
    where a class is neither there nor answered."""
    both = np.diag(table).astype(float)
    either = table.sum(0) + table.sum(1) - both
    with np.errstate(invalid="ignore"):
        return both / either


def scores_of(table: Counts) -> dict[str, float]:
    """mean_iou: over the classes that are there or were answered; class_accuracy: mean share of a
    class's pixels that are right; pixel_accuracy: share of all pixels. 0 where no pixel counts."""
    if not table.sum():
        return {"mean_iou": 0.0, "pixel_accuracy": 0.0, "class_accuracy": 0.0}
    rows = table.sum(1)
    there = rows > 0
    return {
        "mean_iou": float(np.nanmean(class_iou(table))),
        "pixel_accuracy": float(np.diag(table).sum() / table.sum()),
        "class_accuracy": float((np.diag(table)[there] / rows[there]).mean()),
    }


def by_class(table: Counts, names: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each class: its pixels, IoU, recall and precision; None where there is none."""

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    found = []
    for number, name in enumerate(names):
        right, true, answered = map(
            int, (table[number, number], table[number].sum(), table[:, number].sum())
        )
        found.append(
            {
                "class": name,
                "pixels": true,
                "iou": share(right, true + answered - right),
                "recall": share(right, true),
                "precision": share(right, answered),
            }
        )
    return found
