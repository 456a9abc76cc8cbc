"""Fully sharded data parallelism: every worker learns its share of the batch, and between uses holds
only its share of each parameter, gradient and moment (Rajbhandari et al. 2020; torch's FSDP2).

For Transformers too large for one worker's memory: a block's parameters are gathered when it is
used and let go afterwards, at the price of sending them twice a step.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from shinso.nn.transformer_block import TransformerBlock


def shard(model: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Share out every parameter of ``model``, block by block; the same module comes back.

    Gradients are then means over the workers: weigh each worker's mean loss by its samples times
    workers ÷ samples of all. A model that was cut by tensors is shared out along ``mesh`` as well.
    Weights that lie channel by channel are laid out anew: torch shares out no others.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    for module in list(model.modules()):
        if isinstance(module, TransformerBlock):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def gathered(model: nn.Module, *, gradients: bool = False) -> dict[str, Tensor]:
    """The whole weights (or gradients). Every worker must ask."""
    found = {}
    for name, parameter in model.named_parameters():
        tensor: Any = parameter.grad if gradients else parameter.detach()
        if tensor is not None:
            found[name] = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found
