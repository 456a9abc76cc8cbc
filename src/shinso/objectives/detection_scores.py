"""How good detections are: precision and recall, AP and mAP in the COCO and VOC ways.

Answers and truths of one image are arrays; ``evaluate_coco`` equals pycocotools' COCOeval for
boxes, ``evaluate_voc`` the VOC development kit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

COCO_THRESHOLDS = np.linspace(0.5, 0.95, 10)
COCO_RECALLS = np.linspace(0.0, 1.0, 101)
COCO_AREAS_PX2 = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
MAX_ANSWERS = 100


@dataclass(frozen=True, eq=False)
class Answers:
    """What a detector says of one image."""

    boxes_xyxy_px: Float[np.ndarray, "answer 4"]
    scores: Float[np.ndarray, " answer"]
    classes: Int[np.ndarray, " answer"]


@dataclass(frozen=True, eq=False)
class Truths:
    """What is in one image.

    ignored: neither has to be found nor counts as wrong (VOC: difficult). crowd: a region of many
    that any number of answers may lie in (COCO); a crowd is ignored too. area_px2: of the objects
    where it is not that of their boxes (COCO: of their masks).
    """

    boxes_xyxy_px: Float[np.ndarray, "truth 4"]
    classes: Int[np.ndarray, " truth"]
    ignored: Bool[np.ndarray, " truth"] | None = None
    crowd: Bool[np.ndarray, " truth"] | None = None
    area_px2: Float[np.ndarray, " truth"] | None = None


@dataclass(frozen=True, eq=False)
class CocoScores:
    """AP of each class at each threshold, by size; NaN where a class has no truth.

    ap: [threshold class] at recalls 0, 0.01 … 1 (101 points); recall: the largest reached, with
    at most ``MAX_ANSWERS`` answers an image.
    """

    ap: Mapping[str, Float[np.ndarray, "threshold class"]]
    recall: Mapping[str, Float[np.ndarray, "threshold class"]]

    def mean_ap(self, size: str = "all", iou: float | None = None) -> float:
        """COCO's AP (mean over thresholds and classes), at one IoU where it is given."""
        return _mean(self._at(self.ap[size], iou))

    def mean_recall(self, size: str = "all") -> float:
        """COCO's AR with 100 answers an image."""
        return _mean(self.recall[size])

    def by_class(self, iou: float | None = None) -> Float[np.ndarray, " class"]:
        """AP of each class, over all sizes."""
        return np.array([_mean(column) for column in self._at(self.ap["all"], iou).T])

    @staticmethod
    def _at(values: np.ndarray, iou: float | None) -> np.ndarray:
        if iou is None:
            return values
        return values[np.isclose(COCO_THRESHOLDS, iou)]


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def evaluate_coco(
    answers: Sequence[Answers], truths: Sequence[Truths], num_classes: int
) -> CocoScores:
    """COCO's scores of all images (equal to pycocotools.cocoeval, iouType "bbox").

    ValueError where there are not as many answers as truths.
    """
    if len(answers) != len(truths):
        raise ValueError(f"answers are of {len(answers)} images and truths of {len(truths)}")
    shape = (len(COCO_THRESHOLDS), num_classes)
    ap = {size: np.full(shape, np.nan) for size in COCO_AREAS_PX2}
    recall = {size: np.full(shape, np.nan) for size in COCO_AREAS_PX2}
    for number in range(num_classes):
        images = [
            _ImageOfClass(*one, number, MAX_ANSWERS) for one in zip(answers, truths, strict=True)
        ]
        for size, limits in COCO_AREAS_PX2.items():
            found = _curve([image.matched(limits) for image in images])
            if found is not None:
                ap[size][:, number], recall[size][:, number] = found
    return CocoScores(ap, recall)


@dataclass(frozen=True, eq=False)
class _Matched:
    """Answers of one image, class and size range, the surest first. right, passed: [threshold
    answer]; passed ones count neither way."""

    scores: Float[np.ndarray, " answer"]
    right: Bool[np.ndarray, "threshold answer"]
    passed: Bool[np.ndarray, "threshold answer"]
    num_truths: int


class _ImageOfClass:
    """One image, one class: overlaps are computed once for all size ranges."""

    def __init__(
        self, answers: Answers, truths: Truths, number: int, most: int | None = None
    ) -> None:
        from shinso.nn.kernels.overlap_numba import coco_overlaps

        mine = np.flatnonzero(answers.classes == number)
        # Stable, as COCO's own: equal scores stay in the order in which they were given.
        mine = mine[np.argsort(-answers.scores[mine], kind="stable")][:most]
        theirs = truths.classes == number
        self.scores = answers.scores[mine]
        boxes = np.ascontiguousarray(answers.boxes_xyxy_px[mine], dtype=np.float64)
        wanted = np.ascontiguousarray(truths.boxes_xyxy_px[theirs], dtype=np.float64)
        nothing = np.zeros(len(wanted), dtype=bool)
        self.crowd = nothing if truths.crowd is None else truths.crowd[theirs]
        passed = nothing if truths.ignored is None else truths.ignored[theirs]
        self.ignored = passed | self.crowd
        self.own_area = _area(boxes)
        self.area = _area(wanted) if truths.area_px2 is None else truths.area_px2[theirs]
        self.overlaps = coco_overlaps(boxes, wanted, self.crowd)

    def matched(self, limits: tuple[float, float]) -> _Matched:
        from shinso.nn.kernels.overlap_numba import coco_match

        ignored = self.ignored | (self.area < limits[0]) | (self.area > limits[1])
        order = np.argsort(ignored, kind="stable")
        right = np.zeros((len(COCO_THRESHOLDS), len(self.scores)), dtype=bool)
        passed = np.zeros_like(right)
        coco_match(self.overlaps, order, ignored, self.crowd, COCO_THRESHOLDS, right, passed)
        outside = (self.own_area < limits[0]) | (self.own_area > limits[1])
        passed |= ~right & outside
        return _Matched(self.scores, right, passed, int((~ignored).sum()))


def _area(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _curve(
    images: Sequence[_Matched],
) -> tuple[Float[np.ndarray, " threshold"], Float[np.ndarray, " threshold"]] | None:
    """AP over 101 recalls and the largest recall at each threshold; None without truths."""
    num_truths = sum(image.num_truths for image in images)
    if num_truths == 0:
        return None
    order = np.argsort(-np.concatenate([image.scores for image in images]), kind="stable")
    right = np.concatenate([image.right for image in images], axis=1)[:, order]
    passed = np.concatenate([image.passed for image in images], axis=1)[:, order]
    hits = np.cumsum(right & ~passed, axis=1, dtype=np.float64)
    misses = np.cumsum(~right & ~passed, axis=1, dtype=np.float64)
    ap = np.zeros(len(COCO_THRESHOLDS))
    largest = np.zeros(len(COCO_THRESHOLDS))
    for t in range(len(COCO_THRESHOLDS)):
        recall = hits[t] / num_truths
        precision = envelope(hits[t] / (hits[t] + misses[t] + np.spacing(1)))
        place = np.searchsorted(recall, COCO_RECALLS, side="left")
        reached = place < len(recall)
        ap[t] = precision[place[reached]].sum() / len(COCO_RECALLS)
        largest[t] = recall[-1] if len(recall) else 0.0
    return ap, largest


def envelope(precision: Float[np.ndarray, " answer"]) -> Float[np.ndarray, " answer"]:
    """At each place the largest precision from there on: what a user who wants at least that
    recall can have."""
    return np.maximum.accumulate(precision[::-1])[::-1]


@dataclass(frozen=True, eq=False)
class VocScores:
    """ap: of each class, NaN where it has no truth. precision, recall: along each class's answers,
    the surest first."""

    ap: Float[np.ndarray, " class"]
    precision: Sequence[Float[np.ndarray, " _"]]
    recall: Sequence[Float[np.ndarray, " _"]]

    @property
    def mean_ap(self) -> float:
        return _mean(self.ap)


def evaluate_voc(
    answers: Sequence[Answers],
    truths: Sequence[Truths],
    num_classes: int,
    *,
    way: Literal["07", "10"] = "10",
    iou_threshold: float = 0.5,
) -> VocScores:
    """PASCAL VOC's AP (Everingham et al. 2010, section 4.2).

    way: "07" is the mean of the largest precisions at recalls 0, 0.1 … 1; "10" the area under the
    envelope of precision. An answer is right if the truth of its class that it overlaps most, by
    at least ``iou_threshold``, is not taken yet; a second answer to it is wrong. Boxes are real
    edges here, not VOC's inclusive pixels: readers convert them.
    """
    if len(answers) != len(truths):
        raise ValueError(f"answers are of {len(answers)} images and truths of {len(truths)}")
    ap, precisions, recalls = [], [], []
    for number in range(num_classes):
        precision, recall = _voc_curve(answers, truths, number, iou_threshold)
        precisions.append(precision)
        recalls.append(recall)
        ap.append(_voc_ap(precision, recall, way) if recall is not None else float("nan"))
    return VocScores(
        np.array(ap), precisions, [r if r is not None else np.zeros(0) for r in recalls]
    )


def _voc_curve(
    answers: Sequence[Answers], truths: Sequence[Truths], number: int, iou_threshold: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """Precision and recall along the answers of a class; no recall where it has no truth."""
    scores, right, counts, num_truths = [], [], [], 0
    for said, true in zip(answers, truths, strict=True):
        one = _ImageOfClass(said, true, number)
        num_truths += int((~one.ignored).sum())
        taken = np.zeros(one.overlaps.shape[1], dtype=bool)
        for row in one.overlaps:
            best = int(row.argmax()) if row.size else -1
            found = best >= 0 and row[best] >= iou_threshold
            counts.append(not (found and one.ignored[best]))
            right.append(found and not taken[best])
            if found:
                taken[best] = True
        scores.append(one.scores)
    order = np.argsort(-np.concatenate(scores), kind="stable") if scores else np.zeros(0, int)
    counted = np.array(counts, dtype=bool)[order]
    hits = np.cumsum(np.array(right, dtype=bool)[order][counted], dtype=np.float64)
    precision = hits / np.arange(1, len(hits) + 1)
    return precision, hits / num_truths if num_truths else None


def _voc_ap(precision: np.ndarray, recall: np.ndarray, way: Literal["07", "10"]) -> float:
    if way == "07":
        levels = np.linspace(0, 1, 11)
        # Rounding must not lose a level that is reached exactly.
        best = [precision[recall >= level - 1e-12].max(initial=0.0) for level in levels]
        return float(np.mean(best))
    steps = np.diff(np.concatenate([[0.0], recall]))
    return float((steps * envelope(precision)).sum())
