"""The recurrent cells over whole sequences, with derivatives, in torch operations step by step.

For every device and number format, and for machines without numba; ``fused`` has the same
functions, faster, for float32 on the CPU. What does not wait for the step before is done for all
steps at once: the input's projection, the slopes of the gates, the weights' gradients. Gradients
are back-propagation through time as ``bptt`` writes it out. They exist once only: a second
derivative is refused by torch with a message.
"""

# torch names the first parameter ctx and passes it by place.
# pyright: reportIncompatibleMethodOverride=false

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from shinso.nn.cells import LSTMSwitches
from shinso.nn.steps import Steps

Gradients = tuple[Tensor | None, ...]

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


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
        y = _project(x, weight_ih, bias_ih, bias_hh)
        weight, h = weight_hh.t().contiguous(), h_0
        for now in _rows(y, steps):
            now.addmm_(h[: len(now)], weight)
            h = now.tanh_() if is_tanh else now.relu_()
        ctx.save_for_backward(x, h_0, weight_ih, weight_hh, y)
        ctx.steps, ctx.is_tanh = steps, is_tanh
        ctx.set_materialize_grads(False)
        return y, _last(y, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, weight_ih, weight_hh, y = ctx.saved_tensors
        steps, d_h = ctx.steps, _state_error(errors[1], h_0)
        slope = 1 - y * y if ctx.is_tanh else (y > 0).to(y.dtype)
        d = (
            torch.zeros_like(y)
            if errors[0] is None
            else errors[0].clone(memory_format=torch.contiguous_format)
        )
        for error, now in _reversed(steps, d, slope):
            error.add_(d_h[: len(error)]).mul_(now)
            torch.mm(error, weight_hh, out=d_h[: len(error)])
        d_x, d_ih, d_hh, d_b = _products(d, d, x, h_0, y, weight_ih, steps)
        gradients = (d_x, d_h, d_ih, d_hh, d_b, d_b, None, None)
        return _only(gradients, ctx.needs_input_grad)


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
        gates = _project(x, weight_ih, bias_ih, bias_hh)
        i, f, a, o = gates.chunk(4, dim=1)
        both = switches.input_gate and switches.forget_gate
        i_f = gates[:, : 2 * i.shape[1]]
        y, c, squashed = (torch.empty_like(i, memory_format=torch.contiguous_format) for _ in "ycs")
        weight, h, cell = weight_hh.t().contiguous(), h_0, c_0
        parts = (gates, i, f, i_f, a, o, y, c, squashed)
        for sums, i_t, f_t, i_f_t, a_t, o_t, y_t, c_t, s_t in zip(
            *(_rows(part, steps) for part in parts), strict=True
        ):
            h, cell = h[: len(sums)], cell[: len(sums)]
            sums.addmm_(h, weight)
            if weight_pi is not None:
                i_t.addcmul_(cell, weight_pi)
            if weight_pf is not None:
                f_t.addcmul_(cell, weight_pf)
            if both:
                i_f_t.sigmoid_()
            else:
                i_t.sigmoid_() if switches.input_gate else i_t.fill_(1)
                f_t.sigmoid_() if switches.forget_gate else f_t.fill_(1)
            a_t.tanh_()
            torch.mul(f_t, cell, out=c_t).addcmul_(i_t, a_t)
            if weight_po is not None:
                o_t.addcmul_(c_t, weight_po)
            o_t.sigmoid_() if switches.output_gate else o_t.fill_(1)
            torch.mul(o_t, torch.tanh(c_t, out=s_t), out=y_t)
            h, cell = y_t, c_t
        saved = (x, h_0, c_0, weight_ih, weight_hh, weight_pi, weight_pf, weight_po)
        ctx.save_for_backward(*saved, gates, y, c, squashed)
        ctx.steps = steps
        ctx.set_materialize_grads(False)
        return y, _last(y, steps), _last(c, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, c_0, weight_ih, weight_hh, *peep, gates, y, c, squashed = ctx.saved_tensors
        weight_pi, weight_pf, weight_po = peep
        steps, (i, f, a, o) = ctx.steps, gates.chunk(4, dim=1)
        d_y = torch.zeros_like(y) if errors[0] is None else errors[0]
        d_h, d_c = _state_error(errors[1], h_0), _state_error(errors[2], c_0)
        c_past = _earlier(c_0, c, steps)
        # factor ∘ σ' and factor ∘ tanh'; a gate that is 1 has the slope 0 by the same formula.
        slopes = x.new_empty(len(x), 3, i.shape[1])
        sigmoid_backward(a, i, grad_input=slopes[:, 0])
        sigmoid_backward(c_past, f, grad_input=slopes[:, 1])
        tanh_backward(i, a, grad_input=slopes[:, 2])
        slope_o, through = torch.empty_like(y), torch.empty_like(y)
        sigmoid_backward(squashed, o, grad_input=slope_o)
        tanh_backward(o, squashed, grad_input=through)
        d = torch.empty_like(gates)
        d_i_f_a, (d_i, d_f, _, d_o) = d[:, : -i.shape[1]].unflatten(1, (3, -1)), d.chunk(4, dim=1)
        parts = (d_y, d, d_i_f_a, d_i, d_f, d_o, slopes, slope_o, through, f)
        for e_t, d_t, d_ifa_t, d_i_t, d_f_t, d_o_t, k_t, k_o_t, through_t, f_t in _reversed(
            steps, *parts
        ):
            error, cell = d_h[: len(e_t)], d_c[: len(e_t)]
            error.add_(e_t)
            torch.mul(error, k_o_t, out=d_o_t)
            cell.addcmul_(error, through_t)
            if weight_po is not None:
                cell.addcmul_(d_o_t, weight_po)
            torch.mul(cell.unsqueeze(1), k_t, out=d_ifa_t)
            cell.mul_(f_t)
            if weight_pi is not None:
                cell.addcmul_(d_i_t, weight_pi)
            if weight_pf is not None:
                cell.addcmul_(d_f_t, weight_pf)
            torch.mm(d_t, weight_hh, out=error)
        d_x, d_ih, d_hh, d_b = _products(d, d, x, h_0, y, weight_ih, steps)
        looks = ((weight_pi, d_i, c_past), (weight_pf, d_f, c_past), (weight_po, d_o, c))
        d_peep = (None if w is None else (error * seen).sum(0) for w, error, seen in looks)
        gradients = (d_x, d_h, d_c, d_ih, d_hh, d_b, d_b, *d_peep, None, None)
        return _only(gradients, ctx.needs_input_grad)


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
        hidden = h_0.shape[1]
        gates = _project(x, weight_ih, bias_ih, None)
        # U h + b' of each step; in the end only its last third is kept, the new state's share.
        past = torch.empty_like(gates)
        past[:] = 0 if bias_hh is None else bias_hh
        r_z, n = gates.split([2 * hidden, hidden], dim=1)
        r, z, past_r_z, past_n = *r_z.chunk(2, 1), *past.split([2 * hidden, hidden], dim=1)
        y = torch.empty_like(n, memory_format=torch.contiguous_format)
        weight, h = weight_hh.t().contiguous(), h_0
        parts = (past, r_z, past_r_z, r, past_n, n, z, y)
        for sums, r_z_t, past_r_z_t, r_t, past_n_t, n_t, z_t, y_t in zip(
            *(_rows(part, steps) for part in parts), strict=True
        ):
            h = h[: len(sums)]
            sums.addmm_(h, weight)
            r_z_t.add_(past_r_z_t).sigmoid_()
            n_t.addcmul_(r_t, past_n_t).tanh_()
            h = torch.lerp(n_t, h, z_t, out=y_t)
        ctx.save_for_backward(x, h_0, weight_ih, weight_hh, gates, past_n.contiguous(), y)
        ctx.steps = steps
        ctx.set_materialize_grads(False)
        return y, _last(y, steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *errors: Tensor | None) -> Gradients:
        x, h_0, weight_ih, weight_hh, gates, past_n, y = ctx.saved_tensors
        steps, (r, z, n) = ctx.steps, gates.chunk(3, dim=1)
        d_y = torch.zeros_like(y) if errors[0] is None else errors[0]
        d_h = _state_error(errors[1], h_0)
        # What an error of h_t is multiplied with on its way to r, z, the new state's past, n.
        slopes = x.new_empty(len(x), 4, n.shape[1])
        slope_r, slope_z, slope_past, slope_n = slopes.unbind(1)
        tanh_backward(1 - z, n, grad_input=slope_n)
        torch.mul(slope_n, r, out=slope_past)
        sigmoid_backward(slope_n * past_n, r, grad_input=slope_r)
        sigmoid_backward(_earlier(h_0, y, steps) - n, z, grad_input=slope_z)
        d = torch.empty_like(slopes)
        d_past = d[:, :3].flatten(1)  # the same memory
        for e_t, k_t, d_t, d_past_t, z_t in _reversed(steps, d_y, slopes, d, d_past, z):
            error = d_h[: len(e_t)]
            error.add_(e_t)
            torch.mul(error.unsqueeze(1), k_t, out=d_t)
            error.mul_(z_t).addmm_(d_past_t, weight_hh)
        d_sums = torch.cat([d[:, 0], d[:, 1], d[:, 3]], dim=1)
        d_x, d_ih, d_hh, d_b = _products(d_sums, d_past, x, h_0, y, weight_ih, steps)
        gradients = (d_x, d_h, d_ih, d_hh, d_b, d_past.sum(0), None)
        return _only(gradients, ctx.needs_input_grad)


def _project(
    x: Tensor, weight_ih: Tensor, bias_ih: Tensor | None, bias_hh: Tensor | None
) -> Tensor:
    """W x with the biases that there are, for all steps."""
    if bias_ih is None:
        return x @ weight_ih.t()
    return torch.addmm(bias_ih if bias_hh is None else bias_ih + bias_hh, x, weight_ih.t())


def _rows(part: Tensor, steps: Steps) -> tuple[Tensor, ...]:
    """The rows of each step, in the order of the steps."""
    if steps.even:
        rows = part.unflatten(0, (-1, steps.batch)).unbind()
        return rows if len(rows) == 1 or steps.starts[0] == 0 else rows[::-1]
    return part.split(steps.sizes.tolist())


def _reversed(steps: Steps, *parts: Tensor) -> Any:
    """The rows of all parts, from the last step to the first."""
    return zip(*(_rows(part, steps)[::-1] for part in parts), strict=True)


def _last(rows: Tensor, steps: Steps) -> Tensor:
    return rows.index_select(0, steps.last.to(rows.device))


def _earlier(start: Tensor, rows: Tensor, steps: Steps) -> Tensor:
    """For each row the one a step earlier."""
    if steps.even and steps.starts[0] == 0:
        return torch.cat([start, rows[: -steps.batch]])
    if steps.even:
        return torch.cat([rows[steps.batch :], start])
    return torch.cat([start, rows]).index_select(0, steps.earlier.to(rows.device))


def _state_error(error: Tensor | None, state: Tensor) -> Tensor:
    """What reaches the last state, in memory that may be overwritten."""
    return torch.zeros_like(state) if error is None else torch.empty_like(state).copy_(error)


def _products(
    d: Tensor,
    d_past: Tensor,
    x: Tensor,
    h_0: Tensor,
    y: Tensor,
    weight_ih: Tensor,
    steps: Steps,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, of both weights and of a bias, from the errors of W x and of U h."""
    return d @ weight_ih, d.t() @ x, d_past.t() @ _earlier(h_0, y, steps), d.sum(0)


def _only(gradients: Gradients, wanted: tuple[bool, ...]) -> Gradients:
    """None where no gradient is asked for."""
    return tuple(g if w else None for g, w in zip(gradients, wanted, strict=True))
