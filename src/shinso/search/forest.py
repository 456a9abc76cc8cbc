"""Search with a network over many games of Go at once: every round is one batch for the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float, Int

from shinso.games.go import Position, Rules, zobrist_keys
from shinso.games.go_patterns_numba import first_forms
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.search import go_puct_numba as kernels
from shinso.search import gumbel
from shinso.search.evaluator import BoardsEvaluator, PlanesEvaluator
from shinso.search.findings import Findings
from shinso.search.go_tree_numba import ACTION, COUNT, FIRST, VISITS, rebase, root_of


@dataclass(frozen=True, kw_only=True)
class ForestConfig:
    """root: how the root's actions are chosen, by PUCT or by sequential halving over ``considered``
    Gumbel-drawn ones. mixture: λ, the share of a rollout in a leaf's value (AlphaGo Lee); 0 asks the
    network alone. rollouts: played for it from a leaf. noise: share of Dirichlet(noise_alpha) noise in the root's priors, for PUCT.
    leaves: simulations that are under way in one tree at a time."""

    simulations: int = 100
    root: Literal["puct", "gumbel"] = "puct"
    considered: int = 16
    explore: float = 1.5
    unseen: float = 0.2
    mixture: float = 0.0
    rollouts: int = 1
    noise: float = 0.0
    noise_alpha: float = 0.3
    leaves: int = 1

    def __post_init__(self) -> None:
        for name in ("simulations", "considered", "leaves", "rollouts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        for name in ("mixture", "noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share from 0 to 1")


@final
class Forest:
    """A tree for each of ``games`` games; positions are put in, findings come out.

    longest: moves until a game is counted as it stands. rollout_weights: for the mixture.
    """

    def __init__(
        self,
        rules: Rules,
        games: int,
        evaluator: PlanesEvaluator | BoardsEvaluator,
        config: ForestConfig | None = None,
        *,
        longest: int = 0,
        seed: int = 0,
        rollout_weights: Float[np.ndarray, " row"] | None = None,
        nodes: int = 0,
    ) -> None:
        self.rules, self.games, self.evaluator = rules, games, evaluator
        self.config = config or ForestConfig()
        self.longest = longest or 3 * rules.pass_action
        self.actions = rules.pass_action + 1
        self.rng = np.random.default_rng(seed)
        nodes = nodes or (2 * self.config.simulations + 2) * self.actions
        self.nodes = np.zeros((games, nodes, 4), np.int32)
        self.numbers = np.zeros((games, nodes, 2), np.float32)
        self.used = np.ones(games, np.int32)
        self._slots(games * self.config.leaves)
        field = len(Position.start(rules).board)
        self._roots = np.zeros((games, field), np.int16)
        self._hashes = np.zeros(games, np.uint64)
        self._seen = np.zeros((games, 2 * self.longest + 64), np.uint64)
        self._num_seen = np.zeros(games, np.int64)
        self._lasts = np.full((games, 2), -1, np.int64)
        self._halved: dict[int, tuple[int, np.ndarray]] = {}
        empty = np.empty(0, np.float32)
        self._weights = empty if rollout_weights is None else rollout_weights.astype(np.float32)
        self._forms = np.empty(0, np.int32) if rollout_weights is None else first_forms()
        self._rollout_rng = np.array([seed * 2654435761 + 88172645463325252], np.uint64)

    def _slots(self, slots: int) -> None:
        """Room for the leaves of one round."""
        points = self.rules.pass_action
        self._paths = np.zeros((slots, min(self.longest, 400) + 2), np.int32)
        self._depths = np.zeros(slots, np.int64)
        self._states = np.zeros((slots, len(Position.start(self.rules).board)), np.int16)
        self._leaf_lasts = np.zeros((slots, 2), np.int64)
        self._planes = np.zeros((slots, ZERO_PLANES, points), np.float32)
        self._legal = np.zeros((slots, self.actions), np.uint8)
        self._values = np.zeros(slots, np.float32)
        self._ended = np.zeros(slots, np.uint8)

    def reseed(self, *numbers: int) -> None:
        """What is random from here on follows from ``numbers``."""
        self.rng = np.random.default_rng(numbers)
        self._rollout_rng[0] = np.random.default_rng([*numbers, 1]).integers(1, 2**63)

    def plant(self, game: int, position: Position, last: tuple[int, int] = (-1, -1)) -> None:
        """Put ``position`` at the root of a tree, without what an earlier search found. last: the
        action before it, and the one before that."""
        self.nodes[game, 0] = 0
        self.numbers[game, 0] = 0.0
        self.used[game] = 1
        self._put(game, position, last)

    def advance(self, game: int, position: Position, action: int, last: int) -> bool:
        """``position`` after ``action`` becomes the root and keeps what was found below it; False
        (and a fresh tree) where nothing was. last: the action before ``action``."""
        first, count = int(self.nodes[game, 0, FIRST]), int(self.nodes[game, 0, COUNT])
        (at,) = np.nonzero(self.nodes[game, first : first + count, ACTION] == action)
        if not first or not len(at):
            self.plant(game, position, (action, last))
            return False
        rebase(self.nodes, self.numbers, self.used, game, first + int(at[0]))
        self._put(game, position, (action, last))
        return True

    def _put(self, game: int, position: Position, last: tuple[int, int]) -> None:
        self._roots[game] = position.board
        self._hashes[game] = position.hash
        count = min(len(position.seen), self._seen.shape[1] // 2)
        self._seen[game, :count] = position.seen[len(position.seen) - count :]
        self._num_seen[game] = count
        self._lasts[game] = last

    def search(
        self,
        games: Sequence[int] | None = None,
        *,
        simulations: int = 0,
        until: Callable[[int], bool] | None = None,
    ) -> list[Findings]:
        """Search the trees of ``games`` (all by default) and say what was found of each.

        simulations: instead of the configured number. until: asked after each round with the
        simulations so far; without it the number ends the search.
        """
        chosen = np.arange(self.games) if games is None else np.asarray(games, np.int64)
        wanted = simulations or self.config.simulations
        bare = chosen[self.nodes[chosen, 0, FIRST] == 0]
        if len(bare):
            self._round(bare, np.full(len(bare), -1))
        if self.config.root == "gumbel" and until is None:
            self._halve(chosen, wanted)
            return [self.findings(int(g), halved=True) for g in chosen]
        if self.config.noise > 0:
            self._add_noise(chosen)
        done = 0
        while done < wanted if until is None else not done or not until(done):
            leaves = self.config.leaves
            if until is None:
                leaves = min(leaves, wanted - done)
            if self.used[chosen].max() + leaves * self.actions > self.nodes.shape[1]:
                break
            self._round(np.repeat(chosen, leaves), np.full(len(chosen) * leaves, -1))
            done += leaves
        return [self.findings(int(g)) for g in chosen]

    def _round(self, slots: Int[np.ndarray, " slot"], forced: Int[np.ndarray, " slot"]) -> None:
        """One simulation for each slot, given by its game."""
        count, rules = len(slots), self.rules
        kernels.select_leaves(
            self._roots, zobrist_keys(rules.side), self._hashes, self._seen, self._num_seen,
            rules.ko == "positional", self._lasts, self.nodes, self.numbers, slots, forced,
            self.config.explore, self.config.unseen, rules.komi, self.longest, self._paths,
            self._depths, self._states, self._leaf_lasts, self._planes, self._legal, self._values,
            self._ended,
        )  # fmt: skip
        priors = np.zeros((count, self.actions), np.float32)
        asked = np.flatnonzero(self._ended[:count] == 0)
        if len(asked):
            priors[asked], self._values[asked] = self._evaluated(slots, asked)
        if self.config.mixture > 0:
            results = np.zeros(count, np.float32)
            kernels.rollout_values(
                self._states[:count], self._leaf_lasts, self._ended, rules.komi,
                self.config.rollouts, self._forms, self._weights, self._rollout_rng, results,
            )  # fmt: skip
            share = self.config.mixture
            mixed = (1 - share) * self._values[asked] + share * results[asked]
            self._values[asked] = mixed
        kernels.finish(
            self.nodes, self.numbers, self.used, slots, self._paths, self._depths, self._legal,
            priors, self._values, self._ended,
        )  # fmt: skip

    def _evaluated(
        self, slots: Int[np.ndarray, " slot"], asked: Int[np.ndarray, " asked"]
    ) -> tuple[Float[np.ndarray, "asked action"], Float[np.ndarray, " asked"]]:
        """What the evaluator says of the leaves of some slots."""
        if isinstance(self.evaluator, BoardsEvaluator):
            return self.evaluator.on_boards(self._states[asked], self._leaf_actions(slots, asked))
        side = self.rules.side
        return self.evaluator(self._planes[asked].reshape(len(asked), ZERO_PLANES, side, side))

    def _leaf_actions(
        self, slots: Int[np.ndarray, " slot"], asked: Int[np.ndarray, " asked"]
    ) -> Int[np.ndarray, "asked 4"]:
        """The last four actions before each leaf, newest first: those of its path, then those before
        the root, of which two are known."""
        games, depths = slots[asked], self._depths[asked]
        found = np.full((len(asked), 4), -1, np.int64)
        for age in range(4):
            at = depths - age
            inside = self.nodes[games, self._paths[asked, np.maximum(at, 0)], ACTION]
            above = self._lasts[games, np.clip(-at, 0, 1)]
            found[:, age] = np.where(at >= 1, inside, np.where(at >= -1, above, -1))
        return found

    def _halve(self, chosen: Int[np.ndarray, " game"], simulations: int) -> None:
        """Gumbel root: sequential halving over the actions drawn first."""
        already, values, priors, own = self._root_rows(chosen)
        visits, legal = already, priors > 0
        gumbels = self.rng.gumbel(size=priors.shape)
        scores = np.where(legal, gumbels + np.log(np.maximum(priors, 1e-12)), -np.inf)
        drawn = legal & ((-scores).argsort(1).argsort(1) < self.config.considered)
        orders = [gumbel.considered_visits(int(k), simulations) for k in drawn.sum(1)]
        for wanted in np.array(orders).T:
            allowed = drawn & (visits - already == wanted[:, None])
            forced = gumbel.next_actions(gumbels, priors, values, visits, own, allowed)
            self._round(chosen, forced.astype(np.int64))
            visits, values, _priors, _own = self._root_rows(chosen)
        fresh = np.where(drawn, visits - already, -1)
        last = gumbel.next_actions(
            gumbels, priors, values, visits, own, fresh == fresh.max(1, keepdims=True)
        )
        policy = gumbel.improved_policy(priors, values, visits, own)
        for row, g in enumerate(chosen):
            self._halved[int(g)] = (int(last[row]), policy[row])

    def _root_rows(
        self, chosen: Int[np.ndarray, " game"]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Visits, values and priors of the roots' actions, and the roots' own values."""
        shape = (len(chosen), self.actions)
        visits, values, priors = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
        for row, g in enumerate(chosen):
            root_of(self.nodes, self.numbers, g, visits[row], values[row], priors[row])
        roots = self.nodes[chosen, 0, VISITS]
        own = -self.numbers[chosen, 0, 0] / np.maximum(roots, 1)
        return visits, values, priors, own.astype(float)

    def _add_noise(self, chosen: Int[np.ndarray, " game"]) -> None:
        """P(s, a) = (1 − ε) p + ε η with η ~ Dirichlet(α), new at every move."""
        _visits, _values, priors, _own = self._root_rows(chosen)
        for row, g in enumerate(chosen):
            legal = priors[row] > 0
            drawn = self.rng.dirichlet(np.full(int(legal.sum()), self.config.noise_alpha))
            mixed = priors[row] * (1 - self.config.noise)
            mixed[legal] += self.config.noise * drawn
            kernels.set_priors(self.nodes, self.numbers, g, mixed)

    def findings(self, game: int, *, halved: bool = False) -> Findings:
        """What is known of a tree's root. halved: ``priors`` are the improved policy and ``chosen``
        is the action that sequential halving ended with."""
        visits, values, priors, own = self._root_rows(np.array([game]))
        chosen, policy = self._halved[game] if halved else (None, priors[0])
        return Findings(
            visits=visits[0], values=values[0], priors=policy, value=float(own[0]),
            simulations=int(self.nodes[game, 0, VISITS]), chosen=chosen,
        )  # fmt: skip
