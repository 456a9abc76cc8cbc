"""The bubble of real pipelines beside its formula, (K − 1)/(M + K − 1), in one run.

    python benchmarks/pipeline_bubble.py        about a minute

Real processes, torch's schedules and real messages; stages take a fixed time by waiting, so that
two cores can stand for four. The goal (decided beforehand): within 10 % of the formula.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.pipeline import Pipeline
from shinso.training.parallel.shapes import bubble
from shinso.training.parallel.together import run_together
from timing import print_table


class Waiting(torch.autograd.Function):
    """Takes a given time each way without computing: a busy machine then disturbs little."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, seconds: float) -> Tensor:
        ctx.seconds = seconds
        time.sleep(seconds)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        time.sleep(2 * ctx.seconds)
        return gradients[0], None


class Slow(nn.Module):
    seconds = 0.25  # long beside a message, also on a busy machine

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return Waiting.apply(x * self.scale, self.seconds)


def waited(crew: JoinedCrew, schedule: Any, micro_batches: int) -> float:
    """The share of a step that this worker is not in its stage: the median of three steps."""
    pipeline = Pipeline(Slow(), F.mse_loss, micro_batches=micro_batches, schedule=schedule)
    x = torch.zeros(micro_batches, 2)
    shares = []
    for _ in range(4):
        torch.distributed.barrier()
        began = time.perf_counter()
        pipeline.step(x, x)
        torch.distributed.barrier()
        shares.append(1 - 3 * micro_batches * Slow.seconds / (time.perf_counter() - began))
    return sorted(shares[1:])[1]


def main() -> None:
    rows = []
    for schedule in ("gpipe", "1f1b"):
        for stages, micro_batches in ((2, 2), (4, 4)):
            measured = min(run_together(waited, stages, schedule, micro_batches))
            expected = bubble(stages, micro_batches)
            rows.append(
                [schedule, str(stages), str(micro_batches), f"{expected:.3f}", f"{measured:.3f}",
                 f"{measured / expected - 1:+.1%}"]
            )  # fmt: skip
    print_table(["schedule", "stages K", "micro-batches M", "formula", "measured", "off by"], rows)


if __name__ == "__main__":
    main()
