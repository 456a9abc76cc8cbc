"""What AlphaGo Zero's network learns from a search: its moves and who won in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from shinso.data.searched_positions import SearchedBatch


class PolicyAndValueObjective:
    """l = (z − v)² − πᵀ log p (Silver et al. 2017, eq. 1); the weights' decay is the optimizer's.

    value_weight: of the first term.
    """

    def __init__(self, *, value_weight: float = 1.0) -> None:
        self.value_weight = value_weight

    def __call__(self, model: nn.Module, batch: SearchedBatch) -> Mapping[str, Tensor]:
        scores, values = model(batch.planes)
        policy = cross_entropy(scores, batch.policy)
        value = mse_loss(values, batch.result)
        loss = policy + self.value_weight * value
        return {"loss": loss, "policy_nats": policy, "value_mse": value}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
