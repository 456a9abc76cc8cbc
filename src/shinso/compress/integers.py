"""A network whose weights are 8-bit numbers while it is exported, as ONNX stores them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from shinso.compress import integer_op
from shinso.compress.activations import for_onnx


@contextmanager
def integer_weights(
    model: nn.Module, numbers: Mapping[str, tuple[Tensor, Tensor, Tensor]]
) -> Iterator[None]:
    """Within, each quantized weight is computed from its whole numbers where it is read, and
    roundings are operators; afterwards the network is what it was.

    numbers: as ``packing.whole_numbers`` gives them. Weights with a zero point stay as they are:
    kernels of integer weights take symmetric ones.
    """
    changed: list[tuple[nn.Module, type, str, nn.Parameter]] = []
    for name, (whole, scale, zero) in numbers.items():
        path, _, leaf = name.rpartition(".")
        module = model.get_submodule(path)
        if zero.any():
            continue
        changed.append((module, type(module), leaf, module._parameters[leaf]))  # type: ignore[arg-type]
        del module._parameters[leaf]
        module.register_buffer(f"{leaf}_numbers", whole.to(torch.int8))
        module.register_buffer(f"{leaf}_scale", scale.clone())
        module.__class__ = type(
            type(module).__name__, (type(module),), {leaf: property(_reader(leaf))}
        )
    try:
        with for_onnx(model):
            yield
    finally:
        for module, kind, leaf, parameter in reversed(changed):
            module.__class__ = kind
            del module._buffers[f"{leaf}_numbers"], module._buffers[f"{leaf}_scale"]
            module.register_parameter(leaf, parameter)


def _reader(leaf: str):
    def read(self: nn.Module) -> Tensor:
        return integer_op.stored(self._buffers[f"{leaf}_numbers"], self._buffers[f"{leaf}_scale"])  # type: ignore[arg-type]

    return read
