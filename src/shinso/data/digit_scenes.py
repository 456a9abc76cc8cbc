"""Handwritten digits on canvases with a mask each: images whose every pixel's class is known.

The digits come with scikit-learn (8×8 pixels). Made from a generator alone, so a claim or a sample
is the same whenever it is made again.
"""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8

DIGIT_PX = 8
INK = 6.0
"""A pixel of 0 to 16 belongs to a digit from here on."""


@cache
def _digits() -> tuple[Float[np.ndarray, "digit 8 8"], Int[np.ndarray, " digit"]]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images, found.target


def digit_scenes(
    rng: np.random.Generator,
    count: int,
    *,
    side_px: int,
    scales: Sequence[int] = (2,),
    classes: Sequence[int] = (0, 1, 2, 3),
    most: int = 4,
    noise: float = 12.0,
) -> tuple[UInt8[np.ndarray, "scene side side"], UInt8[np.ndarray, "scene side side"]]:
    """Canvases and masks. A canvas is a slope of grey with noise; one to ``most`` digits, each
    enlarged by one of ``scales``, lie on it, dark or bright, later ones over earlier ones. Mask: 0
    is background, n + 1 the digit ``classes[n]``.
    """
    images, labels = _digits()
    chosen = [np.flatnonzero(labels == one) for one in classes]
    pixels = np.zeros((count, side_px, side_px), dtype=np.uint8)
    masks = np.zeros((count, side_px, side_px), dtype=np.uint8)
    line = np.linspace(-1, 1, side_px)
    for scene in range(count):
        slope = rng.uniform(-25, 25, 2)
        canvas = 128 + slope[0] * line[:, None] + slope[1] * line
        for _ in range(rng.integers(1, most + 1)):
            number = int(rng.integers(len(classes)))
            scale = int(rng.choice(list(scales)))
            digit = images[rng.choice(chosen[number])].repeat(scale, 0).repeat(scale, 1)
            wide = DIGIT_PX * scale
            top, left = rng.integers(0, side_px - wide + 1, 2)
            place = (slice(top, top + wide), slice(left, left + wide))
            strength = rng.choice([-1.0, 1.0]) * rng.uniform(60, 110) / 16
            canvas[place] += strength * digit
            masks[scene][place][digit >= INK] = number + 1
        canvas = canvas + rng.normal(0, noise, canvas.shape)
        pixels[scene] = canvas.round().clip(0, 255)
    return pixels, masks
