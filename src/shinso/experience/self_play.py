"""Training batches made by playing against oneself: no game of people in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from shinso.data.searched_positions import SearchedBatch
from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import ZERO_PLANES, zero_planes_of
from shinso.games.symmetry import symmetries
from shinso.search.evaluator import PlanesEvaluator
from shinso.search.forest import Forest, ForestConfig


@final
class Window:
    """The last ``size`` positions of finished games; older ones are written over."""

    def __init__(self, size: int, side: int) -> None:
        self.planes = torch.zeros(size, ZERO_PLANES, side * side, dtype=torch.uint8)
        self.policy = torch.zeros(size, side * side + 1)
        self.result = torch.zeros(size)
        self.owners = torch.zeros(size, side * side, dtype=torch.int8)
        self.added = 0

    def __len__(self) -> int:
        return min(self.added, len(self.result))

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.planes, self.policy, self.result, self.owners

    def add(self, *given: Tensor) -> None:
        """Positions of one game, in order: planes, policy, result, owners."""
        at = (self.added + torch.arange(len(given[0]))) % len(self.result)
        for part, fresh in zip(self.parts, given, strict=True):
            part[at] = fresh
        self.added += len(given[0])

    def draw(self, batch_size: int, side: int, rng: np.random.Generator) -> SearchedBatch:
        """Positions at random, each turned or mirrored at random."""
        chosen = torch.from_numpy(rng.integers(len(self), size=batch_size))
        there = torch.from_numpy(symmetries(side)[rng.integers(8, size=batch_size)])
        planes = self.planes[chosen].float()
        planes = planes.gather(2, there[:, None, :-1].expand_as(planes))
        policy = self.policy[chosen].gather(1, there)
        owners = self.owners[chosen].float().gather(1, there[:, :-1])
        shaped = planes.view(-1, ZERO_PLANES, side, side)
        return SearchedBatch(shaped, policy, self.result[chosen], owners)


@final
class SelfPlay:
    """A ``Source``: games are played side by side, each move after a search with the network as it
    is now; a batch is drawn from the window once enough new positions are there.

    The move of all games number k follows from (seed, k) and the network; nothing random is kept, so
    a stopped run goes on bit for bit.
    """

    def __init__(
        self,
        rules: Rules,
        evaluator: PlanesEvaluator,
        search: ForestConfig,
        *,
        games: int,
        batch_size: int,
        window: int,
        reuse: float,
        seed: int,
        warm_up: int = 0,
        full_share: float = 1.0,
        fast: int = 0,
        rollout_steps: int = 0,
    ) -> None:
        """reuse: how often each position is drawn on average. warm_up: positions before the first
        batch; at least one batch's worth.

        full_share: of the moves, those that are searched in full and learnt from; the others take
        ``fast`` simulations and only bring the game to its end (playout-cap randomization, Wu 2019:
        results need many games, policies need deep searches). All games side by side take the same
        kind of move. rollout_steps: batches over which rollouts stand in for the network's value, all
        of it at first, then less and less.
        """
        self.rules, self.games, self.batch_size = rules, games, batch_size
        self.reuse, self.seed = reuse, seed
        self.warm_up = max(warm_up, batch_size)
        self.full_share, self.fast, self.rollout_steps = full_share, fast, rollout_steps
        self.search = search
        self.forest = Forest(rules, games, evaluator, search, longest=longest(rules))
        self.window = Window(window, rules.side)
        self.plies = self.drawn = self.finished = 0
        self.black_points = 0.0
        self._moves: list[list[int]] = [[] for _ in range(games)]
        self._learnt: list[list[int]] = [[] for _ in range(games)]  # numbers of the full moves
        self._planes: list[list[np.ndarray]] = [[] for _ in range(games)]
        self._policies: list[list[np.ndarray]] = [[] for _ in range(games)]
        self._positions = [Position.start(rules) for _ in range(games)]

    def next_batch(self) -> SearchedBatch:
        while self.window.added < self.warm_up + self.drawn * self.batch_size / self.reuse:
            self._play()
        rng = np.random.default_rng([self.seed, 1, self.drawn])
        self.drawn += 1
        return self.window.draw(self.batch_size, self.rules.side, rng)

    def _play(self) -> None:
        """One move in every game."""
        self.forest.reseed(self.seed, 0, self.plies)
        full = np.random.default_rng([self.seed, 2, self.plies]).random() < self.full_share
        self.plies += 1
        if self.rollout_steps:
            mixture = max(self.search.mixture, 1 - self.drawn / self.rollout_steps)
            self.forest.config = replace(self.search, mixture=mixture)
        for game, position in enumerate(self._positions):
            self.forest.plant(game, position, _last(self._moves[game]))
        found_all = self.forest.search(simulations=0 if full else self.fast)
        for game, found in enumerate(found_all):
            position = self._positions[game]
            if full:
                self._learnt[game].append(len(self._moves[game]))
                self._planes[game].append(_planes(position, self._moves[game]))
                self._policies[game].append(found.priors.astype(np.float32))
            self._moves[game].append(found.best)
            self._positions[game] = position.play_legal(found.best)
            self._end(game)

    def _end(self, game: int) -> None:
        """Put a game into the window where it is over, and begin a new one."""
        position = self._positions[game]
        safe = position.safe()
        decided = bool((safe != 0).all())
        if not position.over and not decided and position.moves < longest(self.rules):
            return
        owners = safe if decided else position.owners()
        black = float(np.sign(float(owners.sum()) - self.rules.komi))
        if self._learnt[game]:
            signs = torch.from_numpy(1 - 2 * (np.array(self._learnt[game]) % 2))
            planes = torch.from_numpy(np.stack(self._planes[game]).astype(np.uint8))
            policies = torch.from_numpy(np.stack(self._policies[game]))
            whose = signs[:, None] * torch.from_numpy(owners)
            self.window.add(planes, policies, (signs * black).float(), whose.to(torch.int8))
        self.finished += 1
        self.black_points += (black + 1) / 2
        for kept in (self._moves, self._learnt, self._planes, self._policies):
            kept[game] = []  # pyright: ignore[reportCallIssue, reportArgumentType]
        self._positions[game] = Position.start(self.rules)

    def state_dict(self) -> dict[str, Any]:
        return {
            "counts": [self.plies, self.drawn, self.finished, self.window.added],
            "black_points": self.black_points,
            "moves": [list(moves) for moves in self._moves],
            "learnt": [list(numbers) for numbers in self._learnt],
            "policies": [torch.from_numpy(np.array(one)) for one in self._policies],
            "window": [part[: len(self.window)].clone() for part in self.window.parts],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.plies, self.drawn, self.finished, self.window.added = state["counts"]
        self.black_points = state["black_points"]
        for part, kept in zip(self.window.parts, state["window"], strict=True):
            part[: len(kept)] = kept
        for game, moves in enumerate(state["moves"]):
            position, planes = Position.start(self.rules), []
            learnt = set(state["learnt"][game])
            for number, action in enumerate(moves):
                if number in learnt:
                    planes.append(_planes(position, moves[:number]))
                position = position.play_legal(action)
            self._moves[game], self._planes[game] = list(moves), planes
            self._learnt[game] = list(state["learnt"][game])
            self._policies[game] = list(state["policies"][game].numpy())
            self._positions[game] = position


def longest(rules: Rules) -> int:
    """Moves until a game of self-play is counted as it stands: twice as many as there are points."""
    return 2 * rules.pass_action


def _last(moves: list[int]) -> tuple[int, int]:
    return (moves[-1] if moves else -1, moves[-2] if len(moves) > 1 else -1)


def _planes(position: Position, moves: list[int]) -> np.ndarray:
    """What the network sees of a position, as bytes."""
    planes = np.empty((ZERO_PLANES, position.rules.pass_action), np.float32)
    last, before = _last(moves)
    zero_planes_of(position.board, position.legal(), last, before, planes)
    return planes.astype(np.uint8)
