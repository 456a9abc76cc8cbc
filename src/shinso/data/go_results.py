"""Positions of finished games with who won them: all of a game, or one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from shinso.data.go_files import GoGames
from shinso.data.go_positions import MoveSamples
from shinso.games.go import BLACK


class ResultBatch(NamedTuple):
    """planes: Lee planes and one that is 1 where Black is to move. results: 1 or −1 for the player to
    move."""

    planes: Float[Tensor, "batch plane row column"]
    results: Float[Tensor, " batch"]

    def to(self, device: torch.device | str) -> ResultBatch:
        return ResultBatch(*(part.to(device) for part in self))


class ResultSamples:
    """Positions of those of the chosen games whose winner is known.

    positions: "one" takes a single position of each game, drawn by ``seed``. Positions of one game
    share their result, so a network that sees all of them can learn games by heart (Silver et al.
    2016).
    """

    def __init__(
        self,
        games: GoGames,
        chosen: Int64[np.ndarray, " game"],
        positions: Literal["one", "all"] = "all",
        seed: int = 0,
    ) -> None:
        known = chosen[games.winners[chosen] > 0]
        lengths = games.begins[known + 1] - games.firsts[known]
        known, lengths = known[lengths > 0], lengths[lengths > 0]
        self.moves = MoveSamples(games, known, "planes")
        self.num_games = len(known)
        if positions == "one":
            begins = np.cumsum(lengths) - lengths
            self.indices = begins + np.random.default_rng([seed, 3]).integers(lengths)
        else:
            self.indices = np.arange(len(self.moves))

    def __len__(self) -> int:
        return len(self.indices)

    def spread(self, at_most: int) -> Int64[np.ndarray, " sample"]:
        """Numbers of ``at_most`` samples at equal distances; of all with 0."""
        count = min(at_most, len(self)) if at_most else len(self)
        return np.arange(count, dtype=np.int64) * len(self) // max(count, 1)

    def take(
        self, chosen: Int64[np.ndarray, " batch"], turned: Int64[np.ndarray, " batch"] | None = None
    ) -> ResultBatch:
        """turned: which of the eight symmetries each is seen through; none without."""
        indices = self.indices[chosen]
        planes = self.moves.take(indices, turned).inputs
        black = self.black_moves(chosen)
        last = torch.from_numpy(black.astype(np.float32))[:, None, None, None]
        planes = torch.cat([planes, last.expand(-1, 1, *planes.shape[2:])], dim=1)
        winner = self.moves.games.winners[self.moves.game[indices]]
        results = np.where((winner == BLACK) == black, 1.0, -1.0).astype(np.float32)
        return ResultBatch(planes, torch.from_numpy(results))

    def black_moves(self, chosen: Int64[np.ndarray, " batch"]) -> np.ndarray:
        """Whether Black is to move."""
        return self.moves.games.colors[self.moves.place[self.indices[chosen]]] == BLACK

    def numbers(self, chosen: Int64[np.ndarray, " batch"]) -> np.ndarray:
        """Moves played before each position."""
        return self.moves.number[self.indices[chosen]]

    def batches(self, batch_size: int, at_most: int = 0) -> Iterator[ResultBatch]:
        """All samples in order, or ``at_most`` of them spread evenly."""
        chosen = self.spread(at_most)
        for begin in range(0, len(chosen), batch_size):
            yield self.take(chosen[begin : begin + batch_size])


class DrawnResults:
    """Training batches drawn at random, each position seen through a random symmetry.

    A batch follows from (seed, number of the batch) alone, which is all the state there is.
    """

    def __init__(
        self, samples: ResultSamples, batch_size: int, seed: int, *, only: int | None = None
    ) -> None:
        """only: draw from so many samples, spread over all, and do not turn them."""
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.only = None if only is None else samples.spread(only)
        self.drawn = 0

    def next_batch(self) -> ResultBatch:
        rng = np.random.default_rng([self.seed, self.drawn])
        self.drawn += 1
        if self.only is not None:
            return self.samples.take(rng.choice(self.only, self.batch_size))
        chosen = rng.integers(len(self.samples), size=self.batch_size)
        return self.samples.take(chosen, rng.integers(8, size=self.batch_size))

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.drawn = state["drawn"]
