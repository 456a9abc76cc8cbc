"""Generations of one network, rated by games against each other and against opponents that stay.

A network that is trained by self-play has no loss that says how strong it is. So each generation that
is looked at plays some games against the two before it and against fixed opponents, and all results
so far give all of them an Elo rating (Bradley & Terry 1952). The fixed opponents alone would not do:
once all games against them are won, they say nothing more.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, final

from torch import nn

from shinso.contracts import Source
from shinso.games.elo import ratings
from shinso.games.go import Rules
from shinso.search.contest import Mover, contest

EARLIER = 2
"""Generations that a new one plays against."""


@final
class Ladder:
    """anchors: the fixed opponents by name; the first is rated 0. make: who plays for a network.
    games: of each pair, an even number so that colours are shared."""

    def __init__(
        self,
        rules: Rules,
        model: nn.Module,
        make: Callable[[nn.Module], Mover],
        anchors: Mapping[str, Callable[[], Mover]],
        *,
        games: int,
        seed: int,
    ) -> None:
        self.rules, self.model, self.make, self.anchors = rules, model, make, anchors
        self.games, self.seed = games + games % 2, seed
        self.count = 0
        self.results: dict[tuple[str, str], tuple[float, float]] = {}
        self._earlier: list[dict[str, Any]] = []

    def measure(self) -> dict[str, float]:
        """Let the network as it is now play; its rating, half the width of the rating's 95 % interval,
        and its share of the points against each opponent."""
        name = f"generation {self.count}"
        now = copy.deepcopy(self.model).eval()
        rivals = [(one, one, make()) for one, make in self.anchors.items()]
        for back, state in enumerate(reversed(self._earlier), 1):
            before = copy.deepcopy(now)
            before.load_state_dict(state)
            rivals.append((f"earlier_{back}", f"generation {self.count - back}", self.make(before)))
        shares = {}
        for number, (label, rival, mover) in enumerate(rivals):
            seed = self.seed + 1000 * self.count + 100 * number
            points, games = contest(self.rules, self.make(now), mover, games=self.games, seed=seed)
            self.results[name, rival] = (points, games - points)
            shares[f"points_against_{label}"] = points / games
        self._earlier = [*self._earlier, copy.deepcopy(now.state_dict())][-EARLIER:]
        self.count += 1
        generations = [f"generation {number}" for number in range(self.count)]
        elo, half = ratings([*self.anchors, *generations], self.results)[name]
        return {"elo": elo, "elo_half_width": half, **shares}

    def state_dict(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "results": [[*pair, *points] for pair, points in self.results.items()],
            "earlier": self._earlier,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count, self._earlier = state["count"], state["earlier"]
        self.results = {(a, b): (won, lost) for a, b, won, lost in state["results"]}


@final
class Climbing:
    """A source of batches with the ladder of the network that learns from it: they stop and go on
    together."""

    def __init__(self, source: Source[Any], ladder: Ladder) -> None:
        self.source, self.ladder = source, ladder

    def next_batch(self) -> Any:
        return self.source.next_batch()

    def state_dict(self) -> dict[str, Any]:
        return {"source": self.source.state_dict(), "ladder": self.ladder.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state["source"])
        self.ladder.load_state_dict(state["ladder"])
