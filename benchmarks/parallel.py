"""Two workers beside one, and beside plain DistributedDataParallel, in one run.

    python benchmarks/parallel.py            about a minute
    CLOCK=wall python benchmarks/parallel.py on a machine with two free cores

One thread a worker. Batches are of one size a worker, so 2.00 is perfect. By CPU time (the default)
a busy machine measures what two free cores would give; what a worker waits is not in it. shinso's
steps and plain DDP's are taken in turn by the same workers. The goals (decided beforehand): 1.7
times one worker's throughput (1.9 hoped for), and 0.97 of plain DDP's.
"""

from __future__ import annotations

import os
import statistics
import time
from itertools import pairwise
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from shinso.nn import LSTM
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.synchronous import SynchronousGradients
from shinso.training.parallel.together import run_together
from shinso.training.plan import Training
from timing import print_table

ROUNDS = int(os.environ.get("ROUNDS", "9"))


def clock() -> float:
    wall = os.environ.get("CLOCK") == "wall"
    return time.perf_counter() if wall else time.process_time()


class Images(nn.Module):
    """Six convolutions of 64 channels over 32×32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [3, 64, 64, 64, 64, 64, 64]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.layers, self.read = nn.Sequential(*layers), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(self.layers(x).mean((2, 3)))


class Words(nn.Module):
    """A language model: 2 LSTM layers of 200 units, 2,000 words."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.layers = nn.Embedding(2000, 200), LSTM(200, 200, 2, batch_first=True)
        self.read = nn.Linear(200, 2000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.read(self.layers(self.embed(x))[0]).transpose(1, 2)


class CrossEntropy:
    def __call__(self, model: nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        return {"loss": F.cross_entropy(model(batch[0]), batch[1])}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass


def batch_of(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Of one worker."""
    if kind == "images":
        return torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    return torch.randint(0, 2000, (20, 35)), torch.randint(0, 2000, (20, 35))


def measure(crew: JoinedCrew, kind: str) -> dict[str, list[float]]:
    """Seconds of a step: alone (no crew), shinso's with the crew, plain DDP's with the crew."""
    torch.set_num_threads(1)
    make = {"images": Images, "words": Words}[kind]
    batch, objective, training = batch_of(kind), CrossEntropy(), Training(clip_norm=0.0)
    torch.manual_seed(0)
    alone = GradientLearner(make(), objective, training)
    model = make()
    gradients = SynchronousGradients(model, objective, training, crew)
    ours = GradientLearner(model, objective, training, gradients=gradients)
    plain = DistributedDataParallel(make())
    optimizer = torch.optim.AdamW(plain.parameters(), lr=training.lr, fused=True)

    def plain_step() -> None:
        plain.train()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(plain(batch[0]), batch[1]).backward()
        optimizer.step()

    steps = {
        "alone": lambda: alone.step(batch),
        "shinso": lambda: ours.step(batch),
        "plain DDP": plain_step,
    }
    found: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(ROUNDS + 2):
        for name, step in steps.items():
            torch.distributed.barrier()
            began = clock()
            step()
            if turn >= 2:
                found[name].append(clock() - began)
    return found


def rows_of(kind: str) -> list[str]:
    both = run_together(measure, 2, kind, timeout_s=600.0)
    slower = {
        name: [max(pair) for pair in zip(*(worker[name] for worker in both), strict=True)]
        for name in both[0]
    }
    middle = {name: statistics.median(values) for name, values in slower.items()}
    return [
        kind,
        *(f"{1e3 * middle[name]:.1f}" for name in middle),
        f"{2 * middle['alone'] / middle['shinso']:.2f}",
        f"{middle['plain DDP'] / middle['shinso']:.3f}",
    ]


if __name__ == "__main__":
    unit = "wall" if os.environ.get("CLOCK") == "wall" else "CPU"
    print_table(
        ["model", f"alone ({unit} ms)", "shinso, 2 workers", "plain DDP, 2 workers",
         "times one worker", "of plain DDP's throughput"],
        [rows_of(kind) for kind in ("images", "words")],
    )  # fmt: skip
