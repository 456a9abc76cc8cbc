"""The learner of nearly every system: one optimizer step on an objective's loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic

import torch
from torch import Tensor, nn

from shinso.contracts import BatchIn, Objective
from shinso.train.plan import Training
from shinso.train.schedules import lr_factor


class GradientLearner(Generic[BatchIn]):
    """AdamW on ``objective(model, batch)["loss"]``, with schedule, clipping and precision.

    Weight decay leaves biases, gains and other one-dimensional parameters alone.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective[BatchIn],
        training: Training,
        *,
        trained: Iterable[tuple[str, nn.Parameter]] | None = None,
    ) -> None:
        """trained: the named parameters to change; all that ask for a gradient by default."""
        self.model = model
        self.objective = objective
        self.training = training
        named = list(model.named_parameters() if trained is None else trained)
        self.parameters = [parameter for _, parameter in named if parameter.requires_grad]
        matrices = [parameter for parameter in self.parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in self.parameters if parameter.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": training.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=training.lr,
        )
        self.steps_taken = 0

    def step(self, batch: BatchIn) -> Mapping[str, Tensor | float]:
        """One update; returns the objective's scalars with ``lr`` and ``gradient_norm``."""
        lr = self.training.lr * lr_factor(
            self.training.schedule, self.steps_taken, self.training.steps, self.training.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        device_type = self.parameters[0].device.type if self.parameters else "cpu"
        with torch.autocast(
            device_type, dtype=torch.bfloat16, enabled=self.training.precision == "bf16"
        ):
            scalars = dict(self.objective(self.model, batch))
        scalars["loss"].backward()
        largest = self.training.clip_norm or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, largest)
        self.optimizer.step()
        self.steps_taken += 1
        return {**{k: v.detach() for k, v in scalars.items()}, "lr": lr, "gradient_norm": norm}

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state_dict(),
            "steps_taken": self.steps_taken,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.load_state_dict(state["objective"])
        self.steps_taken = state["steps_taken"]
