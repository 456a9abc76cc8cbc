"""Learning who wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from shinso.data.go_results import ResultBatch


class GameResultObjective:
    """Mean (z − v(s))² with results z of 1 and −1 (Silver et al. 2016, eq. 3)."""

    def __call__(self, model: nn.Module, batch: ResultBatch) -> Mapping[str, Tensor]:
        values = model(batch.planes).float()
        right = ((values > 0) == (batch.results > 0)).float().mean()
        return {"loss": mse_loss(values, batch.results), "winner": right}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
