"""What the claims on autoencoders share: real digits, and a training of a few seconds."""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from shinso.data.unlabelled import Values
from shinso.objectives.evidence import EvidenceObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

BATCH = 64
LEARNT_FROM = 1297


def digits(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Grey values from 0 to 1 of 1,297 images to learn from and of 500 others, without labels."""
    from sklearn.datasets import load_digits

    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    order = torch.randperm(len(images), generator=generator)
    return images[order[:LEARNT_FROM]], images[order[LEARNT_FROM:]]


def train(
    model: Any,
    images: Tensor,
    generator: torch.Generator,
    *,
    steps: int,
    lr: float,
    beta: float = 1.0,
    drawn: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """drawn: what becomes of a batch's grey values; nothing by default."""
    training = Training(steps=steps, lr=lr, schedule="one-cycle", clip_norm=1.0)
    learner = GradientLearner(model, EvidenceObjective(beta=beta), training)
    for _ in range(steps):
        chosen = images[torch.randint(len(images), (BATCH,), generator=generator)]
        learner.step(Values(chosen if drawn is None else drawn(chosen)))
    model.eval()
