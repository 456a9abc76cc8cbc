"""Monte Carlo tree search in its plain form: any ``Game``, any ``Evaluator``, no tricks of speed.

A simulation selects its way down to a leaf, has the leaf evaluated, adds the leaf's children and
gives the value back to every node of its path. What differs between UCB1 and PUCT is one formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Generic, Literal, final

import numpy as np

from shinso.games.game import Game, State
from shinso.search.evaluator import Evaluator
from shinso.search.findings import Findings


@dataclass
class Node(Generic[State]):
    """A state, and what came of it. total: sum of results as the player sees them who moved into it.

    children: None until the node is expanded; one for each legal action then.
    """

    state: State
    action: int = -1
    prior: float = 1.0
    visits: int = 0
    total: float = 0.0
    children: list[Node[State]] | None = None

    @property
    def mean(self) -> float:
        return self.total / self.visits if self.visits else 0.0


@final
class TreeSearch(Generic[State]):
    """One tree, kept from move to move with ``advance``."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """rule: how a child is selected. leaves: that are under way at a time, sent to different
        places by virtual losses and evaluated in one batch. noise: share of Dirichlet(noise_alpha)
        noise in the root's priors. unseen: how much less than its parent a child never visited is
        taken for (PUCT; UCB1 tries every child once)."""

        simulations: int = 100
        rule: Literal["ucb1", "puct"] = "puct"
        explore: float = 1.4
        unseen: float = 0.2
        leaves: int = 1
        noise: float = 0.0
        noise_alpha: float = 0.3

        def __post_init__(self) -> None:
            for name in ("simulations", "leaves"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    def __init__(
        self,
        game: Game[State],
        evaluator: Evaluator[State],
        config: Config | None = None,
        *,
        seed: int = 0,
    ) -> None:
        self.game, self.evaluator = game, evaluator
        self.config = config or self.Config()
        self._rng = np.random.default_rng(seed)
        self.root = Node(game.start())

    def plant(self, state: State) -> None:
        """Begin anew from ``state``."""
        self.root = Node(state)

    def advance(self, action: int) -> None:
        """Play ``action``; what was found below it stays."""
        for child in self.root.children or []:
            if child.action == action:
                self.root = child
                return
        self.root = Node(self.game.play(self.root.state, action))

    def search(self) -> Findings:
        """Run the configured number of simulations from the root."""
        config, done = self.config, 0
        if self.root.children is None:
            self._simulate(1)
        if config.noise > 0 and self.root.children:
            drawn = self._rng.dirichlet(np.full(len(self.root.children), config.noise_alpha))
            for child, one in zip(self.root.children, drawn, strict=True):
                child.prior = (1 - config.noise) * child.prior + config.noise * float(one)
        while done < config.simulations:
            count = min(config.leaves, config.simulations - done)
            self._simulate(count)
            done += count
        return self._findings()

    def _simulate(self, count: int) -> None:
        """``count`` simulations side by side, their leaves evaluated together."""
        paths = [self._select() for _ in range(count)]
        ends = [self.game.outcome(path[-1].state) for path in paths]
        waiting = [path[-1] for path, end in zip(paths, ends, strict=True) if end is None]
        priors, values = (
            self.evaluator.evaluate([node.state for node in waiting])
            if waiting
            else (np.empty((0, 0)), np.empty(0))
        )
        found = iter(zip(priors, values, strict=True))
        for path, end in zip(paths, ends, strict=True):
            leaf = path[-1]
            if end is None:
                prior, value = next(found)
                if leaf.children is None:
                    self._expand(leaf, prior)
            else:
                value = end if self.game.player(leaf.state) == 0 else -end
            self._back_up(path, float(value))

    def _select(self) -> list[Node[State]]:
        """The path to a leaf; each of its nodes has a visit and a virtual loss more."""
        node = self.root
        path = [node]
        while True:
            node.visits += 1
            node.total -= 1.0
            if not node.children:
                return path
            node = self._best(node)
            path.append(node)

    def _best(self, node: Node[State]) -> Node[State]:
        assert node.children is not None
        config = self.config
        if config.rule == "ucb1":
            log = math.log(max(node.visits, 1))

            def worth(child: Node[State]) -> float:
                if not child.visits:
                    return math.inf
                mean = 0.5 + 0.5 * child.mean  # UCB1 is stated for results from 0 to 1
                return mean + config.explore * math.sqrt(log / child.visits)

        else:
            before = node.visits - 1
            own = -(node.total + 1) / before if before else 0.0
            scale = config.explore * math.sqrt(max(before, 1))

            def worth(child: Node[State]) -> float:
                q = child.mean if child.visits else own - config.unseen
                return q + scale * child.prior / (1 + child.visits)

        return max(node.children, key=worth)

    def _expand(self, node: Node[State], priors: Any) -> None:
        legal = np.flatnonzero(self.game.legal(node.state))
        total = float(priors[legal].sum())
        node.children = [
            Node(
                self.game.play(node.state, int(action)),
                int(action),
                float(priors[action]) / total if total > 0 else 1 / len(legal),
            )
            for action in legal
        ]

    def _back_up(self, path: list[Node[State]], value: float) -> None:
        """value: as the player to move at the path's end sees it."""
        child = path[-1]
        mover = self.game.player(child.state)
        for number in range(len(path) - 1, -1, -1):
            node = path[number]
            # Who moved into a node is the player of its parent; into the root, the other one.
            into = (
                self.game.player(path[number - 1].state)
                if number
                else 1 - self.game.player(node.state)
            )
            node.total += 1.0 + (value if into == mover else -value)

    def _findings(self) -> Findings:
        actions = self.game.num_actions
        visits, values, priors = np.zeros(actions, np.int64), np.zeros(actions), np.zeros(actions)
        for child in self.root.children or []:
            visits[child.action] = child.visits
            values[child.action] = child.mean
            priors[child.action] = child.prior
        return Findings(
            visits=visits, values=values, priors=priors, value=-self.root.mean,
            simulations=self.root.visits,
        )  # fmt: skip


@final
class Mixture(Generic[State]):
    """AlphaGo Lee's leaf: (1 − λ) times a network's value and λ times the result of a rollout
    (Silver et al. 2016, Methods); the priors are the network's."""

    def __init__(
        self, network: Evaluator[State], rollouts: Evaluator[State], share: float = 0.5
    ) -> None:
        """share: λ."""
        if not 0 <= share <= 1:
            raise ValueError(f"share is {share}; give 0 to 1")
        self.network, self.rollouts, self.share = network, rollouts, share

    def evaluate(self, states: Any) -> tuple[Any, Any]:
        priors, values = self.network.evaluate(states)
        _even, results = self.rollouts.evaluate(states)
        return priors, (1 - self.share) * values + self.share * results
