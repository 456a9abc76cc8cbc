"""How much chance there is in actions, over the course of learning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Falling:
    """A share of random actions that falls in a line from ``start`` to ``end`` over ``steps``."""

    start: float
    end: float
    steps: float

    def __call__(self, step: int) -> float:
        done = min(step / self.steps, 1.0) if self.steps > 0 else 1.0
        return self.start + (self.end - self.start) * done
