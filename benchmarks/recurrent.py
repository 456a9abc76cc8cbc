"""Recurrent layers beside torch's: a training step and inference, one thread, float32.

    python benchmarks/recurrent.py            all sizes
    python benchmarks/recurrent.py A B        some of them
    CLOCK=wall THREADS=2 python benchmarks/recurrent.py

The goals (decided beforehand): a training step of the LSTM, with or without peepholes, takes at
most 1.05 of torch.nn.LSTM's time, of the GRU 0.85 of torch.nn.GRU's, of the Elman network 1.0.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("THREADS", "1"))

import torch
from torch import Tensor, nn

from shinso.nn import GRU, LSTM, RNN, LSTMCell
from shinso.nn.sequence import without_kernels
from timing import in_turn, print_table, ratio

SIZES = {
    "A": (32, 64, 64, 128),
    "B": (20, 35, 200, 200),
    "C": (64, 128, 512, 512),
    "tiny": (1, 64, 4, 8),
}
"""batch, time, input, hidden"""
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def training_step(layer: nn.Module, x: Tensor, error: Tensor) -> Callable[[], None]:
    def step() -> None:
        layer.zero_grad(set_to_none=True)
        x.grad = None
        layer(x)[0].backward(error)

    return step


def inference(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            layer(x)

    return run


class LoopOfCells(nn.Module):
    """What a user without a sequence layer writes: a Python loop over a peephole cell."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = LSTMCell(inputs, hidden, peephole=True)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        state, outputs = None, []
        for row in x:
            state = self.cell(row, state)
            outputs.append(state[0])
        return torch.stack(outputs), None


def aside(step: Callable[[], None]) -> Callable[[], None]:
    """The same step on the path for machines without numba, and for other devices."""

    def run() -> None:
        with without_kernels():
            step()

    return run


def measure(size: str) -> list[list[str]]:
    batch, time, inputs, hidden = SIZES[size]
    torch.manual_seed(0)
    x = torch.randn(time, batch, inputs, requires_grad=True)
    error = torch.randn(time, batch, hidden)
    layers = {
        "RNN": (RNN(inputs, hidden), nn.RNN(inputs, hidden)),
        "GRU": (GRU(inputs, hidden), nn.GRU(inputs, hidden)),
        "LSTM": (LSTM(inputs, hidden), nn.LSTM(inputs, hidden)),
    }
    peephole = LSTM(inputs, hidden, peephole=True)
    square = torch.randn(1024, 1024)
    functions: dict[str, Callable[[], object]] = {"product": lambda: square @ square}
    peers: dict[str, str] = {}
    for name, (own, theirs) in layers.items():
        functions[f"{name} step"] = training_step(own, x, error)
        functions[f"torch {name} step"] = training_step(theirs, x, error)
        functions[f"{name} inference"] = inference(own, x)
        functions[f"torch {name} inference"] = inference(theirs, x)
        peers[f"{name} step"] = f"torch {name} step"
        peers[f"{name} inference"] = f"torch {name} inference"
    functions["LSTM with peepholes step"] = training_step(peephole, x, error)
    peers["LSTM with peepholes step"] = "torch LSTM step"
    functions["LSTM without kernels step"] = aside(training_step(layers["LSTM"][0], x, error))
    functions["loop over cells step"] = training_step(LoopOfCells(inputs, hidden), x, error)
    peers["LSTM without kernels step"] = peers["loop over cells step"] = "torch LSTM step"
    seconds = in_turn(functions, rounds=15 if size != "C" else 5, at_least_s=0.02)
    product_rate = 2 * 1024**3 / statistics.median(seconds["product"])
    rows = []
    for name, peer in peers.items():
        value, least, most = ratio(seconds[name], seconds[peer])
        kind = next(gate for gate in GATES if gate in name or gate in peer)
        passes = 3 if "step" in name else 1
        operations = passes * 2 * batch * time * GATES[kind] * hidden * (inputs + hidden)
        share = operations / statistics.median(seconds[name]) / product_rate
        spread = f"{least:.2f} … {most:.2f}"
        rows.append([size, name, peer, f"{value:.2f}", spread, f"{share:.2f}"])
    return rows


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    found = [row for size in sys.argv[1:] or SIZES for row in measure(size)]
    print_table(["size", "ours", "beside", "ratio", "of rounds", "of a matrix product"], found)
