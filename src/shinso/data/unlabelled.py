"""Samples without labels: rows of a table, or images, whose black and white is drawn anew."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from shinso.contracts import Source

WHITE = 65536  # chances of a pixel are counted in 16 bits


class Values(NamedTuple):
    """A batch: what a network reads and is to say again."""

    values: Float[Tensor, "batch *shape"]

    def to(self, device: torch.device | str) -> Values:
        return Values(self.values.to(device))


class Rows:
    """Numbers as they are. values: standardized rows, or pixels from 0 to 1."""

    def __init__(self, values: Float[np.ndarray, "sample *shape"]) -> None:
        self.values = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Int[np.ndarray, " batch"]) -> Values:
        return Values(self.values[torch.from_numpy(np.asarray(indices, dtype=np.int64))])


class GreyImages:
    """Pixels as the chance of being white. ``take`` gives the chances, in 16 bits."""

    def __init__(self, pixels: UInt8[np.ndarray, "sample *shape"]) -> None:
        self.chances = np.round(pixels * (WHITE / 255)).astype(np.uint32)

    def __len__(self) -> int:
        return len(self.chances)

    def take(self, indices: Int[np.ndarray, " batch"]) -> np.ndarray:
        return self.chances[indices]


def drawn(chances: np.ndarray, rng: np.random.Generator) -> Float[Tensor, "batch *shape"]:
    """0 or 1 for each pixel, 1 as often as its grey says."""
    thresholds = np.frombuffer(rng.bytes(2 * chances.size), np.uint16).reshape(chances.shape)
    return torch.from_numpy((thresholds < chances).astype(np.float32))


class DynamicBinarization:
    """Each time an image comes its pixels are drawn anew (Burda et al. 2016, sec. 5).

    Batch n is drawn by its own generator, seeded with (seed, n).
    """

    def __init__(self, source: Source[np.ndarray], seed: int) -> None:
        self.source, self.seed, self.step = source, seed, 0

    def next_batch(self) -> Values:
        rng = np.random.Generator(np.random.SFC64([self.seed, 7, self.step]))
        self.step += 1
        return Values(drawn(self.source.next_batch(), rng))

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "source": self.source.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state["source"])
        self.step = state["step"]
