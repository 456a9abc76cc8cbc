"""Search with a network as a player of Go: one tree, kept from move to move."""

from __future__ import annotations

from collections.abc import Callable
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


@final
class NetworkSearch:
    """side: the board that the network was made for. nodes: room of the tree; a full one ends the
    search. What a network said of planes is remembered."""

    def __init__(
        self,
        evaluator: PlanesEvaluator | BoardsEvaluator,
        config: ForestConfig,
        *,
        side: int,
        nodes: int = 1_000_000,
        seed: int = 0,
        rollout_weights: Float[np.ndarray, " row"] | None = None,
    ) -> None:
        self.config, self.side, self.nodes, self.seed = config, side, nodes, seed
        self.evaluator = (
            evaluator if isinstance(evaluator, BoardsEvaluator) else EvaluationCache(evaluator)
        )
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
        if self._forest is None or self._forest.rules != rules or moves is None:
            self._forest = Forest(
                rules, 1, self.evaluator, self.config, nodes=self.nodes, seed=self.seed,
                rollout_weights=self._weights,
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

    def lines(self) -> list[list[int]]:
        """For each action the line that the search holds best after it."""
        return [] if self._forest is None else best_lines(self._forest.nodes[0])
