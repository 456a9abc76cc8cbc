"""Games against oneself that are under way side by side, and what is learnt from the finished ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from shinso.games.go import Position, Rules
from shinso.games.go_planes_numba import ZERO_PLANES, zero_planes_of
from shinso.search.evaluator import PlanesEvaluator
from shinso.search.forest import Forest, ForestConfig


class Finished(NamedTuple):
    """The positions of one game that are learnt from, in order; whoever moves sees results and owners
    as their own. black: the game's points for Black, 1, ½ or 0."""

    planes: Tensor
    policy: Tensor
    result: Tensor
    owners: Tensor
    black: float


@runtime_checkable
class Playing(Protocol):
    """Who plays on: here, or in other processes."""

    def play(self, drawn: int) -> list[Finished]:
        """Games that ended meanwhile. drawn: batches that were learnt so far."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How the games are played. games: side by side.

    full_share: of the moves, those that are searched in full and learnt from; the others take
    ``fast`` simulations and only bring the game to its end (playout-cap randomization, Wu 2019:
    results need many games, policies need deep searches). All games side by side take the same kind
    of move. rollout_steps: batches over which rollouts stand in for the network's value, all of it at
    first, then less and less. opening: each game begins with 0 to so many random moves, so that more
    of the game is seen than its best lines.
    """

    rules: Rules
    search: ForestConfig
    games: int
    full_share: float = 1.0
    fast: int = 8
    rollout_steps: int = 0
    opening: int = 0


@final
class GamesInPlay:
    """Games played by this process, each move after a search with the network as it is now.

    The move of all games number k follows from (seed, k) and the network; nothing random is kept, so
    stopped games go on bit for bit.
    """

    def __init__(self, manner: Manner, evaluator: PlanesEvaluator, seed: tuple[int, ...]) -> None:
        self.manner, self.rules, self.seed = manner, manner.rules, seed
        games = manner.games
        self.forest = Forest(
            self.rules, games, evaluator, manner.search, longest=longest(self.rules)
        )
        self.plies = 0
        self._moves: list[list[int]] = [[] for _ in range(games)]
        self._learnt: list[list[int]] = [[] for _ in range(games)]  # numbers of the full moves
        self._planes: list[list[np.ndarray]] = [[] for _ in range(games)]
        self._policies: list[list[np.ndarray]] = [[] for _ in range(games)]
        self._positions = [Position.start(self.rules) for _ in range(games)]
        for game in range(games):
            self._begin(game)

    def _begin(self, game: int) -> None:
        """A new game in place of an old one."""
        rng = np.random.default_rng([*self.seed, 3, self.plies, game])
        moves, position = [], Position.start(self.rules)
        for _move in range(rng.integers(self.manner.opening + 1)):
            legal = np.flatnonzero(position.legal()[:-1])
            if not len(legal):
                break
            moves.append(int(rng.choice(legal)))
            position = position.play_legal(moves[-1])
        self._moves[game], self._learnt[game] = moves, []
        self._planes[game], self._policies[game] = [], []
        self._positions[game] = position

    def play(self, drawn: int) -> list[Finished]:
        """One move in every game."""
        manner = self.manner
        self.forest.reseed(*self.seed, 0, self.plies)
        full = np.random.default_rng([*self.seed, 2, self.plies]).random() < manner.full_share
        self.plies += 1
        if manner.rollout_steps:
            mixture = max(manner.search.mixture, 1 - drawn / manner.rollout_steps)
            self.forest.config = replace(manner.search, mixture=mixture)
        for game, position in enumerate(self._positions):
            self.forest.plant(game, position, _last(self._moves[game]))
        ended = []
        for game, found in enumerate(self.forest.search(simulations=0 if full else manner.fast)):
            position = self._positions[game]
            if full:
                self._learnt[game].append(len(self._moves[game]))
                self._planes[game].append(_planes(position, self._moves[game]))
                self._policies[game].append(found.priors.astype(np.float32))
            self._moves[game].append(found.best)
            self._positions[game] = position.play_legal(found.best)
            one = self._ended(game)
            if one is not None:
                ended.append(one)
        return ended

    def _ended(self, game: int) -> Finished | None:
        """What is learnt of a game where it is over; a new one begins in its place."""
        position = self._positions[game]
        safe = position.safe()
        decided = bool((safe != 0).all())
        if not position.over and not decided and position.moves < longest(self.rules):
            return None
        owners = safe if decided else position.owners()
        black = float(np.sign(float(owners.sum()) - self.rules.komi))
        signs = torch.from_numpy(1 - 2 * (np.array(self._learnt[game], np.int64) % 2))
        points = self.rules.pass_action
        planes = np.array(self._planes[game], np.uint8).reshape(-1, ZERO_PLANES, points)
        policies = np.array(self._policies[game], np.float32).reshape(-1, points + 1)
        found = Finished(
            torch.from_numpy(planes),
            torch.from_numpy(policies),
            (signs * black).float(),
            (signs[:, None] * torch.from_numpy(owners)).to(torch.int8),
            (black + 1) / 2,
        )
        self._begin(game)
        return found

    def state_dict(self) -> dict[str, Any]:
        return {
            "plies": self.plies,
            "moves": [list(moves) for moves in self._moves],
            "learnt": [list(numbers) for numbers in self._learnt],
            "policies": [torch.from_numpy(np.array(one)) for one in self._policies],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.plies = state["plies"]
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
