"""Detectors that never look: the honest rivals of every table of detection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from shinso.data.labelled_boxes import BoxedImage
from shinso.objectives.detection_scores import Answers

MOST, CANDIDATES, OVERLAP = 100, 600, 0.5


class PriorBoxes:
    """Answers that are the same for every image, from the boxes of the train part.

    commonest: the boxes that overlap most others of their class, one after another; each that is
    chosen takes those it covers away. Its score is how many it covered. tiled: boxes of the median
    size of the commonest class, side by side over the image, all as sure as each other.
    """

    def __init__(self, commonest: list[list[float]], tile: list[float]) -> None:
        """commonest: rows of left, top, right, bottom (shares of the image), score, class. tile:
        width, height (shares), class."""
        self.commonest, self.tile = commonest, tile

    @classmethod
    def fit(cls, images: Sequence[BoxedImage], num_classes: int, *, seed: int) -> PriorBoxes:
        found: list[list[float]] = []
        sides = [np.array([one.width, one.height] * 2) for one in images]
        boxes = np.concatenate(
            [one.boxes_xyxy_px / side for one, side in zip(images, sides, strict=True)]
        )
        classes = np.concatenate([one.classes for one in images])
        rng = np.random.default_rng(seed)
        for number in range(num_classes):
            own = boxes[classes == number]
            found += [[*row, float(number)] for row in _covering(own, len(images), rng)]
        found.sort(key=lambda row: -row[4])
        most = int(np.bincount(classes, minlength=num_classes).argmax())
        own = boxes[classes == most]
        size = np.median(own[:, 2:] - own[:, :2], axis=0)
        return cls(found[:MOST], [*map(float, size), float(most)])

    def to_dict(self) -> dict[str, Any]:
        return {"commonest": self.commonest, "tile": self.tile}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> PriorBoxes:
        return cls(content["commonest"], content["tile"])

    def answers(self, image: BoxedImage) -> dict[str, Answers]:
        rows = np.array(self.commonest)
        size = np.array([image.width, image.height] * 2)
        across, down, number = self.tile
        corners = _tiles(across, down)[:MOST]
        return {
            "commonest-boxes": Answers(rows[:, :4] * size, rows[:, 4], rows[:, 5].astype(np.int64)),
            "tiled": Answers(
                corners * size, np.ones(len(corners)), np.full(len(corners), int(number))
            ),
        }


def _covering(
    boxes: Float[np.ndarray, "box 4"], num_images: int, rng: np.random.Generator
) -> list[list[float]]:
    """Boxes with the share of images in which each covers one more, until none covers two."""
    from shinso.nn.kernels.overlap_numba import coco_overlaps

    if not len(boxes):
        return []
    chosen = rng.permutation(len(boxes))[:CANDIDATES]
    boxes = np.ascontiguousarray(boxes)
    nobody: Int[np.ndarray, " box"] = np.zeros(len(boxes), dtype=np.bool_)
    covers = coco_overlaps(np.ascontiguousarray(boxes[chosen]), boxes, nobody) >= OVERLAP
    found = []
    while len(found) < MOST:
        counts = covers.sum(1)
        best = int(counts.argmax())
        if found and counts[best] < 2:
            break
        found.append([*boxes[chosen[best]].tolist(), float(counts[best] / num_images)])
        covers = covers & ~covers[best]
    return found


def _tiles(across: float, down: float) -> Float[np.ndarray, "tile 4"]:
    columns, rows = max(1, round(1 / across)), max(1, round(1 / down))
    left, top = np.meshgrid(np.arange(columns) / columns, np.arange(rows) / rows)
    corners = np.stack([left.ravel(), top.ravel()], axis=1)
    return np.concatenate([corners, corners + np.array([1 / columns, 1 / rows])], axis=1)
