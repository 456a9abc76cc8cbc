"""One worker's step and the link between workers, measured on this machine for the planner."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch import distributed as processes

from shinso.contracts import Staged
from shinso.data.batch_parts import num_samples
from shinso.nn.attention import CrossAttention, SelfAttention
from shinso.nn.recurrent import RecurrentLayers
from shinso.nn.transformer_block import FeedForward, TransformerBlock
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.planner import Link, Measured, Part
from shinso.training.parallel.stage_pieces import size_of

REPEATS = 5


def measure_step(learner: GradientLearner[Any], batch: Any) -> Measured:
    """Time some steps of the learner on one batch and look at what a pass keeps and passes on.

    Changes the learner's weights: give one that is not needed afterwards.
    """
    passed: dict[str, int] = {}
    handles = [
        module.register_forward_hook(_note(name, passed))
        for name, module in learner.model.named_modules()
        if isinstance(module, TransformerBlock | RecurrentLayers)
    ]
    kept = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        learner.step(batch)
    for handle in handles:
        handle.remove()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        learner.step(batch)
        taken.append(time.perf_counter() - began)
    return Measured(
        parts=tuple(parts_of_model(learner.model, passed)),
        tied=tied(learner.model),
        batch_size=num_samples(batch),
        step_s=min(taken),  # what others on the machine disturb least
        kept_bytes=kept,
    )


def _note(name: str, passed: dict[str, int]) -> Any:
    def hook(module: nn.Module, given: Any, output: Any) -> None:
        tensor = output[0] if isinstance(output, tuple) else output
        tensor = getattr(tensor, "data", tensor)  # of a packed sequence
        if isinstance(tensor, Tensor):
            passed[name] = tensor.numel() * tensor.element_size()

    return hook


def parts_of_model(model: nn.Module, passed: Mapping[str, int] | None = None) -> list[Part]:
    """The blocks and recurrent layers of a model in their order; all else belongs to the first, or
    to the first and the last as a ``Staged`` model says."""
    passed = passed or {}
    found: list[Part] = []
    for name, module in model.named_modules():
        if isinstance(module, TransformerBlock):
            divisible, sums, cuts = _divisible(module)
            count = sum(one.numel() for one in module.parameters())
            found.append(
                Part(
                    name=name,
                    parameters=count,
                    divisible=divisible,
                    passed_bytes=passed.get(name, 0),
                    sums=sums,
                    cuts=cuts,
                )
            )
        elif isinstance(module, RecurrentLayers):
            for layer in range(module.num_layers):
                ends = (f"_l{layer}", f"_l{layer}_reverse")
                count = sum(p.numel() for n, p in module.named_parameters() if n.endswith(ends))
                label = f"{name}.{layer}" if module.num_layers > 1 else name
                found.append(Part(name=label, parameters=count, passed_bytes=passed.get(name, 0)))
    total = sum(one.numel() for one in model.parameters())
    if not found:
        return [Part(name=type(model).__name__, parameters=total)]
    if isinstance(model, Staged):
        begins, ends = size_of(model.begins_with), size_of(model.ends_with)
    else:
        begins, ends = total - sum(one.parameters for one in found), 0
    found[0] = replace(found[0], parameters=found[0].parameters + begins)
    found[-1] = replace(found[-1], parameters=found[-1].parameters + ends)
    return found


def tied(model: nn.Module) -> int:
    """Parameters that both the beginning and the end of a ``Staged`` model have."""
    if not isinstance(model, Staged):
        return 0
    begins, ends = model.begins_with, model.ends_with
    return size_of(begins) + size_of(ends) - size_of([*begins, *ends])


def _divisible(block: nn.Module) -> tuple[int, int, tuple[int, ...]]:
    """Parameters of a block that tensor parallelism divides; its all-reduces, one behind each of its
    layers on the way forward and one before each on the way back; its heads and inner units."""
    count = layers = 0
    cuts: list[int] = []
    for module in block.modules():
        if isinstance(module, SelfAttention | CrossAttention | FeedForward):
            layers += 1
            cuts.append(module.up.out_features if isinstance(module, FeedForward) else module.heads)
            count += sum(one.numel() for one in module.parameters())
            last = module.down if isinstance(module, FeedForward) else module.out
            count -= last.bias.numel() if last.bias is not None else 0  # every worker has it
    return count, 2 * layers, tuple(cuts)


def all_reduce_s(crew: JoinedCrew, sizes: list[int], repeats: int) -> list[float]:
    """Seconds of an all-reduce of so many bytes: the least of some, which others disturb least."""
    found = []
    for size in sizes:
        data = torch.zeros(max(1, size // 4))
        taken = []
        for _ in range(repeats):
            processes.barrier()
            began = time.perf_counter()
            processes.all_reduce(data)
            taken.append(time.perf_counter() - began)
        found.append(min(taken))
    return found


def fit_link(sizes: list[int], seconds: list[float], workers: int) -> Link:
    """Latency and bandwidth by least squares on the ring's formula, errors relative."""
    rounds = 2 * (workers - 1)
    table = np.array([[rounds, rounds * size / workers] for size in sizes], dtype=float)
    weights = 1 / np.array(seconds)
    found, *_rest = np.linalg.lstsq(table * weights[:, None], np.ones(len(sizes)), rcond=None)
    latency, per_byte = (max(float(value), 1e-12) for value in found)
    return Link(bandwidth_bytes_s=1 / per_byte, latency_s=latency)


def measure_link(workers: int = 2) -> tuple[Link, list[tuple[int, float, float]]]:
    """The link between processes of this machine, and (bytes, measured s, predicted s) for sizes
    that were not used to fit it."""
    from shinso.training.parallel.together import run_together

    fitted, checked = [1 << 10, 1 << 16, 1 << 20, 1 << 23], [1 << 14, 1 << 18, 1 << 22]
    seconds = run_together(all_reduce_s, workers, fitted + checked, 12)[0]
    link = fit_link(fitted, seconds[: len(fitted)], workers)
    rows = [
        (size, found, link.all_reduce_s(size, workers))
        for size, found in zip(checked, seconds[len(fitted) :], strict=True)
    ]
    return link, rows
