"""What a network costs: numbers, multiply–adds, time and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from shinso.compress.calls import Call
from shinso.intervals import Interval
from shinso.nn.recurrent import RecurrentLayers


@dataclass(frozen=True, kw_only=True)
class Cost:
    """parameters: numbers in the network; nonzero: those that are not 0; file_bytes: of its
    weights' file; multiply_adds: of one sample; latency_ms: processor time of one sample, median
    and where it lies (of a busy machine far apart); memory_bytes: weights, and the largest input and
    output of a layer, of one sample. The last three are None where the network takes no plain
    tensors."""

    parameters: int
    nonzero: int
    file_bytes: int
    multiply_adds: int | None
    latency_ms: Interval | None
    memory_bytes: int | None


def cost(model: nn.Module, call: Call | None, file: Path, *, latency_ms: Interval | None) -> Cost:
    """What a network costs, for one sample of a call; the latency was measured beside a rival's."""
    numbers = list(model.parameters())
    one = None if call is None else call.taking([0])
    return Cost(
        parameters=sum(p.numel() for p in numbers),
        nonzero=sum(int((p != 0).sum()) for p in numbers),
        file_bytes=file.stat().st_size,
        multiply_adds=None if one is None else multiply_adds(model, one),
        latency_ms=latency_ms,
        memory_bytes=None if one is None else memory(model, one),
    )


def multiply_adds(model: nn.Module, call: Call) -> int:
    """Products of all linear, convolutional and recurrent layers in one call. A weight of zero
    counts: dense kernels multiply by it too."""
    total = 0

    def count(module: nn.Module, given: tuple[Any, ...], answer: Any) -> None:
        nonlocal total
        if isinstance(module, nn.Linear):
            total += answer.numel() * module.in_features
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            total += answer.numel() * module.weight[0].numel()
        elif isinstance(module, RecurrentLayers):
            read = answer[0]
            steps = len(read.data) if isinstance(read, PackedSequence) else read[..., 0].numel()
            total += steps * sum(p.numel() for p in module.parameters() if p.dim() > 1)

    _hooked(model, call, count)
    return total


def memory(model: nn.Module, call: Call) -> int:
    """Bytes of weights and buffers, and of the layer whose input and output are largest."""
    held = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    largest = 0

    def weigh(module: nn.Module, given: tuple[Any, ...], answer: Any) -> None:
        nonlocal largest
        if not list(module.children()):
            largest = max(largest, _bytes(given) + _bytes(answer))

    _hooked(model, call, weigh)
    return held + largest


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return sum(map(_bytes, value)) if isinstance(value, list | tuple) else 0


def _hooked(model: nn.Module, call: Call, hook: Callable[..., None]) -> None:
    handles = [module.register_forward_hook(hook) for module in model.modules()]
    try:
        with torch.no_grad():
            call.of(model)
    finally:
        for handle in handles:
            handle.remove()


def latencies(
    models: Sequence[Callable[[], Any]], *, runs: int = 15, least_s: float = 0.002
) -> list[float]:
    """Milliseconds of processor time of each: the median of ``times_ms``."""
    return [statistics.median(one) for one in times_ms(models, runs=runs, least_s=least_s)]


def times_ms(
    models: Sequence[Callable[[], Any]], *, runs: int = 15, least_s: float = 0.002
) -> list[list[float]]:
    """Milliseconds of processor time of each, ``runs`` times in turn, so that a busy machine slows
    all alike. What is faster than ``least_s`` is run several times at once."""
    repeats = []
    for model in models:
        model()
        started = time.process_time()
        model()
        spent = time.process_time() - started
        repeats.append(max(1, round(least_s / max(spent, 1e-6))))
    found: list[list[float]] = [[] for _ in models]
    for _ in range(runs):
        for place, model in enumerate(models):
            started = time.process_time()
            for _ in range(repeats[place]):
                model()
            found[place].append((time.process_time() - started) / repeats[place] * 1e3)
    return found
