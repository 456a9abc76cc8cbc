"""The bubble of real pipelines beside its formula, (K − 1)/(M + K − 1), in one run; and the step that
the planner foretells beside the one that ``shinso train --pipeline`` takes.

    python benchmarks/pipeline_bubble.py        about three minutes

Real processes, torch's schedules and real messages; stages take a fixed time a sample by waiting, so
that two cores can stand for four. The goal (decided beforehand): within 10 % of the formula.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.training.gradient import GradientLearner
from shinso.training.parallel.grid import grid
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.measuring import measure_link
from shinso.training.parallel.pipeline import Pipeline
from shinso.training.parallel.planner import Link, Measured, Mesh, Part, plan
from shinso.training.parallel.shapes import bubble
from shinso.training.parallel.stage_pieces import StagePieces
from shinso.training.parallel.stages import StageGradients
from shinso.training.parallel.together import run_together
from shinso.training.plan import Training
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


class Row(nn.Module):
    """A model of waiting blocks that a run could train in stages."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SlowSample() for _ in range(count))
        self.begins_with: list[nn.Module] = []
        self.ends_with: list[nn.Module] = []

    def begin(self, given: Tensor) -> Tensor:
        return given

    def through(self, block: nn.Module, x: Tensor) -> Tensor:
        return block(x)

    def end(self, x: Tensor) -> Tensor:
        return x

    def between(self, given: Tensor) -> tuple[int, ...]:
        return tuple(given.shape)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class SlowSample(nn.Module):
    """Takes a fixed time a sample."""

    seconds = 0.1

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return Waiting.apply(x * self.scale, self.seconds * len(x))


class Squares:
    """The mean of the squared states."""

    def __call__(self, model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        return self.of_states(model, model(self.given(batch)), batch)

    def given(self, batch: Tensor) -> Tensor:
        return batch

    def of_states(self, model: nn.Module, states: Tensor, batch: Tensor) -> dict[str, Tensor]:
        return {"loss": states.square().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


SAMPLES = 8


def of_a_run(crew: JoinedCrew, micro_batches: int) -> tuple[float, float]:
    """Of a whole step, gradients told to all: the bubble that a run prints, and seconds; medians."""
    place = grid(crew, crew.size)
    model = Row(crew.size)
    pieces = StagePieces(model, place.row)
    gradients = StageGradients(
        model, Squares(), Training(), pieces, place.column, place.mesh, micro_batches=micro_batches
    )
    bubbles, seconds = [], []
    for _ in range(4):
        torch.distributed.barrier()
        began = time.perf_counter()
        bubbles.append(float(gradients(torch.ones(SAMPLES, 2))["bubble"]))
        seconds.append(time.perf_counter() - began)
    return sorted(bubbles[1:])[1], sorted(seconds[1:])[1]


def foretold(link: Link, stages: int, micro_batches: int) -> float:
    """Seconds of a step, by the planner, from a step of one worker."""
    learner = GradientLearner(Row(stages), Squares(), Training())
    began = time.perf_counter()
    learner.step(torch.ones(SAMPLES, 2))
    step_s = time.perf_counter() - began
    parts = tuple(Part(name=str(n), parameters=1, passed_bytes=8 * SAMPLES) for n in range(stages))
    measured = Measured(parts=parts, batch_size=SAMPLES, step_s=step_s, kept_bytes=0)
    return plan(measured, Mesh(pipeline=stages, micro_batches=micro_batches), link).step_s


def runs() -> None:
    """A run's own measure of its bubble, and the planner's step."""
    link, _checks = measure_link()
    rows = []
    for stages, micro_batches in ((2, 4), (4, 4), (4, 8)):
        (share, taken), *_others = run_together(of_a_run, stages, micro_batches)
        expected, planned = bubble(stages, micro_batches), foretold(link, stages, micro_batches)
        rows.append(
            [str(stages), str(micro_batches), f"{expected:.3f}", f"{share:.3f}",
             f"{share / expected - 1:+.1%}", f"{planned:.2f}", f"{taken:.2f}",
             f"{planned / taken - 1:+.1%}"]
        )  # fmt: skip
    print_table(
        ["stages K", "micro-batches M", "formula", "a run's", "off by", "planned s", "measured s", "off by"],
        rows,
    )  # fmt: skip


def main() -> None:
    runs()
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
