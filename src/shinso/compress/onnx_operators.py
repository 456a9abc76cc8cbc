"""What shinso's own operators are in ONNX: RNN, GRU, LSTM, and whole numbers.

The exporter calls these with values of the graph that it builds; what they return is built into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from shinso.compress import integer_op  # noqa: F401  registers shinso::rounded and its like
from shinso.extras import need
from shinso.nn import recurrent_op  # noqa: F401  registers shinso::recurrent

GATES = {"tanh": (0,), "relu": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Torch's place of each of ONNX's gates: torch has r z n and i f g o, ONNX z r h and i o f c."""
OPSET = 20


def table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The translations, for ``torch.onnx.export``."""
    return {
        torch.ops.shinso.recurrent.default: _recurrent,
        torch.ops.shinso.rounded.default: _rounded,
        torch.ops.shinso.stored.default: _stored,
        torch.ops.shinso.integer_linear.default: _integer_linear,
        torch.ops.shinso.integer_padded_shortcut.default: _integer_padded_shortcut,
        torch.ops.shinso.integer_position_mean.default: _integer_position_mean,
    }


def _rounded(x: Any, scale: float, zero: int) -> Any:
    op = _operators()
    to = _grid(op, scale, zero)
    return op.DequantizeLinear(op.QuantizeLinear(x, *to), *to)


def _integer_padded_shortcut(
    x: Any, scale: float, zero: int, new_channels: int, stride: int
) -> Any:
    # Pad between DequantizeLinear and QuantizeLinear would be computed in floating point.
    op = _operators()
    to = _grid(op, scale, zero)

    def numbers(*values: int) -> Any:
        return op.Constant(value_ints=values)

    end = torch.iinfo(torch.int64).max
    kept = op.Slice(
        op.QuantizeLinear(x, *to), numbers(0, 0), numbers(end, end), numbers(2, 3),
        numbers(stride, stride),
    )  # fmt: skip
    return op.DequantizeLinear(op.Pad(kept, numbers(0, 0, 0, 0, 0, new_channels, 0, 0), to[1]), *to)


def _integer_position_mean(x: Any, scale: float, zero: int) -> Any:
    # Of ReduceMean onnxruntime has no integer kernel.
    op = _operators()
    return op.Squeeze(
        op.GlobalAveragePool(_rounded(x, scale, zero)), op.Constant(value_ints=[2, 3])
    )


def _grid(op: Any, scale: float, zero: int) -> tuple[Any, Any]:
    """Scale and zero point of unsigned 8-bit numbers."""
    zero_point = torch.tensor(zero, dtype=torch.uint8)
    return _constant(op, torch.tensor(scale)), _constant(op, zero_point)


def _integer_linear(
    x: Any, x_scale: float, x_zero: int, numbers: Any, scale: Any, bias: Any
) -> Any:
    # Not Gemm between QuantizeLinear and DequantizeLinear: onnxruntime has an integer kernel for that
    # only where the answer is rounded too, and else takes the weights apart again in every call.
    op = _operators()
    to = _grid(op, x_scale, x_zero)
    whole = op.MatMulInteger(op.QuantizeLinear(x, *to), numbers, to[1])
    y = op.Mul(op.Cast(whole, to=1), scale)  # float32
    return y if bias is None else op.Add(y, bias)


def _stored(numbers: Any, scale: Any) -> Any:
    # axis counts only where there is a scale for each row.
    return _operators().DequantizeLinear(numbers, scale, axis=0)


def _constant(op: Any, value: torch.Tensor) -> Any:
    return op.Constant(value=need("onnx").numpy_helper.from_array(value.numpy()))


def _recurrent(
    cell: str,
    x: Any,
    lengths: Any,
    h_0: Any,
    c_0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias: Any,
    peepholes: Any,
) -> Any:
    op = _operators()
    directions, _, hidden = weight_hh.shape
    order = GATES[cell]
    weights = [_reordered(op, part, order) for part in (weight_ih, weight_hh)]
    # Both biases lie behind each other, and each has the gates in torch's order.
    both = (*order, *(len(order) + place for place in order))
    shared = {
        "hidden_size": int(hidden),
        "direction": "bidirectional" if directions == 2 else "forward",
    }
    ends = None if lengths is None else op.Cast(lengths, to=6)  # int32
    given = (x, *weights, _reordered(op, bias, both), ends, h_0)
    if cell == "gru":
        y, h_n = op.GRU(*given, linear_before_reset=1, **shared)
        c_n = _nothing(op, h_n)
    elif cell == "lstm":
        # ONNX's peepholes are of the input, output and forget gate.
        peep = () if peepholes is None else (_peepholes(op, peepholes, (0, 2, 1)),)
        y, h_n, c_n = op.LSTM(*given, c_0, *peep, **shared)
    else:
        activations = ["Tanh" if cell == "tanh" else "Relu"] * int(directions)
        y, h_n = op.RNN(*given, activations=activations, **shared)
        c_n = _nothing(op, h_n)
    # ONNX's y is (time, direction, batch, hidden).
    joined = op.Reshape(
        op.Transpose(y, perm=[0, 2, 1, 3]), op.Constant(value_ints=[0, 0, int(directions * hidden)])
    )
    return joined, h_n, c_n


def _reordered(op: Any, value: Any, order: tuple[int, ...]) -> Any:
    """Axis 1 cut into as many equal parts as ``order`` has entries, put together in that order."""
    if len(order) == 1 or order == tuple(range(len(order))):
        return value
    size = int(value.shape[1]) // len(order)
    rows = [place * size + row for place in order for row in range(size)]
    return op.Gather(value, op.Constant(value_ints=rows), axis=1)


def _peepholes(op: Any, value: Any, order: tuple[int, ...]) -> Any:
    """(direction, 3, hidden) as ONNX's (direction, 3 · hidden)."""
    return op.Flatten(_reordered(op, value, order), axis=1)


def _nothing(op: Any, h_n: Any) -> Any:
    """The empty c_n of a cell that has none: a value of its own, since the exporter writes down
    the shape of each."""
    return op.Slice(h_n, op.Constant(value_ints=[0]), op.Constant(value_ints=[0]))


def _operators() -> Any:
    return getattr(need("onnxscript"), f"opset{OPSET}")
