"""Who thinks: what a GTP engine asks of a search. ``games`` knows none; a search brings one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from shinso.games.go import Position


@runtime_checkable
class Player(Protocol):
    """A search as a player."""

    def genmove(self, position: Position, moves: list[int], seconds: float | None) -> Any:
        """A ``Choice``-like answer: ``action``, ``resigns`` and ``findings``."""
        ...

    def ready(self, position: Position) -> None:
        """Load and compile what a first move needs."""
        ...

    def analyze(
        self,
        position: Position,
        moves: list[int],
        seconds: float,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> tuple[Any, list[list[int]]]:
        """Findings after ``seconds`` more, or when ``stop`` says so, and for each action the best
        line that begins with it."""
        ...

    def ownership(self, position: Position) -> Any:
        """Chance of each point to be Black's at the end, from −1 to 1."""
        ...
