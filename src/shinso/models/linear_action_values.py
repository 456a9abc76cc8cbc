"""Action values linear in fixed features: tile coding or a Fourier basis.

Place in the course: day 4, where states are too many for a table. Sutton & Barto 2018, sections 9.5.4
(tiles) and 10.1 (semi-gradient SARSA); Fourier basis: Konidaris, Osentoski & Thomas 2011.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.faults import UsageFault
from shinso.language import _
from shinso.settings import setting

MOST_FEATURES = 20_000


@final
class LinearActionValues(nn.Module):
    """Q(s,a) = w_a · φ(s). low, high: the range of each observation; what is beyond counts as its end.

    Tiles are hashed into ``memory`` weights an action, so that memory is bounded whatever the number
    of observations (two tiles may share a weight).
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        features: Literal["tiles", "fourier"] = setting("tiles", "what values are linear in")
        tilings: int = setting(8, "grids laid over each other")
        tiles: int = setting(8, "tiles of each grid along an observation")
        memory: int = setting(4096, "weights an action into which tiles are hashed")
        order: int = setting(3, "highest frequency of the Fourier basis")
        method: Literal["q-learning", "sarsa", "expected-sarsa"] = setting(
            "sarsa", "what is learnt towards"
        )
        alpha: float = setting(0.3, "step size (α), shared by the features that are on")
        trace: float = setting(0.9, "λ of eligibility traces; 0: none")
        epsilon_start: float = setting(0.1, "share of random actions at first")
        epsilon_end: float = setting(0.0, "share of random actions in the end")
        epsilon_share: float = setting(0.8, "part of training in which it falls")

        def __post_init__(self) -> None:
            for name in ("tilings", "tiles", "memory", "order"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            for name in ("trace", "epsilon_start", "epsilon_end", "epsilon_share"):
                if not 0 <= getattr(self, name) <= 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to 1")
            if not 0 < self.alpha <= 1:
                raise ValueError(f"alpha is {self.alpha}; give a number above 0, up to 1")

    def __init__(
        self, config: Config, *, low: Sequence[float], high: Sequence[float], num_actions: int
    ) -> None:
        super().__init__()
        self.config = config
        low_, high_ = np.array(low), np.array(high)
        self.low, self.span = low_, np.maximum(high_ - low_, 1e-9)
        if config.features == "tiles":
            self.frequencies = np.zeros((0, len(low)))
            self.step_sizes = np.full(config.memory, config.alpha / config.tilings)
        else:
            count = (config.order + 1) ** len(low)
            if count > MOST_FEATURES:
                raise UsageFault(
                    "SETTING-REFUSED",
                    place=f"order={config.order}",
                    found=_("{count} features of {width} observations").format(
                        count=count, width=len(low)
                    ),
                    next_step=_("give a lower order, or features=tiles"),
                )
            every = itertools.product(range(config.order + 1), repeat=len(low))
            self.frequencies = np.array(list(every), float)
            # Each frequency learns as fast as it changes (Konidaris et al. 2011, section 3.2).
            norms = np.linalg.norm(self.frequencies, axis=1)
            self.step_sizes = config.alpha / np.where(norms == 0, 1.0, norms) / np.sqrt(count)
        weights = torch.zeros(num_actions, len(self.step_sizes), dtype=torch.float64)
        self.register_buffer("weights", weights)

    @property
    def num_on(self) -> int:
        """Features that are not 0 at a time."""
        return len(self.frequencies) or self.config.tilings

    def forward(self, x: Float[Tensor, "batch observation"]) -> Float[Tensor, "batch action"]:
        from shinso.nn.kernels.features_numba import features

        places = np.empty((len(x), self.num_on), np.int64)
        values = np.empty((len(x), self.num_on))
        for row, seen in enumerate(x.numpy().astype(float)):
            features(
                seen, self.low, self.span, self.config.tiles, self.config.memory, self.frequencies,
                places[row], values[row],
            )  # fmt: skip
        picked = self.get_buffer("weights")[:, torch.from_numpy(places)]
        return (picked * torch.from_numpy(values)).sum(2).T
