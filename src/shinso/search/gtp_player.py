"""Searches as GTP players: how long to think, when to pass, what to show."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float

from shinso.games.go import Position
from shinso.games.go_playouts_numba import ownership
from shinso.search.decision import Choice, decide, wins_by_passing
from shinso.search.findings import Findings

OWNERSHIP_GAMES = 400
LOOK_S = 0.02
"""Between two looks whether a next command has come."""


@runtime_checkable
class Search(Protocol):
    """What ``RolloutSearch`` and ``NetworkSearch`` have in common."""

    def search(
        self,
        position: Position,
        last: tuple[int, int] = (-1, -1),
        *,
        until: Callable[[int], bool] | None = None,
    ) -> Findings: ...

    def lines(self) -> list[list[int]]: ...


@final
class SearchPlayer:
    """Plays the move that a search visits most.

    seconds: for a move where no clock asks for less; 0 leaves it to the search's own limit of
    simulations. limited: whether that number also ends a thought for which a clock leaves more time.
    resign_below: expected result −1 … 1 under which to give up; −1 never does.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        seconds: float = 0.0
        limited: bool = True
        resign_below: float = -0.96

    def __init__(self, search: Search, config: Config | None = None) -> None:
        self.searching, self.config = search, config or self.Config()

    def genmove(self, position: Position, moves: list[int], seconds: float | None) -> Choice:
        """moves: all actions of the game. seconds: at most so many, by the clock."""
        if wins_by_passing(position):
            return Choice(position.rules.pass_action)
        limit = self.config.seconds or None
        if seconds is not None:
            limit = min(seconds, limit) if limit else seconds
        found = self._search(position, moves, limit)
        early = position.moves < position.rules.side
        return decide(position, found, resign_below=-2.0 if early else self.config.resign_below)

    def ready(self, position: Position) -> None:
        """Load and compile what a first move needs: a search as short as there is."""
        self.searching.search(position, until=lambda _done: True)

    def analyze(
        self,
        position: Position,
        moves: list[int],
        seconds: float,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> tuple[Findings, list[list[int]]]:
        """What the search says after ``seconds`` more, and the best line of each action. stop: asked
        all the time whether to end sooner."""
        end = time.perf_counter() + seconds
        found = self._search(position, moves, seconds, only_time=True, stop=stop)
        # A full tree ends a search early; whoever reads the analysis still wants it at intervals.
        while (left := end - time.perf_counter()) > 0 and not stop():
            time.sleep(min(left, LOOK_S))
        return found, self.searching.lines()

    def look(self, position: Position, moves: list[int], seconds: float | None = None) -> Findings:
        """What the search says of a position, after ``seconds`` or with the time or the simulations
        of a move."""
        return self._search(position, moves, seconds or self.config.seconds or None)

    def ownership(self, position: Position) -> Float[np.ndarray, " point"]:
        """Chance that a point is Black's (1) or White's (−1) at the end, by random games."""
        owned = np.zeros(position.rules.pass_action, np.int64)
        ownership(position.board, OWNERSHIP_GAMES, 1, owned)
        found = owned / OWNERSHIP_GAMES
        safe = position.safe()
        return np.where(safe != 0, safe, found)

    def _search(
        self,
        position: Position,
        moves: list[int],
        seconds: float | None,
        only_time: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> Findings:
        last = (moves[-1] if moves else -1, moves[-2] if len(moves) > 1 else -1)
        if seconds is None:
            return self.searching.search(position, last)
        end = time.perf_counter() + seconds
        limited = self.config.limited and self.config.seconds == 0 and not only_time
        return self.searching.search(
            position,
            last,
            until=lambda done: (
                time.perf_counter() >= end or stop() or (limited and done >= self.simulations)
            ),
        )

    @property
    def simulations(self) -> int:
        """The search's own limit."""
        return int(self.searching.config.simulations)  # type: ignore[attr-defined]
