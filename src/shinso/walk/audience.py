"""Who watches a run while it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from shinso.training.loop import Progress


@runtime_checkable
class Audience(Progress, Protocol):
    """Who watches a whole run: its notes, its seeds, its steps."""

    def on_notes(self, notes: Sequence[str]) -> None: ...

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None: ...


class NoAudience:
    """Nobody watches."""

    def on_notes(self, notes: Sequence[str]) -> None:
        pass

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None:
        pass

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        pass

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        pass
