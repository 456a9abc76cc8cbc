"""The loss of DQN in PyTorch: read here, trained in its compiled form, held together by tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from shinso.models.action_values import ActionValues


@dataclass(frozen=True)
class Transitions:
    """discounts: γⁿ, and 0 where the episode terminated; a time limit does not make them 0."""

    x: Float[Tensor, "batch width"]
    actions: Int[Tensor, " batch"]
    rewards: Float[Tensor, " batch"]
    discounts: Float[Tensor, " batch"]
    following: Float[Tensor, "batch width"]


@dataclass(frozen=True)
class ActionValueObjective:
    """Huber loss of Q(s,a) − (r + γ Q⁻(s′, argmax)) (Mnih et al. 2015); argmax by the target network
    itself, or with ``double`` by the network (van Hasselt et al. 2016, eq. 4)."""

    target: ActionValues
    double: bool

    def __call__(self, model: ActionValues, batch: Transitions) -> Mapping[str, Tensor]:
        with torch.no_grad():
            after = self.target(batch.following)
            best = (model(batch.following) if self.double else after).argmax(1, keepdim=True)
            goal = batch.rewards + batch.discounts * after.gather(1, best)[:, 0]
        q = model(batch.x).gather(1, batch.actions[:, None])[:, 0]
        return {"loss": F.smooth_l1_loss(q, goal), "value": q.mean()}

    def state_dict(self) -> dict[str, Any]:
        return {"target": self.target.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.target.load_state_dict(state["target"])
