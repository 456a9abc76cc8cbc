"""A network whose weights are 8-bit numbers while it is exported, as ONNX stores them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from shinso.compress import integer_op
from shinso.compress.activations import attached, detach, for_onnx
from shinso.compress.quantizers import Quantizer
from shinso.nn.dense import Dense
from shinso.nn.joints import PaddedShortcut, PositionMean

LINEAR = (nn.Linear.forward, Dense.forward)
"""The layers that answer x Wᵀ + b and nothing else."""


@contextmanager
def integer_weights(
    model: nn.Module, numbers: Mapping[str, tuple[Tensor, Tensor, Tensor]]
) -> Iterator[None]:
    """Within, each quantized weight is computed from its whole numbers where it is read, and
    roundings are operators; a linear layer, a padded shortcut or a mean of positions that reads
    rounded numbers is one operator with both. Afterwards the network is what it was.

    numbers: as ``packing.whole_numbers`` gives them. Weights with a zero point stay as they are:
    kernels of integer weights take symmetric ones.
    """
    roundings = attached(model)
    with ExitStack() as changed:
        for name, (whole, scale, zero) in numbers.items():
            if zero.any():
                continue
            path, _, leaf = name.rpartition(".")
            module = model.get_submodule(path)
            reads = roundings.get(path)
            first = reads and reads.quantizers[0]
            if leaf == "weight" and first and type(module).forward in LINEAR:
                changed.enter_context(_whole_linear(module, whole, scale, first))
            else:
                changed.enter_context(_whole_weight(module, leaf, whole, scale))
        for path, reads in roundings.items():
            module = model.get_submodule(path)
            if isinstance(module, PaddedShortcut | PositionMean) and reads.quantizers[0]:
                changed.enter_context(_whole_joint(module, reads.quantizers[0]))
        changed.enter_context(for_onnx(model))
        yield


@contextmanager
def _whole_weight(module: nn.Module, leaf: str, whole: Tensor, scale: Tensor) -> Iterator[None]:
    def read(self: nn.Module) -> Tensor:
        return integer_op.stored(self._buffers[f"{leaf}_numbers"], self._buffers[f"{leaf}_scale"])  # type: ignore[arg-type]

    buffers = {f"{leaf}_numbers": whole.to(torch.int8), f"{leaf}_scale": scale.clone()}
    with _stand_in(module, leaf, buffers, {leaf: property(read)}):
        yield


@contextmanager
def _whole_linear(
    module: nn.Module, whole: Tensor, scale: Tensor, reads: Quantizer
) -> Iterator[None]:
    """The layer rounds what it reads by itself, its hook being away."""
    x_scale, x_zero = float(reads.scale), int(reads.zero_point)

    def read(self: nn.Module) -> Tensor:
        return integer_op.stored(self.numbers.t(), self.product_scale / x_scale)  # type: ignore[operator,arg-type]

    def forward(self: nn.Linear, given: Tensor) -> Tensor:
        return integer_op.linear(
            given, x_scale, x_zero, self.numbers, self.product_scale, self.bias
        )  # type: ignore[arg-type]

    buffers = {
        "numbers": whole.to(torch.int8).t().contiguous(),
        "product_scale": scale * x_scale,
    }
    with (
        _without_rounding(module),
        _stand_in(module, "weight", buffers, {"weight": property(read), "forward": forward}),
    ):
        yield


@contextmanager
def _whole_joint(module: PaddedShortcut | PositionMean, reads: Quantizer) -> Iterator[None]:
    """The joint rounds what it reads by itself, its hook being away."""
    grid = float(reads.scale), int(reads.zero_point)

    def padded(self: PaddedShortcut, x: Tensor) -> Tensor:
        return integer_op.padded_shortcut(x, *grid, self.new_channels, self.stride)

    def mean(_self: PositionMean, x: Tensor) -> Tensor:
        return integer_op.position_mean(x, *grid)

    forward = padded if isinstance(module, PaddedShortcut) else mean
    with _without_rounding(module), _of_class(module, {"forward": forward}):
        yield


@contextmanager
def _without_rounding(module: nn.Module) -> Iterator[None]:
    hooks = dict(module._forward_pre_hooks)
    detach(module)
    try:
        yield
    finally:
        module._forward_pre_hooks.update(hooks)


@contextmanager
def _stand_in(
    module: nn.Module, leaf: str, buffers: Mapping[str, Tensor], changes: Mapping[str, Any]
) -> Iterator[None]:
    """The module without its parameter ``leaf``, with other buffers and a class of its own."""
    parameter = module._parameters.pop(leaf)
    for name, buffer in buffers.items():
        module.register_buffer(name, buffer)
    try:
        with _of_class(module, changes):
            yield
    finally:
        for name in buffers:
            del module._buffers[name]
        module.register_parameter(leaf, parameter)


@contextmanager
def _of_class(module: nn.Module, changes: Mapping[str, Any]) -> Iterator[None]:
    """The module with other methods and properties."""
    kind = type(module)
    module.__class__ = type(kind.__name__, (kind,), dict(changes))
    try:
        yield
    finally:
        module.__class__ = kind
