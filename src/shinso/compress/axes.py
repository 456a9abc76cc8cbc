"""Which axes of a network's inputs may have any size: asked of the network itself.

An exporter's word is not enough, since a trace can freeze an axis and still call it free. So the
network is run at other sizes; where it answers, the axis is free and the export must follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from shinso.compress.calls import Call, is_lengths

BATCH = "batch"


@dataclass(frozen=True)
class Axes:
    """names: input -> for each of its axes the name of its size, or None where it is fixed.

    Axes of one name are of one size: ``batch``, then ``size_1``, ``size_2``, ….
    """

    names: Mapping[str, tuple[str | None, ...]]

    @property
    def free(self) -> list[str]:
        """The names of all sizes that may change, batch first."""
        found = {name for axes in self.names.values() for name in axes if name}
        return sorted(found, key=lambda name: (name != BATCH, name))

    def sizes(self, call: Call) -> dict[str, int]:
        """The size of each free axis in a call."""
        return {
            name: call.inputs[given].shape[place]
            for given, axes in self.names.items()
            for place, name in enumerate(axes)
            if name
        }

    def resized(self, call: Call, sizes: Mapping[str, int]) -> Call:
        """The call with other sizes: entries are repeated or left out, lengths follow."""
        inputs = {}
        for given, value in call.inputs.items():
            resized = value
            for place, name in enumerate(self.names[given]):
                if name is not None and name in sizes:
                    rows = torch.arange(sizes[name]) % value.shape[place]
                    resized = resized.index_select(place, rows)
            inputs[given] = resized
        for given, value in call.inputs.items():
            if is_lengths(given, value):
                inputs[given] = self._lengths(given, call, inputs)
        return Call(inputs, call.constants)

    def _lengths(self, given: str, call: Call, inputs: Mapping[str, Tensor]) -> Tensor:
        """Lengths in proportion; the greatest is again the whole axis that they belong to."""
        old, new = call.inputs[given], inputs[given]
        belongs = [
            (whole.shape[1], inputs[name].shape[1])
            for name, whole in sorted(call.inputs.items(), key=lambda i: not _kin(i[0], given))
            if whole.dim() > 1 and whole.shape[1] == int(old.max())
        ]
        if not belongs:
            return new
        before, after = belongs[0]
        scaled = (new.double() * after / before).round().long().clamp(1, after)
        scaled[scaled.argmax()] = after
        return scaled.to(old.dtype)


def _kin(name: str, lengths: str) -> bool:
    """Whether ``source_lengths`` speaks of ``source``."""
    return lengths.startswith(name)


def find(model: nn.Module, calls: Sequence[Call]) -> Axes:
    """The free axes of a network, from calls of it that went well.

    The first axis of the first input is the batch. Other axes that had the same sizes in all calls
    go together. An axis is free if the network answers when it is longer and when it is shorter,
    or, as far as it goes, at two shorter sizes.
    """
    call = calls[0]
    groups: dict[tuple[int, ...], list[tuple[str, int]]] = {}
    for given, value in call.inputs.items():
        for place in range(value.dim()):
            if place == 0 and len(value) == call.rows:
                continue
            key = tuple(c.inputs[given].shape[place] for c in calls)
            groups.setdefault(key, []).append((given, place))
    names: dict[str, list[str | None]] = {
        given: [
            BATCH if place == 0 and len(value) == call.rows else None
            for place in range(value.dim())
        ]
        for given, value in call.inputs.items()
    }
    waiting = list(groups.items())
    number = 1
    while waiting:
        key, members = waiting.pop(0)
        trial = {given: list(axes) for given, axes in names.items()}
        for given, place in members:
            trial[given][place] = f"size_{number}"
        axes = Axes({given: tuple(one) for given, one in trial.items()})
        if any(
            all(answers(model, axes.resized(call, {f"size_{number}": one})) for one in others)
            for others in _other_sizes(key[0])
        ):
            names, number = trial, number + 1
        elif len(members) > 1:  # of one size by chance: eight steps of eight channels
            waiting += [(key, [member]) for member in members]
    return Axes({given: tuple(one) for given, one in names.items()})


def _other_sizes(size: int) -> list[set[int]]:
    """Sizes at which a network whose axis is free answers: longer and shorter; or two shorter ones,
    where this one is as long as its learnt positions allow. A size of 1 alone would say nothing, as it
    fits to all."""
    both = {size + 3, max(1, size - 2)} - {size}
    return [both, {size - 1, size - 2}] if size > 3 else [both]


def answers(model: nn.Module, call: Call) -> bool:
    """Whether the network takes the call."""
    try:
        with torch.no_grad():
            call.of(model)
    except (RuntimeError, ValueError, IndexError, AssertionError, TypeError):
        return False
    return True


def unseen(axes: Axes, seen: Mapping[str, int]) -> list[dict[str, int]]:
    """Sizes that the export did not see: one and many of everything, and each axis alone."""
    lone = dict.fromkeys(axes.free, 1)
    larger = {name: seen[name] + 4 for name in axes.free}
    smaller = {name: max(2, seen[name] - 1) for name in axes.free}
    each = [{**seen, name: seen[name] + 2} for name in axes.free]
    found = [lone, larger, smaller, *each]
    return [dict(one) for one in {tuple(sorted(one.items())): one for one in found}.values()]
