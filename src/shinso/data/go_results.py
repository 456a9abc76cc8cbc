"""Positions of finished games with who won them: all of a game, or one."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from shinso.data.drawn_positions import PositionSamples
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


class ResultSamples(PositionSamples[ResultBatch]):
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
