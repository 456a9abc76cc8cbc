"""What the workers of claims on model parallelism do with one model that is cut among them."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn import functional as F

from shinso.nn import LSTM
from shinso.nn.transformer_block import TransformerBlock
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.pipeline import Pipeline, ScheduleName, recurrent_layers, stages_of
from shinso.training.parallel.tensor import cut, held, whole

HEADS, TIME, BATCH = 4, 6, 8


def blocks(width: int, count: int, seed: int) -> list[nn.Module]:
    torch.manual_seed(seed)
    return [TransformerBlock(width, HEADS, 2 * width) for _ in range(count)]


def lstm_layers(width: int, count: int, seed: int) -> list[nn.Module]:
    torch.manual_seed(seed)
    return recurrent_layers(LSTM(width, width, count, batch_first=True))


LAYERS = {"transformer": blocks, "recurrent": lstm_layers}


def batch_of(width: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, TIME, width, generator=generator)
    return x, torch.randn(BATCH, TIME, width, generator=generator)


def answers(layers: list[nn.Module], x: Tensor, target: Tensor) -> dict[str, Any]:
    """The output and every gradient of the mean squared error, on one worker."""
    model = nn.Sequential(*layers)
    output = model(x)
    F.mse_loss(output, target).backward()
    grads = {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}
    return {"output": output.detach().numpy(), **grads}


def by_tensor(crew: JoinedCrew, width: int, seed: int, silent: bool) -> dict[str, Any]:
    """The same, every matrix cut among the workers. silent: they do not add up what they found."""
    model = nn.Sequential(*blocks(width, 2, seed))
    mesh = init_device_mesh("cpu", (crew.size,))
    if silent:
        for block in model:
            for layer in (block.attention.out, block.network.down):  # pyright: ignore[reportAttributeAccessIssue]
                _halve(layer, crew)
        x, _target = batch_of(width, seed)
        return {"output": model(x).detach().numpy()}
    cut(model, mesh)
    x, target = batch_of(width, seed)
    output = model(x)
    F.mse_loss(output, target).backward()
    found = {n: g.numpy() for n, g in whole(model, mesh, gradients=True).items()}
    return {"output": output.detach().numpy(), **found}


def _halve(layer: Any, crew: JoinedCrew) -> None:
    """Keep this worker's columns alone."""
    with torch.no_grad():
        mask = torch.zeros_like(layer.weight)
        size = layer.in_features // crew.size
        mask[:, crew.rank * size : (crew.rank + 1) * size] = 1
        layer.weight.mul_(mask)


def by_pipeline(
    crew: JoinedCrew, kind: str, width: int, count: int, seed: int, schedule: ScheduleName,
    silent: bool,
) -> dict[str, Any]:  # fmt: skip
    """Gradients of this worker's stage, by their names in the whole model, and the last one's mean
    loss. silent: nothing of what the stage before found is passed on."""
    layers = LAYERS[kind](width, count, seed)
    stages = stages_of(layers, crew.size)
    before = sum(len(stage) for stage in stages[: crew.rank])
    stage: nn.Module = stages[crew.rank]
    module = _Deaf(stage) if silent and crew.rank else stage
    x, target = batch_of(width, seed)
    pipeline = Pipeline(module, F.mse_loss, micro_batches=4, schedule=schedule)
    losses = pipeline.step(x, target)
    found: dict[str, Any] = {}
    for name, parameter in stage.named_parameters():
        layer, rest = name.split(".", 1)
        if parameter.grad is not None:
            found[f"{int(layer) + before}.{rest}"] = parameter.grad.numpy()
    if losses:
        found["loss"] = torch.stack([one.detach() for one in losses]).mean().numpy()
    return found


class _Deaf(nn.Module):
    """Hears nothing of what comes before."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: Tensor) -> Tensor:
        return self.stage(x * 0)


def shares_held(crew: JoinedCrew, kind: str, way: str, width: int, count: int) -> float:
    """The share of the model's parameters that this worker holds."""
    layers = LAYERS[kind](width, count, 0)
    total = sum(one.numel() for layer in layers for one in layer.parameters())
    model = nn.Sequential(*layers)
    if way == "tensor":
        cut(model, init_device_mesh("cpu", (crew.size,)))
        return held(model) / total
    if way == "pipeline":
        return held(stages_of(layers, crew.size)[crew.rank]) / total
    return held(model) / total  # data parallelism: all of it


def step_cpu_s(crew: JoinedCrew, width: int, steps: int) -> tuple[float, float]:
    """CPU seconds of a pass through one block and back: whole, and cut among the workers."""
    torch.set_num_threads(1)
    x, target = batch_of(width, 0)
    model = nn.Sequential(*blocks(width, 1, 0))
    alone = _median_s(model, x, target, steps)
    cut(model, init_device_mesh("cpu", (crew.size,)))
    return alone, _median_s(model, x, target, steps)


def _median_s(model: nn.Module, x: Tensor, target: Tensor, steps: int) -> float:
    taken = []
    for _ in range(steps + 2):
        began = time.process_time()
        model.zero_grad(set_to_none=True)
        F.mse_loss(model(x), target).backward()
        taken.append(time.process_time() - began)
    return float(torch.tensor(taken[2:]).median())
