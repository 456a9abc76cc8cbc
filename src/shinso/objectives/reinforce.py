"""Learning from who won: the choices of won games become likelier, those of lost ones less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shinso.data.played_decisions import DecisionBatch


class ReinforceObjective:
    """−mean A log p(a | s), whose gradient is REINFORCE's (Williams 1992; Silver et al. 2016, eq. 2).

    p is the softmax over allowed actions that the games were played by, so batch normalization keeps
    the statistics that it had while they were played.
    """

    def __call__(self, model: nn.Module, batch: DecisionBatch) -> Mapping[str, Tensor]:
        model.eval()
        scores = model(batch.planes.float()).float().masked_fill(~batch.allowed, -torch.inf)
        log_p = scores.log_softmax(1)
        chosen = log_p.gather(1, batch.actions[:, None])[:, 0]
        entropy = -(log_p.exp() * log_p.masked_fill(~batch.allowed, 0.0)).sum(1).mean()
        return {"loss": -(batch.advantages * chosen).mean(), "entropy_nats": entropy}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
