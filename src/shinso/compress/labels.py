"""Labels for the entries of axes, and what is found to be one. See ``dependencies``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Labels = np.ndarray
HELD = 0
"""The label of what must stay."""


class Unions:
    """Labels that are found to be one, by union–find; label 0 holds what joins it."""

    def __init__(self) -> None:
        self.parent = [HELD]

    def fresh(self, count: int) -> Labels:
        first = len(self.parent)
        self.parent += range(first, first + count)
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        while self.parent[label] != label:
            self.parent[label] = self.parent[self.parent[label]]
            label = self.parent[label]
        return label

    def join(self, ours: Labels, theirs: Labels) -> None:
        for one, other in zip(ours.tolist(), theirs.tolist(), strict=True):
            first, second = sorted((self.root(one), self.root(other)))
            self.parent[second] = first

    def hold(self, labels: Labels) -> None:
        self.join(labels, np.full(len(labels), HELD))

    def product(self, parts: Sequence[Labels | None], sizes: Sequence[int]) -> Labels | None:
        """Labels of an axis made of several, the last running fastest."""
        real = [place for place, one in enumerate(parts) if one is not None and sizes[place] > 1]
        if not real:
            return None if all(one is None for one in parts) else np.zeros(math.prod(sizes), int)
        if len(real) > 1:
            for place in real:
                self.hold(parts[place])  # type: ignore[arg-type]
            return np.zeros(math.prod(sizes), int)
        shape = [1] * len(sizes)
        shape[real[0]] = sizes[real[0]]
        return np.broadcast_to(parts[real[0]].reshape(shape), sizes).reshape(-1)  # type: ignore[union-attr]

    def meet(self, ours: Labels | None, theirs: Labels | None) -> Labels | None:
        """Two axes of equal size that go together; one without labels takes the other's."""
        if ours is None or theirs is None:
            return theirs if ours is None else ours
        self.join(ours, theirs)
        return ours


@dataclass(frozen=True)
class Value:
    """A tensor in the graph. labels: of each axis, an entry a label, or None for an axis that has
    none of its own (batch, time, pixels, constants)."""

    shape: tuple[int, ...]
    labels: tuple[Labels | None, ...]
