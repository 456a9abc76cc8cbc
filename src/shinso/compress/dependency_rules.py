"""What each operator of the graph does to labels: which entries of its tensors go together.

A rule gets the labels of what the operator was given and the shape of what it gives, and answers
with the labels of that; None where it does not understand the case, which then is held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shinso.compress.labels import HELD, Labels, Unions, Value


def _same(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    return given[0] if given[0] is not None and given[0].shape == shape else None


def _linear(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, weight = given[0], given[1]
    _contract(unions, x.labels[-1], weight.labels[1])
    if len(given) > 2 and given[2] is not None:
        unions.meet(weight.labels[0], given[2].labels[0])
    return Value(shape, (*x.labels[:-1], weight.labels[0]))


def _contract(unions: Unions, read: Labels | None, column: Labels | None) -> None:
    """What is read and the weight's axis that reads it; what has no label cannot be removed."""
    if read is None and column is not None:
        unions.hold(column)
    else:
        unions.meet(read, column)


def _conv(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    x, weight = given[0], given[1]
    num_groups = given[6] if len(given) > 6 else 1
    rows = weight.labels[0]
    if num_groups == 1:
        _contract(unions, x.labels[1], weight.labels[1])
    elif num_groups == x.shape[1] and x.labels[1] is not None:  # depthwise
        unions.meet(rows, np.repeat(x.labels[1], weight.shape[0] // num_groups))
        unions.hold(weight.labels[1])
    else:
        return None
    for axis in weight.labels[2:]:
        unions.hold(axis)
    if len(given) > 2 and given[2] is not None:
        unions.meet(rows, given[2].labels[0])
    return Value(shape, (x.labels[0], rows, *[None] * (len(shape) - 2)))


def _batch_norm(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    labels = x.labels[1]
    for one in given[1:5]:
        if one is not None:
            labels = unions.meet(labels, one.labels[0])
    return Value(shape, (x.labels[0], labels, *x.labels[2:]))


def _layer_norm(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    x, over = given[0], given[1]
    if len(over) != 1:
        return None
    labels = x.labels[-1]
    for one in given[2:4]:
        if isinstance(one, Value):
            labels = unions.meet(labels, one.labels[0])
    return Value(shape, (*x.labels[:-1], labels))


def _together(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Two tensors entry by entry, axes of size 1 spread."""
    tensors = [one for one in given if isinstance(one, Value)]
    labels: list[Labels | None] = []
    for place, size in enumerate(shape):
        found: Labels | None = None
        for one in tensors:
            own = place - (len(shape) - len(one.shape))
            if own >= 0 and one.shape[own] == size:
                found = unions.meet(found, one.labels[own])
        labels.append(found)
    return Value(shape, tuple(labels))


def _embedding(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    weight = given[0]
    unions.hold(weight.labels[0])
    return Value(shape, (*[None] * (len(shape) - 1), weight.labels[1]))


def _reshape(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
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
        whole = unions.product([x.labels[p] for p in ours], [x.shape[p] for p in ours])
        labels += _split(unions, whole, [shape[place] for place in theirs])
    return Value(shape, tuple(labels))


def _split(unions: Unions, whole: Labels | None, sizes: Sequence[int]) -> list[Labels | None]:
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
    unions.hold(whole)
    return [np.zeros(size, int) for size in sizes]


def _permute(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, order = given[0], given[1]
    return Value(shape, tuple(x.labels[place] for place in order))


def _transpose(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    labels = list(given[0].labels)
    one, other = given[1], given[2]
    labels[one], labels[other] = labels[other], labels[one]
    return Value(shape, tuple(labels))


def _expand(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    added = len(shape) - len(x.shape)
    kept = [
        labels if x.shape[place] == shape[added + place] else None
        for place, labels in enumerate(x.labels)
    ]
    return Value(shape, (*[None] * added, *kept))


def _repeat(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, times = given[0], given[1]
    added = len(shape) - len(x.shape)
    labels: list[Labels | None] = [None] * added
    for place, one in enumerate(x.labels):
        if one is not None and times[added + place] != 1:
            one = np.tile(one, times[added + place])
        labels.append(one)
    return Value(shape, tuple(labels))


def _unsqueeze(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    labels = list(given[0].labels)
    labels.insert(given[1] % len(shape), None)
    return Value(shape, tuple(labels))


def _fewer(_unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
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


def _select(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x, axis = given[0], given[1] % len(given[0].shape)
    if x.labels[axis] is not None:
        unions.hold(x.labels[axis])
    return Value(shape, tuple(one for place, one in enumerate(x.labels) if place != axis))


def _slice(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    x = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(x.shape)
    labels = list(x.labels)
    # Where a part is taken, its bounds are numbers in the code that pruning would not move.
    if x.shape[axis] != shape[axis]:
        if labels[axis] is not None:
            unions.hold(labels[axis])
        labels[axis] = None
    return Value(shape, tuple(labels))


def _pad(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
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


def _cat(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
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
                found = unions.meet(found, one.labels[place])
        labels.append(found)
    return Value(shape, tuple(labels))


def _stack(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value:
    parts = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(shape)
    labels: list[Labels | None] = []
    for place in range(len(shape) - 1):
        found: Labels | None = None
        for one in parts:
            found = unions.meet(found, one.labels[place])
        labels.append(found)
    labels.insert(axis, None)
    return Value(shape, tuple(labels))


def _recurrent(
    unions: Unions, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> list[Value]:
    """Unit j: row j of each gate of both weights and biases, column j of the recurrent weight."""
    cell, x, _lengths, h_0, c_0, weight_ih, weight_hh, bias, peepholes = given
    gates = {"gru": 3, "lstm": 4}.get(cell, 1)
    unit = weight_hh.labels[2]
    _contract(unions, x.labels[2], weight_ih.labels[2])
    for one, axis, count in (
        (weight_ih, 1, gates), (weight_hh, 1, gates), (bias, 1, 2 * gates),
        (h_0, 2, 1), (c_0, 2, 1), (peepholes, 2, 1),
    ):  # fmt: skip
        if one is not None and one.labels[axis] is not None:
            unions.meet(np.tile(unit, count), one.labels[axis])
    directions = weight_hh.shape[0]
    y = Value(shapes[0], (x.labels[0], x.labels[1], np.tile(unit, directions)))
    state = Value(shapes[1], (None, x.labels[1], unit))
    return [y, state, Value(shapes[2], (None, x.labels[1], unit))]


def _unbind(unions: Unions, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> list[Value]:
    """Each entry of an axis on its own; as many come out as there are, so none may go."""
    x = given[0]
    axis = (given[1] if len(given) > 1 else 0) % len(x.shape)
    if x.labels[axis] is not None:
        unions.hold(x.labels[axis])
    labels = tuple(one for place, one in enumerate(x.labels) if place != axis)
    return [Value(shape, labels) for shape in shapes]


def _chunks(
    unions: Unions, given: Sequence[Any], shapes: Sequence[tuple[int, ...]]
) -> list[Value] | None:
    """Equal parts of an axis without labels; with labels the parts would not stay equal."""
    x = given[0]
    axis = (given[2] if len(given) > 2 else 0) % len(x.shape)
    if x.labels[axis] is not None:
        return None
    return [Value(shape, x.labels) for shape in shapes]


Rule = Callable[[Unions, Sequence[Any], tuple[int, ...]], Value | None]
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
        lambda _unions, given, shape: Value(shape, (*given[0].labels[:2], None, None)),
    ),
    "masked_fill": lambda unions, given, shape: _together(unions, given[:2], shape),
    "index_select": lambda unions, given, shape: _index_select(unions, given, shape),
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


def _index_select(unions: Unions, given: Sequence[Any], shape: tuple[int, ...]) -> Value | None:
    """Other entries of an axis that holds samples, not channels."""
    x, axis = given[0], given[1] % len(given[0].shape)
    one = x.labels[axis]
    if one is not None and any(unions.root(int(label)) != HELD for label in one):
        return None
    labels = [None if place == axis else labels for place, labels in enumerate(x.labels)]
    return Value(shape, tuple(labels))
