"""The squared error of a table of action values, in PyTorch: what Q-learning descends, half a step at
a time. The tables themselves are learnt by ``action_table_numba.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TableObjective:
    """½ mean (Q(s,a) − (r + γ max Q(s′,·)))², the target held still (Sutton & Barto 2018, eq. 6.8).

    Batches: ``objectives.action_values.Transitions`` of states as numbers.
    """

    gamma: float

    def __call__(self, model: nn.Module, batch: Any) -> Mapping[str, Tensor]:
        with torch.no_grad():
            goal = batch.rewards + batch.discounts * model(batch.following).max(1).values
        q = model(batch.x).gather(1, batch.actions[:, None])[:, 0]
        return {"loss": 0.5 * (q - goal).square().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
