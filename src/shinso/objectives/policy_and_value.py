"""What AlphaGo Zero's network learns from a search: its moves and who won in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from shinso.data.searched_positions import SearchedBatch


class PolicyAndValueObjective:
    """l = (z − v)² − πᵀ log p (Silver et al. 2017, eq. 1); the weights' decay is the optimizer's.

    A network that also says whose every point will be learns that too: + mean over points of
    (o − ô)² (Wu 2019 has a cross-entropy there). value_weight, owners_weight: of these terms.
    """

    def __init__(self, *, value_weight: float = 1.0, owners_weight: float = 1.0) -> None:
        self.value_weight, self.owners_weight = value_weight, owners_weight

    def __call__(self, model: nn.Module, batch: SearchedBatch) -> Mapping[str, Tensor]:
        scores, values, *owners = model(batch.planes)
        policy = cross_entropy(scores, batch.policy)
        value = mse_loss(values, batch.result)
        loss = policy + self.value_weight * value
        found = {"policy_nats": policy, "value_mse": value}
        if owners and batch.owners is not None:
            found["owners_mse"] = mse_loss(owners[0], batch.owners)
            loss = loss + self.owners_weight * found["owners_mse"]
        return {"loss": loss, **found}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
