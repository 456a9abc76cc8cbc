"""Which channels of which weights belong together, traced through the network's own graph.

A channel can only be removed everywhere at once: row j of one layer's weight, entry j of its bias
and of the normalization behind it, column j of every layer that reads it, and the same j of whatever
is added to it. The network is exported (``export.program``), each axis of each tensor in its graph
carries a label for each of its entries, and every operation says which labels are one. Labels that
meet something that is not understood here, the network's inputs or its answers, are held: they
stay. (Fang et al. 2023, "DepGraph", solve the same by rules for modules.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx.node import map_arg

from shinso.compress.axes import Axes
from shinso.compress.calls import Call
from shinso.compress.dependency_rules import CONSTANTS, MANY, RULES, SIZES
from shinso.compress.export import program
from shinso.compress.labels import HELD, Unions, Value

Place = tuple[str, int, int]
"""A parameter or buffer, its axis, an entry of that axis."""


@dataclass
class Group:
    """Channels that were traced together: the weights' axes that hold them, and for each channel
    all places that go with it."""

    axes: frozenset[tuple[str, int]]
    channels: list[list[Place]] = field(default_factory=list)


def groups(model: nn.Module, call: Call) -> list[Group]:
    """All groups of channels that may be removed. Raises RunFault EXPORT-REFUSED for a network
    whose graph cannot be had."""
    fixed = Axes({name: (None,) * one.dim() for name, one in call.inputs.items()})
    exported = program(model, call, fixed)
    tracer = _Tracer(exported)
    tracer.run()
    tracer.join_tied(model)
    places: dict[int, list[Place]] = {}
    for name, value in tracer.held_by_name.items():
        for axis, labels in enumerate(value.labels):
            for entry, label in enumerate([] if labels is None else labels.tolist()):
                root = tracer.unions.root(label)
                if root != HELD:
                    places.setdefault(root, []).append((name, axis, entry))
    found: dict[frozenset[tuple[str, int]], Group] = {}
    for members in places.values():
        axes = frozenset((name, axis) for name, axis, _ in members)
        found.setdefault(axes, Group(axes)).channels.append(members)
    return [group for group in found.values() if len(group.channels) > 1]


class _Tracer:
    """Walks the graph once, from the inputs to the answers."""

    def __init__(self, exported: torch.export.ExportedProgram) -> None:
        self.exported, self.unions = exported, Unions()
        self.values: dict[torch.fx.Node, Any] = {}
        self.held_by_name: dict[str, Value] = {}

    def run(self) -> None:
        signature = self.exported.graph_signature
        named = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        for node in self.exported.graph.nodes:
            if node.op == "placeholder":
                self.values[node] = self._begin(node, named.get(node.name))
            elif node.op == "call_function":
                self.values[node] = self._call(node)
            elif node.op == "output":
                for one in node.all_input_nodes:
                    self._hold(self.values.get(one))

    def _begin(self, node: torch.fx.Node, name: str | None) -> Value | None:
        found = node.meta.get("val")
        if not isinstance(found, Tensor):
            return None
        shape = tuple(int(size) for size in found.shape)
        if name is None:
            return Value(shape, tuple(np.zeros(size, int) for size in shape))
        # A buffer of one axis is a running mean; of more, a table with a meaning of its own.
        labels = tuple(self.unions.fresh(size) for size in shape)
        value = Value(shape, labels)
        if not node.users:
            # A layer that is asked outside the call, as the one that scores words is by its loss:
            # what its rows stand for is not seen here.
            self._hold(value)
        self.held_by_name[name.removeprefix("model.")] = value
        return value

    def join_tied(self, model: nn.Module) -> None:
        """Names of one tensor have the same channels; where the graph knows only some of them, what
        the others are read by is not seen, and the tensor stays."""
        tied: dict[int, list[str]] = {}
        for name, one in model.state_dict(keep_vars=True).items():
            tied.setdefault(id(one), []).append(name)
        for names in tied.values():
            known = [self.held_by_name[name] for name in names if name in self.held_by_name]
            for value in known:
                for ours, theirs in zip(known[0].labels, value.labels, strict=True):
                    self.unions.meet(ours, theirs)
                if len(known) < len(names):
                    self._hold(value)

    def _hold(self, value: Any) -> None:
        if isinstance(value, Value):
            for labels in value.labels:
                if labels is not None:
                    self.unions.hold(labels)
        elif isinstance(value, list | tuple):
            for one in value:
                self._hold(one)

    def _call(self, node: torch.fx.Node) -> Any:
        target = str(getattr(node.target, "__name__", node.target))
        name = target.split(".")[0]
        given: Any = map_arg(node.args, lambda one: self.values.get(one))
        named: Any = map_arg(node.kwargs, lambda one: self.values.get(one))
        found = node.meta.get("val")
        if name == "getitem":
            return given[0][given[1]] if isinstance(given[0], list | tuple) else None
        rule = RULES.get(name)
        if rule is not None and not named and not isinstance(found, list | tuple):
            answer = rule(self.unions, given, _shape(found))
            if answer is not None:
                return answer
        if name in MANY:
            answer = MANY[name](self.unions, given, [_shape(one) for one in found])  # type: ignore[union-attr]
            if answer is not None:
                return answer
        if name in CONSTANTS and isinstance(found, Tensor):
            return Value(_shape(found), (None,) * found.dim())
        if name in SIZES:
            return None
        self._hold(list(given) + list(named.values()))
        return _held(found)


def _shape(found: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in found.shape) if isinstance(found, Tensor) else ()


def _held(found: Any) -> Any:
    if isinstance(found, list | tuple):
        return [_held(one) for one in found]
    shape = _shape(found)
    return Value(shape, tuple(np.zeros(size, int) for size in shape))
