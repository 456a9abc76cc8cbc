"""Search with a network as a player of Go: one tree, kept from move to move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float

from shinso.faults import UsageFault
from shinso.games.go import Position
from shinso.language import _
from shinso.search.evaluator import BoardsEvaluator, EvaluationCache, PlanesEvaluator
from shinso.search.findings import Findings
from shinso.search.forest import Forest, ForestConfig
from shinso.search.lines import best_lines, moves_between

OTHER_KOMI_MIXTURE = 0.5
"""Least share of rollouts, which know the komi, beside a network that knows only another one."""


@dataclass(frozen=True, kw_only=True)
class Komi:
    """What a network knows of komi. learnt: the komi of its games. ask: its evaluator for another
    komi, None where it can say nothing of one. on_other: told once of each komi that is not learnt."""

    learnt: float
    ask: Callable[[float], PlanesEvaluator] | None = None
    on_other: Callable[[float], None] = lambda komi: None


@final
class NetworkSearch:
    """side: the board that the network was made for. komi: what it knows of komi; without, values are
    taken to hold for all. nodes: room of the tree; a full one ends the search. What a network said of
    planes is remembered, apart for each komi."""

    def __init__(
        self,
        evaluator: PlanesEvaluator | BoardsEvaluator,
        config: ForestConfig,
        *,
        side: int,
        komi: Komi | None = None,
        nodes: int = 3_000_000,
        seed: int = 0,
        rollout_weights: Float[np.ndarray, " row"] | None = None,
    ) -> None:
        self.config, self.side, self.nodes, self.seed = config, side, nodes, seed
        self.komi, self._evaluator = komi, evaluator
        self._known: dict[float | None, PlanesEvaluator | BoardsEvaluator] = {}
        self._told: set[float] = set()
        self._weights = rollout_weights
        self._forest: Forest | None = None
        self._root: Position | None = None

    def search(
        self,
        position: Position,
        last: tuple[int, int] = (-1, -1),
        *,
        until: Callable[[int], bool] | None = None,
    ) -> Findings:
        """Look at ``position``. UsageFault GO-SIDES on a board of another size than the network's."""
        rules = position.rules
        if rules.side != self.side:
            raise UsageFault(
                "GO-SIDES",
                place=f"{rules.side}×{rules.side}",
                found=_("the network plays on {side}×{side}").format(side=self.side),
                next_step=f"boardsize {self.side}",
            )
        moves = moves_between(self._root, position)
        room = position.moves + rules.pass_action
        if (
            self._forest is None
            or self._forest.rules != rules
            or moves is None
            or room > self._forest.longest
        ):
            evaluator, config = self._for_komi(rules.komi)
            # A game between people or programs may be as long as it will: none is cut off.
            self._forest = Forest(
                rules, 1, evaluator, config, nodes=self.nodes, seed=self.seed,
                rollout_weights=self._weights,
                longest=max(3 * rules.pass_action, room + rules.pass_action),
            )  # fmt: skip
            self._forest.plant(0, position, last)
        else:
            at = self._root
            before = [-1, *([last[1]] if len(moves) == 1 else [-1]), *moves]
            for number, action in enumerate(moves):
                assert at is not None
                at = at.play_legal(action)
                self._forest.advance(0, at, action, before[number + 1])
        self._root = position
        return self._forest.search(until=until)[0]

    def _for_komi(self, komi: float) -> tuple[PlanesEvaluator | BoardsEvaluator, ForestConfig]:
        """Who is asked about positions at this komi, and how it is searched then."""
        known, config = self.komi, self.config
        other = known is not None and komi != known.learnt
        asked = self._evaluator
        if known is not None and other and known.ask is not None:
            asked = known.ask(komi)
        elif other:
            config = replace(config, mixture=max(config.mixture, OTHER_KOMI_MIXTURE))
        name = komi if other else None
        if known is not None and other and komi not in self._told:
            self._told.add(komi)
            known.on_other(komi)
        if name not in self._known:
            cached = asked if isinstance(asked, BoardsEvaluator) else EvaluationCache(asked)
            # Of other komis the last one alone is remembered.
            self._known = {n: one for n, one in self._known.items() if n is None} | {name: cached}
        return self._known[name], config

    def lines(self) -> list[list[int]]:
        """For each action the line that the search holds best after it."""
        return [] if self._forest is None else best_lines(self._forest.nodes[0])
