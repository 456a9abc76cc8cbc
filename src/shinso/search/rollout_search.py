"""UCB1 search with rollouts as a player of Go: the strongest that needs nothing learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from shinso.games.go import Position, zobrist_keys
from shinso.games.go_patterns_numba import first_forms
from shinso.search.findings import Findings
from shinso.search.go_tree_numba import ACTION, COUNT, FIRST, VISITS, rebase, root_of
from shinso.search.go_ucb_numba import simulate
from shinso.search.lines import best_lines, moves_between

CHUNK = 512
"""Simulations between two looks at the clock: a few milliseconds on 9×9."""


@final
class RolloutSearch:
    """One tree that is kept from move to move as long as the game goes its way.

    rollout_weights: of a trained ``RolloutPolicy``; rollouts are random without.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """simulations: of one search, where nothing else ends it. expand_after: visits until a
        leaf gets children. fill_eyes: look at moves into own one-point eyes too; exact play on tiny
        boards needs them, nobody else. nodes: room of the tree; a full one ends the search."""

        simulations: int = 10_000
        explore: float = 0.5
        expand_after: int = 8
        fill_eyes: bool = False
        nodes: int = 2_000_000

        def __post_init__(self) -> None:
            for name, least in (("simulations", 1), ("expand_after", 1), ("nodes", 1000)):
                if getattr(self, name) < least:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")

    def __init__(
        self,
        config: Config | None = None,
        *,
        seed: int = 0,
        rollout_weights: Float[np.ndarray, " row"] | None = None,
    ) -> None:
        self.config = config or self.Config()
        self._rng = np.array([seed * 2654435761 + 88172645463325252], np.uint64)
        empty = np.empty(0, np.float32)
        self._weights = empty if rollout_weights is None else rollout_weights.astype(np.float32)
        self._forms = np.empty(0, np.int32) if rollout_weights is None else first_forms()
        self._nodes = np.zeros((1, self.config.nodes, 4), np.int32)
        self._numbers = np.zeros((1, self.config.nodes, 2), np.float32)
        self._used = np.ones(1, np.int32)
        self._root: Position | None = None

    def search(
        self,
        position: Position,
        last: tuple[int, int] = (-1, -1),
        *,
        until: Callable[[int], bool] | None = None,
    ) -> Findings:
        """Look at ``position``. last: the action before it and the one before that, for rollout
        policies. until: asked with the simulations so far, every few hundred of them; without it the
        configured number ends the search. Of an earlier search all that still applies is kept.
        """
        self._take_root(position)
        rules, done = position.rules, 0
        room = np.zeros(3 * rules.pass_action + 16, np.uint64)
        seen = np.concatenate([position.seen, room])
        while until is None or done == 0 or not until(done):
            wanted = CHUNK if until else min(CHUNK, self.config.simulations - done)
            found = simulate(
                position.board, zobrist_keys(rules.side), position.hash, seen, len(position.seen),
                rules.ko == "positional", last[0], last[1], self._nodes, self._numbers, self._used,
                wanted, self.config.explore, rules.komi, self.config.expand_after,
                self.config.fill_eyes, self._forms, self._weights, self._rng,
            )  # fmt: skip
            done += found
            if found < wanted or (until is None and done >= self.config.simulations):
                break
        return self._findings(position, done)

    def lines(self) -> list[list[int]]:
        """For each action the line that the search holds best after it."""
        return best_lines(self._nodes[0])

    def _findings(self, position: Position, done: int) -> Findings:
        actions = position.rules.pass_action + 1
        visits, values, priors = np.empty(actions, np.int64), np.empty(actions), np.empty(actions)
        root_of(self._nodes, self._numbers, 0, visits, values, priors)
        total = int(self._nodes[0, 0, VISITS])
        value = -float(self._numbers[0, 0, 0]) / max(total, 1)
        return Findings(visits=visits, values=values, priors=priors, value=value, simulations=done)

    def _take_root(self, position: Position) -> None:
        """Find ``position`` among the nodes below the old root, or begin anew."""
        actions = moves_between(self._root, position)
        node = 0
        for action in actions or ():
            first, count = int(self._nodes[0, node, FIRST]), int(self._nodes[0, node, COUNT])
            children = self._nodes[0, first : first + count, ACTION] if first else ()
            (at,) = np.nonzero(np.asarray(children) == action)
            if not len(at):
                actions = None
                break
            node = first + int(at[0])
        if actions is None:
            self._nodes[0, 0] = 0
            self._numbers[0, 0] = 0.0
            self._used[0] = 1
        elif node:
            rebase(self._nodes, self._numbers, self._used, 0, node)
        self._root = position
