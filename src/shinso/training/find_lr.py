"""The learning-rate range test (Smith 2017, "Cyclical Learning Rates", section 3.3)."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from shinso.contracts import Objective, Source
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

STILL_LR = 1e-30
"""So small that no weight changes."""

FIRST, WIDTH = 10, 10
"""Steps whose running mean is still mostly the noise of their batches; steps that a slope spans, and
whose differences have to agree that the loss fell."""


@dataclass(frozen=True)
class RangeTest:
    """At each learning rate the smoothed loss, and how far it lies from that of the untrained network
    on the same batches; the rate where this difference fell fastest.

    suggestion: None where the loss never clearly fell.
    """

    lrs: list[float]
    losses: list[float]
    changes: list[float]
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
    """Raise the learning rate from ``lowest`` to ``highest`` in equal ratios, one step each, then
    see the same batches again without learning.

    Batches differ more from each other than a few steps improve them, so what is judged is the
    difference, batch by batch. Ends early when the smoothed loss is four times its best or not a
    number. The model and the source come back as they were.
    """
    lrs = [lowest * (highest / lowest) ** (step / max(steps - 1, 1)) for step in range(steps)]
    learnt = _losses(model, objective, source, training, lrs)
    still = _losses(model, objective, source, training, [STILL_LR] * len(learnt))
    differences = [one - other for one, other in zip(learnt, still, strict=True)]
    lrs, changes = lrs[: len(learnt)], _smoothed(differences)
    suggestion = _steepest(lrs, changes) if _clearly_fell(differences, still) else None
    return RangeTest(lrs, _smoothed(learnt), changes, suggestion)


def _losses(
    model: nn.Module,
    objective: Objective[Any],
    source: Source[Any],
    training: Training,
    lrs: Sequence[float],
) -> list[float]:
    """Of one step at each rate; all is put back afterwards."""
    model_before = copy.deepcopy(model.state_dict())
    source_before = copy.deepcopy(source.state_dict())
    probe = replace(training, schedule="constant", warmup=0, steps=len(lrs))
    losses: list[float] = []
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        learner = GradientLearner(model, objective, probe)
        for lr in lrs:
            learner.training = replace(probe, lr=lr)
            losses.append(float(learner.step(source.next_batch())["loss"]))
            smoothed = _smoothed(losses)
            if not math.isfinite(smoothed[-1]) or smoothed[-1] > 4 * min(smoothed):
                losses.pop()
                break
    model.load_state_dict(model_before)
    source.load_state_dict(source_before)
    return losses


def _smoothed(values: Sequence[float]) -> list[float]:
    """Running mean, with Adam's correction of its start and for the same reason."""
    smooth, found = 0.0, []
    for step, value in enumerate(values):
        smooth = 0.9 * smooth + 0.1 * value
        found.append(smooth / (1 - 0.9 ** (step + 1)))
    return found


def _clearly_fell(differences: Sequence[float], still: Sequence[float]) -> bool:
    """Whether somewhere ten steps in a row were better than without learning: on average by four of
    their standard errors and by a thousandth of the loss, below which a fall is rounding."""
    barely = 1e-3 * abs(statistics.fmean(still)) if still else 0.0
    for end in range(FIRST + WIDTH, len(differences) + 1):
        window = differences[end - WIDTH : end]
        fall = -statistics.fmean(window)
        if fall > max(barely, 4 * statistics.stdev(window) / math.sqrt(WIDTH)):
            return True
    return False


def _steepest(lrs: Sequence[float], changes: Sequence[float]) -> float | None:
    """The slope is over ten neighbours in log lr, because single steps are too noisy to pick from."""
    slopes = {
        i + WIDTH // 2: (changes[i + WIDTH] - changes[i]) / math.log(lrs[i + WIDTH] / lrs[i])
        for i in range(FIRST, len(lrs) - WIDTH)
    }
    if not slopes or min(slopes.values()) >= 0:
        return None
    return lrs[min(slopes, key=lambda middle: slopes[middle])]
