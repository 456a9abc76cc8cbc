"""Learning to play as the games were played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shinso.data.go_positions import MoveBatch


class MovePredictionObjective:
    """Mean negative log-likelihood of the move that was played, in nats: ascending log p(a | s)
    (Silver et al. 2016, eq. 1)."""

    def __call__(self, model: nn.Module, batch: MoveBatch) -> Mapping[str, Tensor]:
        scores = model(batch.inputs)
        loss = cross_entropy(scores, batch.actions)
        return {"loss": loss, "top1": (scores.argmax(-1) == batch.actions).float().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
