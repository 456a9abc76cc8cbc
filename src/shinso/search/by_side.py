"""A search for each size of board: a network knows one, rollouts know all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from shinso.games.go import Position
from shinso.search.findings import Findings
from shinso.search.gtp_player import Search


@final
class SearchBySide:
    """``special`` searches boards of its side; on others ``general`` does, so that a network of another
    size loses no game. Both are made when a position first asks for them."""

    def __init__(
        self,
        special: tuple[int, Callable[[], Search]] | None,
        general: Callable[[], Search],
        *,
        on_other_side: Callable[[int], None] = lambda side: None,
    ) -> None:
        """on_other_side: told once of a side that the special search does not know."""
        self._special, self._general, self._tell = special, general, on_other_side
        self._made: dict[bool, Search] = {}
        self._told: set[int] = set()
        self._last: Search | None = None

    @property
    def config(self) -> Any:
        """The settings of the search that was used last."""
        return self._used(None).config  # type: ignore[attr-defined]

    def search(
        self,
        position: Position,
        last: tuple[int, int] = (-1, -1),
        *,
        until: Callable[[int], bool] | None = None,
    ) -> Findings:
        self._last = self._used(position.rules.side)
        return self._last.search(position, last, until=until)

    def lines(self) -> list[list[int]]:
        return [] if self._last is None else self._last.lines()

    def _used(self, side: int | None) -> Search:
        if side is None and self._last is not None:
            return self._last
        special = self._special
        suits = special is not None and side in (None, special[0])
        if special is not None and not suits and side is not None and side not in self._told:
            self._told.add(side)
            self._tell(side)
        if suits not in self._made:
            self._made[suits] = special[1]() if special is not None and suits else self._general()
        return self._made[suits]
