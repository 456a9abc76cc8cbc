"""One search on several cores: each grows a tree of its own, their roots are added up (Chaslot, Winands
& van den Herik 2008, "root parallelization"). The compiled search runs without the GIL, so threads do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final

import numpy as np

from shinso.games.go import Position
from shinso.search.findings import Findings
from shinso.search.gtp_player import Search


def added(found: Sequence[Findings]) -> Findings:
    """The findings of independent searches of one position as one: visits are added, values are means
    weighted by them."""
    visits = np.sum([one.visits for one in found], axis=0)
    totals = np.sum([one.visits * one.values for one in found], axis=0)
    simulations = sum(one.simulations for one in found)
    weights = [max(one.simulations, 1) for one in found]
    return Findings(
        visits=visits,
        values=totals / np.maximum(visits, 1),
        priors=np.mean([one.priors for one in found], axis=0),
        value=float(np.average([one.value for one in found], weights=weights)),
        simulations=simulations,
    )


@final
class RootParallel:
    """trees: searches that share nothing, each with random numbers of its own."""

    def __init__(self, trees: Sequence[Search]) -> None:
        self.trees = list(trees)
        self._threads = ThreadPoolExecutor(len(self.trees))

    @property
    def config(self) -> Any:
        """Settings of each tree."""
        return self.trees[0].config  # type: ignore[attr-defined]

    def search(
        self,
        position: Position,
        last: tuple[int, int] = (-1, -1),
        *,
        until: Callable[[int], bool] | None = None,
    ) -> Findings:
        """Each tree takes the configured number of simulations, or thinks ``until``; that is asked with
        the simulations of its own tree."""
        running = [
            self._threads.submit(tree.search, position, last, until=until) for tree in self.trees
        ]
        return added([one.result() for one in running])

    def lines(self) -> list[list[int]]:
        return self.trees[0].lines()
