"""A network from a file of weights, compressed or not."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from shinso.compress import activations
from shinso.compress.channels import shrink
from shinso.compress.packing import unpacked


def restore(model: nn.Module, file: Mapping[str, Tensor]) -> None:
    """Give a freshly made network the weights of a file; fewer channels and rounded inputs
    where the file has them. RuntimeError where the file belongs to another network."""
    state = unpacked(file)
    shrink(model, state)
    model.load_state_dict(state)
    activations.attach(model, activations.from_file(file))
