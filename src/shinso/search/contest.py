"""Many games of two players at once, inside one process: how strong is who?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float

from shinso.games.go import BLACK, Position, Rules
from shinso.search.decision import decide, wins_by_passing
from shinso.search.evaluator import BoardsEvaluator, PlanesEvaluator
from shinso.search.forest import Forest, ForestConfig
from shinso.search.rollout_search import RolloutSearch


@dataclass(frozen=True)
class Going:
    """One game: its position and the actions so far."""

    position: Position
    moves: tuple[int, ...] = ()

    @property
    def last(self) -> tuple[int, int]:
        """The last action and the one before, −1 for none."""
        return (*reversed((-1, -1, *self.moves)),)[:2]  # type: ignore[return-value]

    def play(self, action: int) -> Going:
        return Going(self.position.play_legal(action), (*self.moves, action))


@runtime_checkable
class Mover(Protocol):
    """Who moves in many games at once."""

    def moves(self, games: Sequence[Going]) -> list[int]: ...


@final
class RandomMover:
    """Any legal move outside of safe areas that fills no own safe point; a pass at the end."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def moves(self, games: Sequence[Going]) -> list[int]:
        found = []
        for game in games:
            open_ = np.flatnonzero(game.position.sensible()[:-1])
            passes = game.position.rules.pass_action
            done = wins_by_passing(game.position) or not len(open_)
            found.append(passes if done else int(self._rng.choice(open_)))
        return found


@final
class RolloutMover:
    """``RolloutSearch``, a fresh tree for every move."""

    def __init__(
        self, simulations: int, seed: int, config: RolloutSearch.Config | None = None
    ) -> None:
        config = config or RolloutSearch.Config(
            simulations=simulations, nodes=max(20_000, 12 * simulations)
        )
        self._search = RolloutSearch(config, seed=seed)

    def moves(self, games: Sequence[Going]) -> list[int]:
        return [
            decide(game.position, self._search.search(game.position, game.last)).action
            for game in games
        ]


@final
class NetworkMover:
    """A network and a search with it, all games in one batch. rollout_weights: of the rollout policy,
    for a mixture; its rollouts are random without."""

    def __init__(
        self,
        evaluator: PlanesEvaluator | BoardsEvaluator,
        config: ForestConfig,
        seed: int,
        rollout_weights: Float[np.ndarray, " row"] | None = None,
    ) -> None:
        self.evaluator, self.config, self.seed = evaluator, config, seed
        self._weights = rollout_weights

    def moves(self, games: Sequence[Going]) -> list[int]:
        rules = games[0].position.rules
        forest = Forest(
            rules, len(games), self.evaluator, self.config, seed=self.seed,
            rollout_weights=self._weights,
        )  # fmt: skip
        for number, game in enumerate(games):
            forest.plant(number, game.position, game.last)
        self.seed += 1
        found = forest.search()
        return [
            one.chosen
            if one.chosen is not None and not wins_by_passing(game.position)
            else decide(game.position, one).action
            for game, one in zip(games, found, strict=True)
        ]


def contest(
    rules: Rules, first: Mover, second: Mover, *, games: int, opening: int = 2, seed: int = 0
) -> tuple[float, int]:
    """(points of the first player, games). Colours alternate; each pair of games begins with the same
    ``opening`` random moves. All stones count as alive: both play on until nothing is left to take.
    """
    going = [Going(_opening(rules, opening, seed + number // 2)) for number in range(games)]
    ended: dict[int, float] = {}
    while len(ended) < games:
        for mover, is_first in ((first, True), (second, False)):
            waiting = [
                number
                for number, game in enumerate(going)
                if number not in ended
                and ((game.position.turn == BLACK) == (number % 2 == 0)) == is_first
            ]
            if not waiting:
                continue
            actions = mover.moves([going[number] for number in waiting])
            for number, action in zip(waiting, actions, strict=True):
                going[number] = going[number].play(action)
                result = _result(going[number].position)
                if result is not None:
                    ended[number] = result if number % 2 == 0 else 1 - result
    return sum(ended.values()), games


def _result(position: Position) -> float | None:
    """Black's points where the game is over: 1, ½ or 0."""
    safe = position.safe()
    if (safe != 0).all():
        score = float(safe.sum()) - position.rules.komi
    elif position.over or position.moves >= 3 * position.rules.pass_action:
        score = position.score()
    else:
        return None
    return 0.5 + 0.5 * float(np.sign(score))


def _opening(rules: Rules, moves: int, seed: int) -> Position:
    """Random legal moves that are no passes, the same for the same seed."""
    rng = np.random.default_rng([seed, 7])
    position = Position.start(rules)
    for _ in range(moves):
        legal = np.flatnonzero(position.legal()[:-1])
        if len(legal):
            position = position.play_legal(int(rng.choice(legal)))
    return position
