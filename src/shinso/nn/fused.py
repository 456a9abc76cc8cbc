"""The recurrent cells over whole sequences, with derivatives, on the compiled kernels.

float32 on the CPU; ``stepwise`` has the same functions for everything else. Rows of x and y lie as
in ``steps``; weights are torch's. Gradients are back-propagation through time as ``bptt`` writes it
out. They exist once only: a second derivative is refused by torch with a message.
"""

# torch names the first parameter ctx and passes it by place.
# pyright: reportIncompatibleMethodOverride=false

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from shinso.nn.cells import LSTMSwitches
from shinso.nn.kernels.elman_numba import elman_backward, elman_forward
from shinso.nn.kernels.gru_numba import gru_backward, gru_forward
from shinso.nn.kernels.lstm_numba import lstm_backward, lstm_forward
from shinso.nn.kernels.matrix_numba import pack, pack_transposed
from shinso.nn.kernels.slab_numba import new_gradients, new_slab
from shinso.nn.steps import Steps
from shinso.nn.threads import in_parts

Gradients = tuple[Tensor | None, ...]


class ElmanSequence(Function):
    """(y, h_n) of an Elman network."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
        steps: Steps,
        is_tanh: bool,
    ) -> tuple[Tensor, Tensor]:
        x, h_0 = x.contiguous(), h_0.contiguous()
        y, h_n = x.new_empty(len(x), h_0.shape[1]), torch.empty_like(h_0)
        w_x, w_h = pack_transposed(_array(weight_ih), "x"), pack_transposed(_array(weight_hh), "h")
        bias = _sum(len(weight_hh), bias_ih, bias_hh)
        arrays = (_array(x), w_x, w_h, bias, is_tanh, _array(h_0), y.numpy(), h_n.numpy())

        def run(lo: int, hi: int) -> None:
            elman_forward(lo, hi, steps.starts, steps.sizes, *arrays)

        in_parts(run, steps.batch, _operations(x, weight_ih, weight_hh))
        ctx.save_for_backward(x, h_0, weight_ih, weight_hh, y)
        ctx.steps, ctx.is_tanh = steps, is_tanh
        ctx.set_materialize_grads(False)
        return y, h_n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, weight_ih, weight_hh, y = ctx.saved_tensors
        steps, wanted = ctx.steps, ctx.needs_input_grad
        d_y, d_h = _error(errors[0], y), _state_error(errors[1], h_0)
        d_x = _input_error(x, wanted[0])
        w_ih, w_hh = _array(weight_ih), _array(weight_hh)
        zeros = np.zeros(max(w_ih.shape[1], w_hh.shape[1]), np.float32)
        given = (_array(x), pack(w_ih, "x"), pack(w_hh, "h"), zeros, ctx.is_tanh)
        given = (*given, *(_array(part) for part in (h_0, y, d_y, d_h, d_x)))

        def run(lo: int, hi: int) -> tuple[np.ndarray, ...]:
            slab = new_slab(hi - lo, len(x), len(w_hh), len(zeros))
            to = new_gradients(w_ih, w_hh)
            elman_backward(lo, hi, steps.starts, steps.sizes, *given, slab, to)
            return to

        parts = in_parts(run, steps.batch, 2 * _operations(x, weight_ih, weight_hh))
        d_ih, d_hh, d_b, _ = _add(parts)
        return _only((d_x, d_h, d_ih, d_hh, d_b, d_b, None, None), wanted)


class LSTMSequence(Function):
    """(y, h_n, c_n) of an LSTM; a peephole that is not there is None."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        c_0: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
        weight_pi: Tensor | None,
        weight_pf: Tensor | None,
        weight_po: Tensor | None,
        steps: Steps,
        switches: LSTMSwitches,
    ) -> tuple[Tensor, Tensor, Tensor]:
        x, h_0, c_0 = x.contiguous(), h_0.contiguous(), c_0.contiguous()
        peep = x.new_zeros(3, h_0.shape[1])
        for row, weight in zip(peep, (weight_pi, weight_pf, weight_po), strict=True):
            if weight is not None:
                row.copy_(weight)
        gate = np.array([switches.input_gate, switches.forget_gate, switches.output_gate])
        g, y = x.new_empty(len(x), len(weight_hh)), x.new_empty(len(x), h_0.shape[1])
        c, h_n, c_n = torch.empty_like(y), torch.empty_like(h_0), torch.empty_like(c_0)
        w_x, w_h = pack_transposed(_array(weight_ih), "x"), pack_transposed(_array(weight_hh), "h")
        bias = _sum(len(weight_hh), bias_ih, bias_hh)
        given = (_array(x), w_x, w_h, bias, peep.numpy(), gate, _array(h_0), _array(c_0))
        arrays = (*given, *(part.numpy() for part in (g, y, c, h_n, c_n)))

        def run(lo: int, hi: int) -> None:
            lstm_forward(lo, hi, steps.starts, steps.sizes, *arrays)

        in_parts(run, steps.batch, _operations(x, weight_ih, weight_hh))
        ctx.save_for_backward(x, h_0, c_0, weight_ih, weight_hh, peep, g, y, c)
        ctx.steps, ctx.gate = steps, gate
        ctx.set_materialize_grads(False)
        return y, h_n, c_n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, c_0, weight_ih, weight_hh, peep, g, y, c = ctx.saved_tensors
        steps, wanted = ctx.steps, ctx.needs_input_grad
        d_y, d_x = _error(errors[0], y), _input_error(x, wanted[0])
        d_h, d_c = _state_error(errors[1], h_0), _state_error(errors[2], c_0)
        w_ih, w_hh = _array(weight_ih), _array(weight_hh)
        zeros = np.zeros(max(w_ih.shape[1], w_hh.shape[1]), np.float32)
        given = (_array(x), pack(w_ih, "x"), pack(w_hh, "h"), zeros, _array(peep), ctx.gate)
        given = (*given, *(_array(part) for part in (h_0, c_0, g, y, c, d_y, d_h, d_c, d_x)))

        def run(lo: int, hi: int) -> tuple[np.ndarray, ...]:
            slab = new_slab(hi - lo, len(x), len(w_hh), len(zeros))
            to, d_peep = new_gradients(w_ih, w_hh), np.zeros(peep.shape, np.float32)
            lstm_backward(lo, hi, steps.starts, steps.sizes, *given, slab, to, d_peep)
            return *to, d_peep

        parts = in_parts(run, steps.batch, 2 * _operations(x, weight_ih, weight_hh))
        d_ih, d_hh, d_b, _, d_peep = _add(parts)
        gradients = (d_x, d_h, d_c, d_ih, d_hh, d_b, d_b, *d_peep.unbind(), None, None)
        return _only(gradients, wanted)


class GRUSequence(Function):
    """(y, h_n) of a GRU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None,
        bias_hh: Tensor | None,
        steps: Steps,
    ) -> tuple[Tensor, Tensor]:
        x, h_0 = x.contiguous(), h_0.contiguous()
        g, y = x.new_empty(len(x), len(weight_hh)), x.new_empty(len(x), h_0.shape[1])
        new, h_n = torch.empty_like(y), torch.empty_like(h_0)
        w_x, w_hh, r_z = (
            pack_transposed(_array(weight_ih), "x"),
            _array(weight_hh),
            2 * h_0.shape[1],
        )
        w_rz, w_n = pack_transposed(w_hh[:r_z], "h"), pack_transposed(w_hh[r_z:], "n")
        # The reset gate multiplies U_n h + b'_n, so the last third of b' stays apart.
        bias, bias_n = _sum(len(w_hh), bias_ih, bias_hh), _sum(len(w_hh), bias_hh)[r_z:]
        bias[r_z:] -= bias_n
        given = (_array(x), w_x, w_rz, w_n, bias, bias_n, _array(h_0))
        arrays = (*given, *(part.numpy() for part in (g, new, y, h_n)))

        def run(lo: int, hi: int) -> None:
            gru_forward(lo, hi, steps.starts, steps.sizes, *arrays)

        in_parts(run, steps.batch, _operations(x, weight_ih, weight_hh))
        ctx.save_for_backward(x, h_0, weight_ih, weight_hh, g, new, y)
        ctx.steps = steps
        ctx.set_materialize_grads(False)
        return y, h_n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, weight_ih, weight_hh, g, new, y = ctx.saved_tensors
        steps, wanted, hidden = ctx.steps, ctx.needs_input_grad, h_0.shape[1]
        d_y, d_h = _error(errors[0], y), _state_error(errors[1], h_0)
        d_x = _input_error(x, wanted[0])
        w_ih, w_hh = np.roll(_array(weight_ih), hidden, axis=0), _array(weight_hh)  # n, r, z
        zeros = np.zeros(max(w_ih.shape[1], hidden), np.float32)
        given = (_array(x), pack(w_ih, "x"), pack(w_hh, "h"), zeros)
        given = (*given, *(_array(part) for part in (h_0, g, new, y, d_y, d_h, d_x)))

        def run(lo: int, hi: int) -> tuple[np.ndarray, ...]:
            slab = new_slab(hi - lo, len(x), 4 * hidden, len(zeros))
            to = new_gradients(w_ih, w_hh)
            gru_backward(lo, hi, steps.starts, steps.sizes, *given, slab, to)
            return to

        parts = in_parts(run, steps.batch, 2 * _operations(x, weight_ih, weight_hh))
        d_ih, d_hh, d_b_ih, d_b_hh = _add(parts)
        d_ih, d_b_ih = d_ih.roll(-hidden, 0), d_b_ih.roll(-hidden)
        return _only((d_x, d_h, d_ih, d_hh, d_b_ih, d_b_hh, None), wanted)


def _array(tensor: Tensor) -> np.ndarray:
    return (
        tensor.detach().numpy() if tensor.is_contiguous() else tensor.detach().contiguous().numpy()
    )


def _sum(rows: int, *biases: Tensor | None) -> np.ndarray:
    """The sum of the biases that there are."""
    total = np.zeros(rows, np.float32)
    for bias in biases:
        if bias is not None:
            total += _array(bias)
    return total


def _operations(x: Tensor, weight_ih: Tensor, weight_hh: Tensor) -> int:
    """Floating-point operations of the products with both weights."""
    return 2 * len(x) * (weight_ih.numel() + weight_hh.numel())


def _error(error: Tensor | None, y: Tensor) -> Tensor:
    """What reaches the outputs; zeros where nothing does."""
    return torch.zeros_like(y) if error is None else error.contiguous()


def _state_error(error: Tensor | None, state: Tensor) -> Tensor:
    """What reaches the last state, in memory that a kernel may overwrite."""
    return torch.zeros_like(state) if error is None else torch.empty_like(state).copy_(error)


def _input_error(x: Tensor, wanted: bool) -> Tensor:
    """Room for the input's gradient; without columns where none is wanted."""
    return torch.empty_like(x) if wanted else x.new_empty(len(x), 0)


def _add(parts: list[tuple[np.ndarray, ...]]) -> tuple[Tensor, ...]:
    """The gradients of all parts of the batch, summed in their order."""
    return tuple(torch.from_numpy(sum(some[1:], some[0])) for some in zip(*parts, strict=True))


def _only(gradients: Gradients, wanted: tuple[bool, ...]) -> Gradients:
    """None where no gradient is asked for."""
    return tuple(g if w else None for g, w in zip(gradients, wanted, strict=True))
