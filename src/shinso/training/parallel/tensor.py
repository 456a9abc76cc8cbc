"""Tensor parallelism: each worker holds a slice of every layer of a Transformer's blocks.

Megatron's division (Shoeybi et al. 2019, section 3): of two matrices in a row the first is cut by
columns and the second by rows, so that what lies between needs no exchange and one all-reduce
follows the second. In attention the cut falls between heads. The engine is ``torch.distributed``'s
DTensor; this says which matrix is cut how.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)

from shinso.faults import UsageFault
from shinso.language import _
from shinso.nn.attention import CrossAttention, SelfAttention
from shinso.nn.transformer_block import FeedForward


def cut(model: nn.Module, mesh: DeviceMesh) -> list[str]:
    """Cut every attention and feed-forward network of ``model`` among the workers of ``mesh``.

    Returns their names. Outputs are those of the whole model at every worker. Embeddings, norms
    and the last layer stay whole, and so does the dropout behind a layer: there all workers must
    have equal random generators. Attention weights are dropped by each worker's own draws.

    Raises what ``check_cut`` does.
    """
    check_cut(model, mesh.size())
    done = []
    for name, module in list(model.named_modules()):
        if isinstance(module, SelfAttention | CrossAttention):
            fused, parts = _fused(module)
            _interleave(getattr(module, fused), parts, mesh.size())
            plan: dict[str, Any] = {fused: ColwiseParallel(), "out": RowwiseParallel()}
            if isinstance(module, CrossAttention):
                plan["query"] = ColwiseParallel()
            parallelize_module(module, mesh, plan)
            module.heads //= mesh.size()
            if module.dropout:
                _draw_apart(module, mesh.get_local_rank())
        elif isinstance(module, FeedForward):
            parallelize_module(module, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
        else:
            continue
        done.append(name)
    return done


def check_cut(model: nn.Module, workers: int) -> None:
    """UsageFault CUT-UNEVEN where heads or units do not divide by the number of workers, and
    UsageFault NOTHING-TO-CUT where the model has no layers of a Transformer."""
    found = False
    for name, module in model.named_modules():
        if isinstance(module, SelfAttention | CrossAttention):
            _divides(f"tensor {workers}: heads of {name}", module.heads, workers)
        elif isinstance(module, FeedForward):
            _divides(f"tensor {workers}: inner of {name}", module.up.out_features, workers)
        else:
            continue
        found = True
    if not found:
        raise UsageFault(
            "NOTHING-TO-CUT",
            place=f"tensor {workers}: {type(model).__name__}",
            found=_("no attention and no feed-forward network of a Transformer"),
            next_step=_("share its batches (--workers) or its weights (--shard) instead"),
        )


def _fused(module: SelfAttention | CrossAttention) -> tuple[str, int]:
    """The layer that holds several matrices in one, and how many."""
    return ("query_key_value", 3) if isinstance(module, SelfAttention) else ("key_value", 2)


def _draw_apart(module: nn.Module, rank: int) -> None:
    """Different heads are dropped by different random numbers (Shoeybi et al. 2019, appendix B.2), and
    all workers have equal generators again afterwards."""
    kept: list[Any] = []

    def before(module: nn.Module, given: Any) -> None:
        if module.training:
            common = int(torch.randint(2**62, ()))
            kept.append(random_state())
            torch.manual_seed(common + rank)

    def after(module: nn.Module, given: Any, output: Any) -> None:
        if kept:
            set_random_state(kept.pop())

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)


def random_state() -> list[Tensor]:
    """Of the generators that this process draws from: the processor's and its CUDA device's."""
    on_device = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []
    return [torch.get_rng_state(), *on_device]


def set_random_state(state: list[Tensor]) -> None:
    """The opposite."""
    torch.set_rng_state(state[0])
    if len(state) > 1:
        torch.cuda.set_rng_state(state[1])


def _divides(place: str, count: int, workers: int) -> None:
    if count % workers:
        raise UsageFault(
            "CUT-UNEVEN",
            place=place,
            found=_("{count} among {workers} workers").format(count=count, workers=workers),
            why=_("each worker holds as many as the others"),
            next_step=_("give a number of workers that divides it"),
        )


@torch.no_grad()
def _interleave(layer: nn.Linear, parts: int, workers: int) -> None:
    """Reorder the rows of projections that are one matrix: [Q; K; V] becomes
    [Q_0; K_0; V_0; Q_1; …], so that a cut into ``workers`` pieces gives each its heads' rows."""
    for tensor in (layer.weight, layer.bias):
        if tensor is not None:
            tensor.copy_(reordered(tensor, parts, workers))


def reordered(rows: Tensor, outer: int, inner: int) -> Tensor:
    """``outer`` groups of ``inner`` equal pieces become ``inner`` groups of ``outer``: its own opposite
    with the numbers exchanged."""
    size = rows.shape[0] // (outer * inner)
    return rows.reshape(outer, inner, size, *rows.shape[1:]).transpose(0, 1).reshape(rows.shape)


def whole(model: nn.Module, mesh: DeviceMesh, *, gradients: bool = False) -> dict[str, Tensor]:
    """The weights (or gradients) of a cut model, put together as they were before the cut.

    Every worker must ask. What a worker holds whole is taken as it is.
    """
    fused = fused_parameters(model)
    found = {}
    for name, parameter in model.named_parameters():
        tensor: Any = parameter.grad if gradients else parameter.detach()
        if tensor is None:
            continue
        if isinstance(tensor, DTensor):
            tensor = tensor.full_tensor()
        parts = fused.get(name, 0)
        found[name] = reordered(tensor, mesh.size(), parts) if parts else tensor
    return found


def fused_parameters(model: nn.Module) -> dict[str, int]:
    """Parameters that are several matrices in one, and how many: their rows lie in another order
    while the model is cut."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, SelfAttention | CrossAttention):
            fused, parts = _fused(module)
            for kind, _parameter in getattr(module, fused).named_parameters():
                found[".".join(filter(None, (name, fused, kind)))] = parts
    return found


def held(model: nn.Module) -> int:
    """Parameters that this worker holds."""
    return sum(
        one.to_local().numel() if isinstance(one, DTensor) else one.numel()
        for one in model.parameters()
    )
