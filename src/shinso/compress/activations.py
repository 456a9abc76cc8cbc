"""What layers read, rounded to a grid of whole numbers, as an integer kernel reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from shinso.compress.calls import Call
from shinso.compress.packing import SIGN
from shinso.compress.quantizers import Calibration, Quantizer, of_activations
from shinso.nn.joints import Addition, PaddedShortcut, PositionMean

PREFIX = "activation."
KEPT = 200_000
"""Values of each layer's input that calibration looks at."""


def reading_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers whose inputs are rounded: those with integer kernels in every runtime."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, Addition, PaddedShortcut, PositionMean)
    return {name: one for name, one in model.named_modules() if isinstance(one, kinds)}


def place_of(layer: str, number: int) -> str:
    """What an input of a layer is called: ``conv1``, or ``add/1`` for a second one."""
    return f"{layer}/{number}" if number else layer


class Rounding:
    """A hook that rounds a layer's first inputs but those that have no quantizer.

    in_onnx: leave it to an operator that the exporter turns into QuantizeLinear.
    """

    def __init__(self, quantizers: Sequence[Quantizer | None]) -> None:
        self.quantizers = quantizers
        self.in_onnx = False

    def __call__(self, module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rounded = map(self._rounded, given, self.quantizers)
        return (*rounded, *given[len(self.quantizers) :])

    def _rounded(self, x: Tensor, quantizer: Quantizer | None) -> Tensor:
        if quantizer is None:
            return x
        if self.in_onnx:
            from shinso.compress import integer_op

            return integer_op.rounded(x, float(quantizer.scale), int(quantizer.zero_point))
        if torch.is_grad_enabled():
            return quantizer.straight_through(x)
        return quantizer.rounded(x)


def attach(model: nn.Module, quantizers: Mapping[str, Quantizer]) -> None:
    """From now on the layers named read rounded numbers."""
    for name, layer in reading_layers(model).items():
        there = [quantizers.get(place_of(name, number)) for number in range(2)]
        if any(there):
            layer.register_forward_pre_hook(Rounding(there))


def detach(model: nn.Module) -> None:
    """The layers read what they are given again."""
    for module in model.modules():
        hooks = module._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if isinstance(hook, Rounding)]:
            del hooks[key]


def attached(model: nn.Module) -> dict[str, Rounding]:
    """The roundings of a network by the layer that they belong to."""
    return {
        name: hook
        for name, module in model.named_modules()
        for hook in module._forward_pre_hooks.values()
        if isinstance(hook, Rounding)
    }


def calibrate(
    model: nn.Module, calls: Iterable[Call], *, calibration: Calibration = "minmax", bits: int = 8
) -> dict[str, Quantizer]:
    """A quantizer for each input of a reading layer that the calls reach, from what it read. What
    several layers read is rounded once: they have the quantizer of the first. What a padded
    shortcut answers is on the grid of what it read, and is not rounded again."""
    layers = reading_layers(model)
    heard: dict[str, list[Tensor]] = {}
    first: dict[str, str] = {}
    readers: dict[int, tuple[str, Tensor]] = {}  # within a call: who read a tensor first, and it
    on_a_grid: dict[int, Tensor] = {}  # within a call: what needs no rounding
    generator = torch.Generator().manual_seed(0)

    def some(flat: Tensor) -> Tensor:
        ends = torch.stack([flat.min(), flat.max()])
        if len(flat) > KEPT // 8:
            flat = flat[torch.randint(len(flat), (KEPT // 8,), generator=generator)]
        return torch.cat([flat, ends])

    def listen(name: str) -> Any:
        def hook(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            for number, one in enumerate(given):
                if id(one) in on_a_grid:
                    continue
                place = place_of(name, number)
                first[place] = readers.setdefault(id(one), (place, one))[0]
                if first[place] == place:
                    heard.setdefault(place, []).append(some(one.detach().flatten().cpu()))

        return hook

    def keep(_module: nn.Module, _given: Any, answer: Tensor) -> None:
        on_a_grid[id(answer)] = answer

    handles = [one.register_forward_pre_hook(listen(name)) for name, one in layers.items()]
    handles += [
        one.register_forward_hook(keep)
        for one in layers.values()
        if isinstance(one, PaddedShortcut)
    ]
    try:
        with torch.no_grad():
            for call in calls:
                call.of(model)
                readers.clear()
                on_a_grid.clear()
    finally:
        for handle in handles:
            handle.remove()
    found = {
        place: of_activations(values, bits, calibration=calibration)
        for place, values in heard.items()
    }
    return {place: found[one] for place, one in first.items()}


def to_file(quantizers: Mapping[str, Quantizer]) -> dict[str, Tensor]:
    """The quantizers as tensors of a weights file."""
    file = {}
    for name, one in quantizers.items():
        file[f"{PREFIX}{name}{SIGN}scale"] = one.scale.float().cpu().clone()
        file[f"{PREFIX}{name}{SIGN}zero"] = one.zero_point.to(torch.int32).cpu().clone()
    return file


def from_file(file: Mapping[str, Tensor]) -> dict[str, Quantizer]:
    """The quantizers of a weights file."""
    found = {}
    for key, scale in file.items():
        if key.startswith(PREFIX) and key.endswith(f"{SIGN}scale"):
            name = key.removeprefix(PREFIX).removesuffix(f"{SIGN}scale")
            zero = file[f"{PREFIX}{name}{SIGN}zero"]
            found[name] = Quantizer(scale, zero, 0, 255)
    return found


@contextmanager
def for_onnx(model: nn.Module) -> Iterator[None]:
    """Within, roundings are operators that the exporter knows."""
    found: Sequence[Rounding] = list(attached(model).values())
    for one in found:
        one.in_onnx = True
    try:
        yield
    finally:
        for one in found:
            one.in_onnx = False
