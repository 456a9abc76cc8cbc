"""Training batches made by playing against oneself: no game of people in it."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from shinso.data.searched_positions import SearchedBatch
from shinso.experience.games_in_play import Finished, GamesInPlay, Manner, Playing
from shinso.games.go import Rules
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.games.symmetry import symmetries
from shinso.search.evaluator import PlanesEvaluator
from shinso.search.forest import ForestConfig


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

    def add(self, game: Finished) -> None:
        """Positions of one game, in order."""
        at = (self.added + torch.arange(len(game.result))) % len(self.result)
        for part, fresh in zip(self.parts, game[:4], strict=True):
            part[at] = fresh
        self.added += len(game.result)

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
    """A ``Source``: games are played side by side with the network as it is now; a batch is drawn from
    the window once enough new positions are there."""

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
        playing: Playing | None = None,
    ) -> None:
        """reuse: how often each position is drawn on average. warm_up: positions before the first
        batch; at least one batch's worth. playing: who plays; this process by default."""
        self.rules, self.batch_size, self.reuse, self.seed = rules, batch_size, reuse, seed
        self.warm_up = max(warm_up, batch_size)
        manner = Manner(rules=rules, search=search, games=games)
        self.playing = playing or GamesInPlay(manner, evaluator, (seed,))
        self.window = Window(window, rules.side)
        self.drawn = self.finished = 0
        self.black_points = 0.0

    def next_batch(self) -> SearchedBatch:
        while self.window.added < self.warm_up + self.drawn * self.batch_size / self.reuse:
            self._play()
        rng = np.random.default_rng([self.seed, 1, self.drawn])
        self.drawn += 1
        return self.window.draw(self.batch_size, self.rules.side, rng)

    def _play(self) -> None:
        for game in self.playing.play(self.drawn):
            self.window.add(game)
            self.finished += 1
            self.black_points += game.black

    def state_dict(self) -> dict[str, Any]:
        return {
            "counts": [self.drawn, self.finished, self.window.added],
            "black_points": self.black_points,
            "playing": self.playing.state_dict(),
            "window": [part[: len(self.window)].clone() for part in self.window.parts],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.drawn, self.finished, self.window.added = state["counts"]
        self.black_points = state["black_points"]
        self.playing.load_state_dict(state["playing"])
        for part, kept in zip(self.window.parts, state["window"], strict=True):
            part[: len(kept)] = kept
