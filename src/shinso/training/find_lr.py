"""The learning-rate range test (Smith 2017, "Cyclical Learning Rates", section 3.3)."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from shinso.contracts import Objective, Source
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training


@dataclass(frozen=True)
class RangeTest:
    """Smoothed loss at each learning rate, and the rate where it fell fastest.

    suggestion: None where the loss never fell.
    """

    lrs: list[float]
    losses: list[float]
    suggestion: float | None


def find_lr(
    model: nn.Module,
    objective: Objective[Any],
    source: Source[Any],
    training: Training,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> RangeTest:
    """Raise the learning rate from ``lowest`` to ``highest`` in equal ratios, one step each.

    Ends early when the loss is four times its best or not a number. The model and the source
    come back as they were.
    """
    model_before = copy.deepcopy(model.state_dict())
    source_before = copy.deepcopy(source.state_dict())
    random_before = torch.get_rng_state()
    probe = replace(training, schedule="constant", warmup=0, steps=steps)
    learner = GradientLearner(model, objective, probe)
    lrs: list[float] = []
    losses: list[float] = []
    smooth, best = 0.0, math.inf
    for step in range(steps):
        lr = lowest * (highest / lowest) ** (step / max(steps - 1, 1))
        learner.training = replace(probe, lr=lr)
        loss = float(learner.step(source.next_batch())["loss"])
        smooth = 0.9 * smooth + 0.1 * loss
        unbiased = smooth / (1 - 0.9 ** (step + 1))  # Adam's correction, for the same reason
        if not math.isfinite(unbiased) or unbiased > 4 * best:
            break
        best = min(best, unbiased)
        lrs.append(lr)
        losses.append(unbiased)
    model.load_state_dict(model_before)
    source.load_state_dict(source_before)
    torch.set_rng_state(random_before)
    return RangeTest(lrs, losses, _steepest(lrs, losses))


def _steepest(lrs: list[float], losses: list[float]) -> float | None:
    # Slope over ten neighbours in log lr, because single steps are too noisy to pick from; the
    # running mean of the first ten is still mostly the noise of their batches.
    first, width = 10, 10
    slopes = {
        i + width // 2: (losses[i + width] - losses[i]) / math.log(lrs[i + width] / lrs[i])
        for i in range(first, len(lrs) - width)
    }
    barely = 1e-3 * abs(losses[0]) if losses else 0.0  # a fall below this is rounding or noise
    if (
        not slopes
        or max(losses[first:]) - min(losses[first:]) <= barely
        or min(slopes.values()) >= 0
    ):
        return None
    return lrs[min(slopes, key=lambda middle: slopes[middle])]
