"""Normalizations folded into the convolutions before them, for the time of an export.

An integer kernel takes its input's and its weight's whole numbers and gives whole numbers: nothing
may stand between a convolution and the next rounding but an activation. A batch normalization in
use multiplies each channel by γ/√(σ² + ε) and adds a shift; the factor goes into the scale of the
channel's 8-bit weights, whose numbers stay what they are, and the shift into the bias (Jacob et al.
2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from shinso.compress.calls import Call
from shinso.models.inference import affine, folded
from shinso.nn.norm import BatchNorm

Numbers = Mapping[str, tuple[Tensor, Tensor, Tensor]]


def pairs(model: nn.Module, call: Call) -> dict[str, BatchNorm]:
    """Name of a convolution -> the normalization that reads what it answers, where each works once
    in a call. That nothing else reads it cannot be seen; the comparison after an export shows it."""
    made: dict[int, str] = {}
    kept: list[Tensor] = []  # so that no answer's place in memory is given to another
    found: dict[str, BatchNorm] = {}
    worked: dict[nn.Module, int] = {}

    def after(name: str):
        def hook(module: nn.Module, _given: object, answer: Tensor) -> None:
            worked[module] = worked.get(module, 0) + 1
            made[id(answer)] = name
            kept.append(answer)

        return hook

    def before(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(module, BatchNorm)
        worked[module] = worked.get(module, 0) + 1
        if id(given[0]) in made:
            found[made[id(given[0])]] = module

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(after(name)))
        elif isinstance(module, BatchNorm):
            handles.append(module.register_forward_pre_hook(before))
    try:
        with torch.no_grad():
            call.of(model)
    finally:
        for handle in handles:
            handle.remove()
    once = {module for module, times in worked.items() if times == 1}
    return {
        name: norm
        for name, norm in found.items()
        if norm in once and model.get_submodule(name) in once
    }


@contextmanager
def folded_norms(model: nn.Module, call: Call, numbers: Numbers) -> Iterator[Numbers]:
    """Within, normalizations behind convolutions do nothing and the convolutions do their part;
    gives ``numbers`` (as ``packing.whole_numbers``) with the scales that go with that."""
    scales = dict(numbers)
    undo: list[tuple[nn.Conv2d, Tensor | None, Tensor, BatchNorm]] = []
    try:
        for name, norm in pairs(model.eval(), call).items():
            conv = model.get_submodule(name)
            assert isinstance(conv, nn.Conv2d)
            weight, bias = folded(conv, norm)
            undo.append((conv, conv.bias, conv.weight.data, norm))
            conv.weight.data = weight
            conv.bias = nn.Parameter(bias)
            norm.forward = _passed
            if f"{name}.weight" in scales:
                whole, scale, zero = scales[f"{name}.weight"]
                factor = affine(norm)[0].float()
                # A negative factor turns the numbers around; −128 is not used by symmetric grids.
                signs = factor.sign().view(-1, *[1] * (whole.dim() - 1)).to(whole.dtype)
                flipped = whole if zero.any() else whole * signs
                scales[f"{name}.weight"] = (flipped, scale * factor.abs().clamp(min=1e-20), zero)
        yield scales
    finally:
        for conv, bias, weight, norm in undo:
            conv.weight.data = weight
            conv.bias = bias  # pyright: ignore[reportAttributeAccessIssue]
            del norm.forward


def _passed(x: Tensor) -> Tensor:
    """A normalization whose work another layer does."""
    return x
