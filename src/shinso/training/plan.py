"""How long and how a model is trained. Imports nothing heavy: recipes hold it in their Config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shinso.settings import parse_duration, setting

ScheduleName = Literal["constant", "cosine", "linear", "one-cycle", "inverse-sqrt"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings of gradient training that every recipe shares."""

    steps: int = setting(1000, "training steps (weight updates)")
    batch_size: int = setting(32, "samples a step")
    accumulate: int = setting(1, "parts a step's batch is learned in, one by one, to save memory")
    lr: float = setting(1e-3, "learning rate at the peak of the schedule")
    schedule: ScheduleName = setting("cosine", "how the learning rate moves over the steps")
    warmup: int = setting(0, "steps in which the learning rate rises from 0")
    optimizer: Literal["adamw", "sgd"] = setting("adamw", "how a gradient becomes an update")
    momentum: float = setting(0.9, "Nesterov momentum of sgd")
    betas: tuple[float, ...] = setting((0.9, 0.999), "decay of adamw's two running means")
    weight_decay: float = setting(0.0, "decoupled for adamw, added to the gradient for sgd")
    average: float = setting(
        0.0, "decay of a running mean of the weights, which is then validated and kept; 0: none"
    )
    clip_norm: float = setting(1.0, "largest gradient norm; 0 leaves gradients as they are")
    precision: Literal["fp32", "bf16"] = setting("fp32", "arithmetic of the forward pass")
    evaluate_every: int = setting(100, "steps between looks at the validation part")
    patience: int = setting(0, "looks without improvement after which training ends; 0: never")
    budget: str = setting("", "longest training time a seed, such as 10m; empty: no limit")
    checkpoint_every: int = setting(200, "steps between resume states")

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if len(self.betas) != 2:
            raise ValueError(f"betas is {self.betas}; give two numbers")
        for name, decays in (
            ("betas", self.betas), ("momentum", (self.momentum,)), ("average", (self.average,)),
        ):  # fmt: skip
            if not all(0 <= decay < 1 for decay in decays):
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to below 1")
        for name in ("warmup", "weight_decay", "clip_norm", "patience"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr is {self.lr}; give a number above 0")
        if self.warmup >= self.steps:
            raise ValueError(f"warmup is {self.warmup} of {self.steps} steps; give fewer")
        if self.budget:
            parse_duration(self.budget, "budget")

    def unread(self) -> dict[str, str]:
        """Settings of the optimizer that was not chosen."""
        other = {"sgd": "betas", "adamw": "momentum"}[self.optimizer]
        return {other: f"optimizer={self.optimizer}"}

    @property
    def budget_s(self) -> float | None:
        return parse_duration(self.budget) if self.budget else None
