"""Handwritten digits of scikit-learn scattered over canvases, with their boxes: data for detection
that is there without a download.

The handwriting is real (UCI's 8×8 digits); where the digits lie, how large they are and the noise
around them is drawn.
"""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8

TRIES = 20
BRIGHTEST, NOISE = 255 / 16, 12.0
INK = 3.0
"""Grey value of the 16 from which a pixel of the handwriting counts for its box."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """One picture: grey pixels, the boxes of its digits (edges in pixels) and which they are."""

    pixels: UInt8[np.ndarray, "height width"]
    boxes_xyxy_px: Float[np.ndarray, "box 4"]
    digits: Int[np.ndarray, " box"]


@cache
def _handwriting() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images, found.target


def scattered_digits(
    rng: np.random.Generator,
    *,
    side_px: int,
    digits: Sequence[int],
    most: int,
    sizes_px: tuple[float, float],
    unseen: bool = False,
    least: int = 1,
) -> Canvas:
    """A square canvas with ``least`` to ``most`` digits that do not touch; fewer where no room is
    found. sizes_px: least and largest height of a digit, drawn evenly on a logarithmic scale.
    unseen: of the handwriting, the last fifth, which is not used otherwise.
    """
    from PIL import Image

    images, labels = _handwriting()
    border = len(images) * 4 // 5
    own = np.isin(labels, digits) & ((np.arange(len(labels)) >= border) == unseen)
    places = np.flatnonzero(own)
    canvas = np.abs(rng.normal(0, NOISE, (side_px, side_px)))
    boxes: list[tuple[int, int, int, int]] = []
    said = []
    for _ in range(int(rng.integers(least, most + 1))):
        chosen = int(rng.choice(places))
        rows, columns = (np.flatnonzero((images[chosen] >= INK).any(axis)) for axis in (1, 0))
        ink = images[chosen][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        height = float(np.exp(rng.uniform(*np.log(sizes_px))))
        high, wide = max(2, round(height)), max(2, round(height * ink.shape[1] / ink.shape[0]))
        if max(high, wide) > side_px:
            continue
        box = _free_place(rng, boxes, side_px, high, wide)
        if box is None:
            continue
        drawn = Image.fromarray(ink.astype(np.float32)).resize(
            (wide, high), Image.Resampling.BICUBIC
        )
        left, top, right, bottom = box
        canvas[top:bottom, left:right] += np.asarray(drawn) * BRIGHTEST
        boxes.append(box)
        said.append(int(labels[chosen]))
    return Canvas(
        canvas.clip(0, 255).astype(np.uint8),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(said, dtype=np.int64),
    )


def _free_place(
    rng: np.random.Generator,
    taken: Sequence[tuple[int, int, int, int]],
    side_px: int,
    high: int,
    wide: int,
) -> tuple[int, int, int, int] | None:
    for _ in range(TRIES):
        left = int(rng.integers(side_px - wide + 1))
        top = int(rng.integers(side_px - high + 1))
        right, bottom = left + wide, top + high
        if all(left >= r or right <= l or top >= b or bottom <= t for l, t, r, b in taken):  # noqa: E741
            return left, top, right, bottom
    return None
