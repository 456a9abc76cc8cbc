"""The loss of PPO, and with one pass over fresh data that of A2C and REINFORCE, in PyTorch.

What trains is the compiled form in ``policy_gradient_numba.py``; this one is read and differentiated
automatically, and tests hold the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from shinso.models.actor_critic import ActorCritic


@dataclass(frozen=True)
class PolicyGradientObjective:
    """−mean min(ρA, clip(ρ, 1−ε, 1+ε)A) + c₁ mean (V − R)² − c₂ mean H, with ρ = π(a|s) / π_old(a|s)
    (Schulman et al. 2017, eq. 9). Batches hold scaled observations."""

    clip: float
    value_weight: float
    entropy_weight: float

    def __call__(self, model: ActorCritic, batch: Any) -> Mapping[str, Tensor]:
        x, actions, old_log_p, advantages, returns = (
            torch.as_tensor(part)
            for part in (batch.x, batch.actions, batch.log_p, batch.advantages, batch.returns)
        )
        log_p, entropy = log_probability(model, x, actions)
        ratio = (log_p - old_log_p).exp()
        bounded = ratio.clamp(1 - self.clip, 1 + self.clip)
        policy_loss = -torch.minimum(ratio * advantages, bounded * advantages).mean()
        value_loss = (model.value(x)[:, 0] - returns).square().mean()
        h = entropy.mean()
        loss = policy_loss + self.value_weight * value_loss - self.entropy_weight * h
        return {
            "loss": loss, "policy_loss": policy_loss, "value_loss": value_loss, "entropy_nats": h
        }  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def log_probability(
    model: ActorCritic, x: Float[Tensor, "sample width"], actions: Float[Tensor, "sample action"]
) -> tuple[Float[Tensor, " sample"], Float[Tensor, " sample"]]:
    """log π(a|s) and the entropy of π(·|s), in nats, for scaled observations."""
    found = model.policy(x)
    if model.continuous:
        z = (actions - found) * (-model.log_std).exp()
        log_p = -(0.5 * z.square() + model.log_std + 0.5 * math.log(2 * math.pi)).sum(1)
        entropy = (model.log_std + 0.5 * math.log(2 * math.pi) + 0.5).sum().expand(len(x))
        return log_p, entropy
    log_all = found.log_softmax(1)
    return log_all.gather(1, actions.long())[:, 0], -(log_all.exp() * log_all).sum(1)
