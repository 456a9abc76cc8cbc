"""µ-law: a sample's value as one of 256 classes, fine near silence and coarse where it is loud.

f(x) = sign(x) ln(1 + µ |x|) / ln(1 + µ),  µ = 255           (ITU-T G.711; WaveNet, sec. 2.2)
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Int, Int16, UInt8

CLASSES = 256
MU = CLASSES - 1
LEVELS = 32768
"""Levels of a 16-bit sample on each side of 0."""


def encode(samples: Int16[np.ndarray, " time"]) -> UInt8[np.ndarray, " time"]:
    """The class of each 16-bit sample; 128 is silence."""
    x = samples / LEVELS
    squeezed = np.sign(x) * np.log1p(MU * np.abs(x)) / np.log1p(MU)
    return np.floor((squeezed + 1) / 2 * MU + 0.5).astype(np.uint8)


def decode(classes: Int[np.ndarray, " time"]) -> Int16[np.ndarray, " time"]:
    """The 16-bit sample in the middle of each class, on the scale of f."""
    squeezed = 2 * np.asarray(classes, dtype=np.float64) / MU - 1
    x = np.sign(squeezed) * np.expm1(np.abs(squeezed) * np.log1p(MU)) / MU
    return np.clip(np.round(x * LEVELS), -LEVELS, LEVELS - 1).astype(np.int16)


@cache
def levels_of_classes() -> Int[np.ndarray, " class"]:
    """How many of the 65,536 levels of 16 bits fall into each class; 5 or more."""
    every = np.arange(-LEVELS, LEVELS).astype(np.int16)
    return np.bincount(encode(every), minlength=CLASSES)


@cache
def edges() -> Float[np.ndarray, " edge"]:
    """Where classes meet, on the scale from −1 to 1: 255 values, halfway between two levels."""
    return (np.cumsum(levels_of_classes())[:-1] - LEVELS - 0.5) / LEVELS
