"""Which channels of which weights belong together, traced through the network's own graph.

A channel can only be removed everywhere at once: row j of one layer's weight, entry j of its bias
and of the normalization behind it, column j of every layer that reads it, and the same j of whatever
is added to it. The network is exported (``export.program``), each axis of each tensor in its graph
carries a label for each of its entries, and every operation says which labels are one. Labels that
meet something that is not understood here, the network's inputs or its answers, are held: they
stay. (Fang et al. 2023, "DepGraph", solve the same by rules for modules.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from shinso.compress.axes import Axes
from shinso.compress.calls import Call
from shinso.compress.export import program

Labels = np.ndarray
Held = 0
Place = tuple[str, int, int]
"""A parameter or buffer, its axis, an entry of that axis."""


class Unions:
    """Labels that are found to be one, by union–find; label 0 holds what joins it."""

    def __init__(self) -> None:
        self.parent = [Held]

    def fresh(self, count: int) -> Labels:
        first = len(self.parent)
        self.parent += range(first, first + count)
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        while self.parent[label] != label:
            self.parent[label] = self.parent[self.parent[label]]
            label = self.parent[label]
        return label

    def join(self, ours: Labels, theirs: Labels) -> None:
        for one, other in zip(ours.tolist(), theirs.tolist(), strict=True):
            first, second = sorted((self.root(one), self.root(other)))
            self.parent[second] = first

    def hold(self, labels: Labels) -> None:
        self.join(labels, np.full(len(labels), Held))


@dataclass(frozen=True)
class Value:
    """A tensor in the graph. labels: of each axis, an entry a label, or None for an axis that has
    none of its own (batch, time, pixels, constants)."""

    shape: tuple[int, ...]
    labels: tuple[Labels | None, ...]


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
    places: dict[int, list[Place]] = {}
    for name, value in tracer.held_by_name.items():
        for axis, labels in enumerate(value.labels):
            for entry, label in enumerate([] if labels is None else labels.tolist()):
                root = tracer.unions.root(label)
                if root != Held:
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
        self.held_by_name[name.removeprefix("model.")] = value
        return value

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
        given = torch.fx.node.map_arg(node.args, lambda one: self.values.get(one))
        named = torch.fx.node.map_arg(node.kwargs, lambda one: self.values.get(one))
        found = node.meta.get("val")
        if name == "getitem":
            return given[0][given[1]] if isinstance(given[0], list | tuple) else None
        rule = RULES.get(name)
        if rule is not None and not named and not isinstance(found, list | tuple):
            answer = rule(self, given, _shape(found))
            if answer is not None:
                return answer
        if name in MANY:
            answer = MANY[name](self, given, [_shape(one) for one in found])  # type: ignore[union-attr]
            if answer is not None:
                return answer
        if name in CONSTANTS and isinstance(found, Tensor):
            return Value(_shape(found), (None,) * found.dim())
        if name in SIZES:
            return None
        self._hold(list(given) + list(named.values()))
        return _held(found)

    def product(self, parts: Sequence[Labels | None], sizes: Sequence[int]) -> Labels | None:
        """Labels of an axis made of several, the last running fastest."""
        real = [place for place, one in enumerate(parts) if one is not None and sizes[place] > 1]
        if not real:
            return None if all(one is None for one in parts) else np.zeros(math.prod(sizes), int)
        if len(real) > 1:
            for place in real:
                self.unions.hold(parts[place])  # type: ignore[arg-type]
            return np.zeros(math.prod(sizes), int)
        shape = [1] * len(sizes)
        shape[real[0]] = sizes[real[0]]
        return np.broadcast_to(parts[real[0]].reshape(shape), sizes).reshape(-1)  # type: ignore[union-attr]

    def meet(self, ours: Labels | None, theirs: Labels | None) -> Labels | None:
        """Two axes of equal size that go together; one without labels takes the other's."""
        if ours is None or theirs is None:
            return theirs if ours is None else ours
        self.unions.join(ours, theirs)
        return ours


def _shape(found: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in found.shape) if isinstance(found, Tensor) else ()


def _held(found: Any) -> Any:
    if isinstance(found, list | tuple):
        return [_held(one) for one in found]
    shape = _shape(found)
    return Value(shape, tuple(np.zeros(size, int) for size in shape))


def _same(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    return given[0] if given[0] is not None and given[0].shape == shape else None


def _linear(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, weight = given[0], given[1]
    _contract(tracer, x.labels[-1], weight.labels[1])
    if len(given) > 2 and given[2] is not None:
        tracer.meet(weight.labels[0], given[2].labels[0])
    return Value(shape, (*x.labels[:-1], weight.labels[0]))


def _contract(tracer: _Tracer, read: Labels | None, column: Labels | None) -> None:
    """What is read and the weight's axis that reads it; what has no label cannot be removed."""
    if read is None and column is not None:
        tracer.unions.hold(column)
    else:
        tracer.meet(read, column)


def _conv(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    x, weight = given[0], given[1]
    num_groups = given[6] if len(given) > 6 else 1
    rows = weight.labels[0]
    if num_groups == 1:
        _contract(tracer, x.labels[1], weight.labels[1])
    elif num_groups == x.shape[1] and x.labels[1] is not None:  # depthwise
        tracer.meet(rows, np.repeat(x.labels[1], weight.shape[0] // num_groups))
        tracer.unions.hold(weight.labels[1])
    else:
        return None
    for axis in weight.labels[2:]:
        tracer.unions.hold(axis)
    if len(given) > 2 and given[2] is not None:
        tracer.meet(rows, given[2].labels[0])
    return Value(shape, (x.labels[0], rows, *[None] * (len(shape) - 2)))


def _batch_norm(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    labels = x.labels[1]
    for one in given[1:5]:
        if one is not None:
            labels = tracer.meet(labels, one.labels[0])
    return Value(shape, (x.labels[0], labels, *x.labels[2:]))


def _layer_norm(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    x, over = given[0], given[1]
    if len(over) != 1:
        return None
    labels = x.labels[-1]
    for one in given[2:4]:
        if isinstance(one, Value):
            labels = tracer.meet(labels, one.labels[0])
    return Value(shape, (*x.labels[:-1], labels))


def _together(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Two tensors entry by entry, axes of size 1 spread."""
    tensors = [one for one in given if isinstance(one, Value)]
    labels: list[Labels | None] = []
    for place, size in enumerate(shape):
        found: Labels | None = None
        for one in tensors:
            own = place - (len(shape) - len(one.shape))
            if own >= 0 and one.shape[own] == size:
                found = tracer.meet(found, one.labels[own])
        labels.append(found)
    return Value(shape, tuple(labels))


def _embedding(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    weight = given[0]
    tracer.unions.hold(weight.labels[0])
    return Value(shape, (*[None] * (len(shape) - 1), weight.labels[1]))


def _reshape(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Axes joined or split where their sizes allow to say which belong together."""
    x = given[0]
    labels: list[Labels | None] = []
    own, new = 0, 0
    while own < len(x.shape) or new < len(shape):
        ours, theirs = [own], [new]
        left = x.shape[own] if own < len(x.shape) else 1
        right = shape[new] if new < len(shape) else 1
        while left != right:
            if left < right:
                ours.append(ours[-1] + 1)
                left *= x.shape[ours[-1]]
            else:
                theirs.append(theirs[-1] + 1)
                right *= shape[theirs[-1]]
        own, new = ours[-1] + 1, theirs[-1] + 1
        ours = [place for place in ours if place < len(x.shape)]
        theirs = [place for place in theirs if place < len(shape)]
        whole = tracer.product([x.labels[p] for p in ours], [x.shape[p] for p in ours])
        labels += _split(tracer, whole, [shape[place] for place in theirs])
    return Value(shape, tuple(labels))


def _split(tracer: _Tracer, whole: Labels | None, sizes: Sequence[int]) -> list[Labels | None]:
    """One axis as several: the one along which the labels differ keeps them."""
    if whole is None or not sizes:
        return [None] * len(sizes)
    if len(sizes) == 1:
        return [whole]
    shaped = whole.reshape(tuple(sizes))
    for axis, size in enumerate(sizes):
        line = np.moveaxis(shaped, axis, 0).reshape(size, -1)
        if (line == line[:, :1]).all():
            return [line[:, 0] if place == axis else None for place in range(len(sizes))]
    tracer.unions.hold(whole)
    return [np.zeros(size, int) for size in sizes]


def _permute(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, order = given[0], given[1]
    return Value(shape, tuple(x.labels[place] for place in order))


def _transpose(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    labels = list(given[0].labels)
    one, other = given[1], given[2]
    labels[one], labels[other] = labels[other], labels[one]
    return Value(shape, tuple(labels))


def _expand(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    added = len(shape) - len(x.shape)
    kept = [
        labels if x.shape[place] == shape[added + place] else None
        for place, labels in enumerate(x.labels)
    ]
    return Value(shape, (*[None] * added, *kept))


def _repeat(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, times = given[0], given[1]
    added = len(shape) - len(x.shape)
    labels: list[Labels | None] = [None] * added
    for place, one in enumerate(x.labels):
        if one is not None and times[added + place] != 1:
            one = np.tile(one, times[added + place])
        labels.append(one)
    return Value(shape, tuple(labels))


def _unsqueeze(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    labels = list(given[0].labels)
    labels.insert(given[1] % len(shape), None)
    return Value(shape, tuple(labels))


def _fewer(_tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """A mean, a sum, a greatest value over some axes, or one entry of an axis."""
    x, over = given[0], given[1] if len(given) > 1 else None
    places = [over] if isinstance(over, int) else over
    if not isinstance(places, list | tuple):
        return None
    gone = {place % len(x.shape) for place in places}
    if len(shape) == len(x.shape):
        labels = [None if place in gone else one for place, one in enumerate(x.labels)]
    else:
        labels = [one for place, one in enumerate(x.labels) if place not in gone]
    return Value(shape, tuple(labels))


def _select(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, axis = given[0], given[1] % len(given[0].shape)
    if x.labels[axis] is not None:
        tracer.unions.hold(x.labels[axis])
    return Value(shape, tuple(one for place, one in enumerate(x.labels) if place != axis))


def _slice(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(x.shape)
    labels = list(x.labels)
    # Where a part is taken, its bounds are numbers in the code that pruning would not move.
    if x.shape[axis] != shape[axis]:
        if labels[axis] is not None:
            tracer.unions.hold(labels[axis])
        labels[axis] = None
    return Value(shape, tuple(labels))


def _pad(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Entries added at the ends of an axis are held: how many is a number in the code."""
    x, amounts = given[0], given[1]
    labels = list(x.labels)
    for number in range(len(amounts) // 2):
        axis = len(shape) - 1 - number
        before, after = amounts[2 * number], amounts[2 * number + 1]
        one = labels[axis]
        if (before or after) and one is not None:
            if before < 0 or after < 0:
                return None
            labels[axis] = np.concatenate([np.zeros(before, int), one, np.zeros(after, int)])
    return Value(shape, tuple(labels))


def _cat(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    parts = [one for one in given[0] if one is not None]
    axis = (given[1] if len(given) > 1 else 0) % len(shape)
    labels: list[Labels | None] = []
    for place in range(len(shape)):
        found: Labels | None = None
        if place == axis:
            if any(one.labels[place] is not None for one in parts):
                found = np.concatenate(
                    [
                        np.zeros(one.shape[place], int)
                        if one.labels[place] is None
                        else one.labels[place]
                        for one in parts
                    ]
                )
        else:
            for one in parts:
                found = tracer.meet(found, one.labels[place])
        labels.append(found)
    return Value(shape, tuple(labels))


def _stack(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    parts = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(shape)
    labels: list[Labels | None] = []
    for place in range(len(shape) - 1):
        found: Labels | None = None
        for one in parts:
            found = tracer.meet(found, one.labels[place])
        labels.append(found)
    labels.insert(axis, None)
    return Value(shape, tuple(labels))


def _recurrent(
    tracer: _Tracer, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> list[Value]:
    """Unit j: row j of each gate of both weights and biases, column j of the recurrent weight."""
    cell, x, _lengths, h_0, c_0, weight_ih, weight_hh, bias, peepholes = given
    gates = {"gru": 3, "lstm": 4}.get(cell, 1)
    unit = weight_hh.labels[2]
    _contract(tracer, x.labels[2], weight_ih.labels[2])
    for one, axis, count in (
        (weight_ih, 1, gates), (weight_hh, 1, gates), (bias, 1, 2 * gates),
        (h_0, 2, 1), (c_0, 2, 1), (peepholes, 2, 1),
    ):  # fmt: skip
        if one is not None and one.labels[axis] is not None:
            tracer.meet(np.tile(unit, count), one.labels[axis])
    directions = weight_hh.shape[0]
    y = Value(shapes[0], (x.labels[0], x.labels[1], np.tile(unit, directions)))
    state = Value(shapes[1], (None, x.labels[1], unit))
    return [y, state, Value(shapes[2], (None, x.labels[1], unit))]


def _unbind(
    tracer: _Tracer, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> list[Value]:
    """Each entry of an axis on its own; as many come out as there are, so none may go."""
    x = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(x.shape)
    if x.labels[axis] is not None:
        tracer.unions.hold(x.labels[axis])
    labels = tuple(one for place, one in enumerate(x.labels) if place != axis)
    return [Value(shape, labels) for shape in shapes]


def _chunks(
    tracer: _Tracer, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> list[Value] | None:
    """Equal parts of an axis without labels; with labels the parts would not stay equal."""
    x = given[0]
    axis = (given[2] if len(given) > 2 else 0) % len(x.shape)
    if x.labels[axis] is not None:
        return None
    return [Value(shape, x.labels) for shape in shapes]


Rule = Callable[[_Tracer, Sequence[Any], tuple[int, ...]], Value | None]
RULES: Mapping[str, Rule] = {
    "linear": _linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "embedding": _embedding,
    **dict.fromkeys(
        (
            *("relu", "relu_", "gelu", "silu", "silu_", "tanh", "sigmoid", "elu", "leaky_relu"),
            *("hardtanh", "hardtanh_", "hardswish", "hardswish_", "hardsigmoid", "dropout"),
            *("clamp", "clamp_min", "clone", "contiguous", "neg", "exp", "log", "sqrt", "rsqrt"),
            *("abs", "pow", "square", "alias", "detach", "to", "_to_copy", "log_softmax"),
            *("feature_dropout", "softplus", "mish"),
        ),
        _same,
    ),
    **dict.fromkeys(
        ("add", "add_", "sub", "mul", "mul_", "div", "maximum", "minimum", "where", "rsub"),
        _together,
    ),
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "_unsafe_view"), _reshape),
    "permute": _permute,
    "transpose": _transpose,
    "expand": _expand,
    "repeat": _repeat,
    "unsqueeze": _unsqueeze,
    **dict.fromkeys(("mean", "sum", "amax", "squeeze"), _fewer),
    "select": _select,
    "slice": _slice,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "cat": _cat,
    "stack": _stack,
    **dict.fromkeys(
        ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
        lambda _tracer, given, shape: Value(shape, (*given[0].labels[:2], None, None)),
    ),
    "masked_fill": lambda tracer, given, shape: _together(tracer, given[:2], shape),
    "index_select": lambda tracer, given, shape: _index_select(tracer, given, shape),
}
MANY: Mapping[str, Callable[..., Any]] = {
    "recurrent": _recurrent,
    "unbind": _unbind,
    "chunk": _chunks,
    "split": _chunks,
}
CONSTANTS = {
    *("zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like"),
    *("empty", "arange", "scalar_tensor", "lift_fresh_copy"),
}
SIZES = {"sym_size", "_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size"}


def _index_select(tracer: _Tracer, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Other entries of an axis that holds samples, not channels."""
    x, axis = given[0], given[1] % len(given[0].shape)
    one = x.labels[axis]
    if one is not None and any(tracer.unions.root(int(label)) != Held for label in one):
        return None
    labels = [None if place == axis else labels for place, labels in enumerate(x.labels)]
    return Value(shape, tuple(labels))
