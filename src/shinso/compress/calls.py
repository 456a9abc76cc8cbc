"""Real calls of a network: what it is exported with, calibrated with and traced with.

A network's inputs are known from its use. What was passed in is recorded, cut to a few rows and
kept in the run, so that a run can be exported where its data is not.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from shinso.runs.files import read_json, write_atomically, write_json

ROWS = 8
"""Samples of a call that are kept in a run."""


@dataclass(frozen=True)
class Call:
    """The arguments of one call by name. constants: those that are no tensors (None, a flag)."""

    inputs: Mapping[str, Tensor]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def of(self, model: nn.Module) -> Any:
        """What the model answers."""
        return model(**self.inputs, **self.constants)

    @property
    def rows(self) -> int:
        """The size of the batch, the first axis of the first input."""
        return len(next(iter(self.inputs.values())))

    def taking(self, rows: Sequence[int]) -> Call:
        """The samples ``rows``, of every input that has one for each sample."""
        chosen = torch.tensor(rows)
        return Call(
            {
                name: one[chosen.to(one.device)] if one.dim() and len(one) == self.rows else one
                for name, one in self.inputs.items()
            },
            self.constants,
        )


@dataclass
class Recording:
    """The calls of a network. unknown: why the last one could not be kept, empty where it was."""

    calls: list[Call] = field(default_factory=list)
    unknown: str = ""


@contextmanager
def recorded(model: nn.Module, *, most: int = 16) -> Iterator[Recording]:
    """Collects the calls made of ``model`` within, the first ``most`` of them, on the CPU.

    A call whose arguments are not all tensors and plain constants cannot be kept."""
    found = Recording()
    names = list(inspect.signature(model.forward).parameters)
    dtype = next((one.dtype for one in model.parameters() if one.is_floating_point()), None)

    def before(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if len(found.calls) < most:
            call = _call(dict(zip(names, given, strict=False)) | named, dtype)
            if isinstance(call, str):
                found.unknown = call
            else:
                found.calls.append(call)

    handle = model.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


def _call(arguments: Mapping[str, Any], dtype: torch.dtype | None) -> Call | str:
    """The call, or why it cannot be kept. dtype: of the network's weights; a copy that computes in
    half precision is asked in that, and brings the hook with it."""
    tensors = {
        name: value.detach().cpu().to(dtype if value.is_floating_point() else value.dtype)
        for name, value in arguments.items()
        if isinstance(value, Tensor)
    }
    others = {n: v for n, v in arguments.items() if not isinstance(v, Tensor)}
    for name, value in others.items():
        if not isinstance(value, bool | int | float | str | None):
            return f"{name} is a {type(value).__name__}"
    if not tensors:
        return "no argument is a tensor"
    return Call(tensors, others)


def few(calls: Sequence[Call]) -> list[Call]:
    """Two calls of different shape where there are such, each cut to ``ROWS`` samples.

    Among the rows is the one with the greatest length, for which the padding was made.
    """
    if not calls:
        return []
    first = calls[0]
    tails = [{name: one.shape[1:] for name, one in call.inputs.items()} for call in calls]
    second = next((c for c, tail in zip(calls, tails, strict=True) if tail != tails[0]), None)
    return [_cut(call) for call in (first, second) if call is not None]


def _cut(call: Call) -> Call:
    rows = list(range(min(ROWS, call.rows)))
    for name, one in call.inputs.items():
        if is_lengths(name, one) and (longest := int(one.argmax())) not in rows:
            rows[-1] = longest
    return call.taking(rows)


def is_lengths(name: str, value: Tensor) -> bool:
    """Whether an input says how long each sample is: a whole number each, named so."""
    return "length" in name and value.dim() == 1 and not value.is_floating_point()


def keep(folder: Path, calls: Sequence[Call]) -> None:
    """Write ``few`` calls below a run's ``assets``; nothing where there are none."""
    kept = few(calls)
    if not kept:
        return
    tensors = {
        f"{number}.{name}": one.contiguous().clone()
        for number, call in enumerate(kept)
        for name, one in call.inputs.items()
    }
    write_atomically(folder / "inputs.safetensors", save(tensors))
    write_json(folder / "inputs.json", [dict(call.constants) for call in kept])


def kept(folder: Path) -> list[Call]:
    """The calls that ``keep`` wrote; none where there are no files."""
    if not (folder / "inputs.json").exists():
        return []
    tensors = load((folder / "inputs.safetensors").read_bytes())
    calls = []
    for number, constants in enumerate(read_json(folder / "inputs.json")):
        inputs = {
            name.partition(".")[2]: one
            for name, one in tensors.items()
            if name.partition(".")[0] == str(number)
        }
        calls.append(Call(inputs, constants))
    return calls
