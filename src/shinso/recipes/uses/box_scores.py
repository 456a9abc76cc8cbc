"""Detections counted at one score: which were right, which were missed, what for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from shinso.objectives.detection_scores import (
    Answers,
    Truths,
    evaluate_coco,
    evaluate_voc,
)
from shinso.recipes.recipe import Evaluation, Predictions

HALF = 0.5


def surer(answers: Answers, score: float) -> Answers:
    """Those of at least this score."""
    kept = answers.scores >= score
    return Answers(answers.boxes_xyxy_px[kept], answers.scores[kept], answers.classes[kept])


def counts_of(
    answers: Answers, truths: Truths, num_classes: int
) -> Int[np.ndarray, "class_and_none class_and_none"]:
    """How often each true class (row) was answered as each class (column); the last row are answers
    where nothing is, the last column objects that were missed.

    The surest answer takes the free truth that it overlaps most, by at least half, whatever its
    class. Answers on ignored truths count nowhere.
    """
    from shinso.nn.kernels.overlap_numba import coco_overlaps

    counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    hidden = np.zeros(len(truths.classes), dtype=bool)
    for one in (truths.ignored, truths.crowd):
        hidden |= False if one is None else one
    order = np.argsort(-answers.scores, kind="stable")
    overlaps = coco_overlaps(
        np.ascontiguousarray(answers.boxes_xyxy_px[order], dtype=np.float64),
        np.ascontiguousarray(truths.boxes_xyxy_px, dtype=np.float64),
        np.zeros(len(truths.classes), dtype=bool),
    )
    free = ~hidden
    for number, row in zip(answers.classes[order], overlaps, strict=True):
        own = np.where(free, row, 0.0)
        best = int(own.argmax()) if own.size else -1
        if best >= 0 and own[best] >= HALF:
            counts[truths.classes[best], number] += 1
            free[best] = False
        elif not (row[hidden] >= HALF).any():
            counts[num_classes, number] += 1
    for number in truths.classes[free]:
        counts[number, num_classes] += 1
    return counts


def box_scores(
    answers: Sequence[Answers], truths: Sequence[Truths], classes: Sequence[str], score: float
) -> Evaluation:
    """AP in COCO's and VOC's ways; precision and recall of the answers of at least ``score``."""
    coco = evaluate_coco(answers, truths, len(classes))
    voc = evaluate_voc(answers, truths, len(classes))
    counts = sum(
        (
            counts_of(surer(said, score), true, len(classes))
            for said, true in zip(answers, truths, strict=True)
        ),
        np.zeros((len(classes) + 1,) * 2, dtype=np.int64),
    )
    right = np.diag(counts)[:-1]
    said, there = counts.sum(0)[:-1], counts.sum(1)[:-1]
    return Evaluation(
        metrics={
            "map_50": coco.mean_ap(iou=0.5),
            "map_50_95": coco.mean_ap(),
            "map_75": coco.mean_ap(iou=0.75),
            "map_50_voc": voc.mean_ap,
            "recall_50_95": coco.mean_recall(),
            "precision": float(right.sum() / max(1, said.sum())),
            "recall": float(right.sum() / max(1, there.sum())),
        },
        details={
            "by_class": [
                {
                    "class": name,
                    "boxes": int(there[number]),
                    "ap_50": _number(coco.by_class(0.5)[number]),
                    "ap_50_95": _number(coco.by_class()[number]),
                    "ap_50_voc": _number(voc.ap[number]),
                    "precision": float(right[number] / max(1, said[number])),
                    "recall": float(right[number] / max(1, there[number])),
                }
                for number, name in enumerate(classes)
            ],
            "by_size": [
                {"size": size, "map_50_95": _number(coco.mean_ap(size))} for size in coco.ap
            ],
        },
    )


def _number(value: float) -> float | None:
    """None where nothing of the kind is there to be found."""
    return None if np.isnan(value) else float(value)


def confusion_table(
    answers: Sequence[Answers], truths: Sequence[Truths], classes: Sequence[str], score: float
) -> Predictions:
    """The counts of all images, named."""
    counts = sum(
        (
            counts_of(surer(said, score), true, len(classes))
            for said, true in zip(answers, truths, strict=True)
        ),
        np.zeros((len(classes) + 1,) * 2, dtype=np.int64),
    )
    names = [*classes, "background"]
    rows = [(name, *map(int, row)) for name, row in zip(names, counts, strict=True)]
    return Predictions(("true \\ answered", *classes, "missed"), rows)
