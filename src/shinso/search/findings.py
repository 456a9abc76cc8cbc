"""What a search says of a position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64


@dataclass(frozen=True, kw_only=True)
class Findings:
    """visits, values, priors: of each action; values are mean results from −1 to 1 for the player to
    move, 0 where nothing was seen; priors what an evaluator said beforehand. value: of the position.
    chosen: the action to play where the search itself decides; most visits do otherwise.
    """

    visits: Int64[np.ndarray, " action"]
    values: Float[np.ndarray, " action"]
    priors: Float[np.ndarray, " action"]
    value: float
    simulations: int
    chosen: int | None = None

    @property
    def best(self) -> int:
        """The chosen action, else the one visited most, the better one among equals."""
        if self.chosen is not None:
            return self.chosen
        return int(np.lexsort((self.values, self.visits))[-1])
