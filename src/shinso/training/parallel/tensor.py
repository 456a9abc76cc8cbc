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
    and the last layer stay whole. Raises UsageFault CUT-UNEVEN where heads or units do not divide,
    and UsageFault NOTHING-TO-CUT where the model has no such layers.
    """
    done = []
    for name, module in list(model.named_modules()):
        if isinstance(module, SelfAttention | CrossAttention):
            _divides(f"{name}: heads", module.heads, mesh.size())
            fused = "query_key_value" if isinstance(module, SelfAttention) else "key_value"
            parts = 3 if isinstance(module, SelfAttention) else 2
            _interleave(getattr(module, fused), parts, mesh.size())
            plan: dict[str, Any] = {fused: ColwiseParallel(), "out": RowwiseParallel()}
            if isinstance(module, CrossAttention):
                plan["query"] = ColwiseParallel()
            parallelize_module(module, mesh, plan)
            module.heads //= mesh.size()
        elif isinstance(module, FeedForward):
            _divides(f"{name}: inner", module.up.out_features, mesh.size())
            parallelize_module(module, mesh, {"up": ColwiseParallel(), "down": RowwiseParallel()})
        else:
            continue
        done.append(name)
    if not done:
        raise UsageFault(
            "NOTHING-TO-CUT",
            place=type(model).__name__,
            found=_("no attention and no feed-forward network of a Transformer"),
            next_step=_("cut it into stages instead (a pipeline), or train it on more data"),
        )
    return done


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
            tensor.copy_(_reordered(tensor, parts, workers))


def _reordered(rows: Tensor, outer: int, inner: int) -> Tensor:
    size = rows.shape[0] // (outer * inner)
    return rows.reshape(outer, inner, size, *rows.shape[1:]).transpose(0, 1).reshape(rows.shape)


def whole(model: nn.Module, mesh: DeviceMesh, *, gradients: bool = False) -> dict[str, Tensor]:
    """The weights (or gradients) of a cut model, put together as they were before the cut.

    Every worker must ask. What a worker holds whole is taken as it is.
    """
    fused = {}
    for name, module in model.named_modules():
        if isinstance(module, SelfAttention):
            fused[f"{name}.query_key_value." if name else "query_key_value."] = 3
        elif isinstance(module, CrossAttention):
            fused[f"{name}.key_value." if name else "key_value."] = 2
    found = {}
    for name, parameter in model.named_parameters():
        tensor: Any = parameter.grad if gradients else parameter.detach()
        if tensor is None:
            continue
        if isinstance(tensor, DTensor):
            tensor = tensor.full_tensor()
        parts = next((n for prefix, n in fused.items() if name.startswith(prefix)), 0)
        found[name] = _reordered(tensor, mesh.size(), parts) if parts else tensor
    return found


def held(model: nn.Module) -> int:
    """Parameters that this worker holds."""
    return sum(
        one.to_local().numel() if isinstance(one, DTensor) else one.numel()
        for one in model.parameters()
    )
