"""LSTM over whole sequences, with or without each gate and its peephole."""

from shinso.nn.kernels.activation_numba import ONE, ZERO, sigmoid, tanh
from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import add_product, affine, set_product
from shinso.nn.kernels.order_numba import block_rows, block_steps, keep_ended
from shinso.nn.kernels.slab_numba import begin_step, end_step


@kernel
def _gate(sums, weight, cell, there):  # pragma: no cover
    """Sums become σ(sums + weight ∘ cell), or 1 where the gate is not there."""
    if there:
        for j in range(sums.shape[0]):
            sums[j] = sigmoid(sums[j] + weight[j] * cell[j])
    else:
        for j in range(sums.shape[0]):
            sums[j] = ONE


@kernel
def _step(g, row, past, before, count, peep, gate, c, y):  # pragma: no cover
    """One step of ``count`` sequences: g holds the sums i, f, g, o and then what they become."""
    hidden = c.shape[1]
    p_i, p_f, p_o = peep[0], peep[1], peep[2]
    for r in range(count):
        sums, c_past, c_now, h = g[row + r], past[before + r], c[row + r], y[row + r]
        i, f = sums[:hidden], sums[hidden : 2 * hidden]
        a, o = sums[2 * hidden : 3 * hidden], sums[3 * hidden :]
        _gate(i, p_i, c_past, gate[0])
        _gate(f, p_f, c_past, gate[1])
        for j in range(hidden):
            a[j] = tanh(a[j])
        for j in range(hidden):
            c_now[j] = f[j] * c_past[j] + i[j] * a[j]
        _gate(o, p_o, c_now, gate[2])
        for j in range(hidden):
            h[j] = o[j] * tanh(c_now[j])


@kernel
def lstm_forward(
    lo, hi, starts, sizes, x, w_x, w_h, bias, peep, gate, h_0, c_0, g, y, c, h_n, c_n
):  # pragma: no cover
    """Gates g, outputs y, cells c and the last state.

    w_x, w_h: packed transposes of the weights; bias: the sum of both. peep: rows i, f, o; zeros
    where there is none. gate: which of i, f, o there are.
    """
    hidden, block = y.shape[1], block_steps(lo, hi, sizes)
    for s in range(sizes.shape[0]):
        count = min(hi, sizes[s]) - lo
        if count <= 0:
            break
        if s % block == 0:
            first, last = block_rows(s, block, lo, hi, starts, sizes)
            affine(x, first, w_x, bias, g, first, last - first)
        row = starts[s] + lo
        before, h, past = (starts[s - 1] + lo, y, c) if s else (lo, h_0, c_0)
        add_product(h, before, 0, w_h, g, row, count, 4 * hidden)
        _step(g, row, past, before, count, peep, gate, c, y)
        keep_ended(s, lo, hi, starts, sizes, y, h_n)
        keep_ended(s, lo, hi, starts, sizes, c, c_n)


@kernel
def _gate_back(d, error, factor, gate, there):  # pragma: no cover
    """d = error ∘ factor ∘ σ', the error before a gate."""
    if there:
        for j in range(d.shape[0]):
            d[j] = error[j] * factor[j] * gate[j] * (ONE - gate[j])
    else:
        for j in range(d.shape[0]):
            d[j] = ZERO


@kernel
def _step_back(
    g, row, past, before, lo, count, c, peep, gate, d_y, d_h, d_c, slab_d, place, d_peep
):  # pragma: no cover
    """One step back: errors before the gates; d_c becomes that of the cell before, d_h useless."""
    hidden = c.shape[1]
    p_i, p_f, p_o = peep[0], peep[1], peep[2]
    d_p_i, d_p_f, d_p_o = d_peep[0], d_peep[1], d_peep[2]
    for r in range(count):
        gates, c_past, c_now, d = g[row + r], past[before + r], c[row + r], slab_d[place + r]
        error, d_cell, d_out = d_y[row + r], d_c[lo + r], d_h[lo + r]
        i, f = gates[:hidden], gates[hidden : 2 * hidden]
        a, o = gates[2 * hidden : 3 * hidden], gates[3 * hidden :]
        d_i, d_f = d[:hidden], d[hidden : 2 * hidden]
        d_a, d_o = d[2 * hidden : 3 * hidden], d[3 * hidden :]
        squashed = d_a  # the last to get its error lends its room
        for j in range(hidden):
            squashed[j] = tanh(c_now[j])
        for j in range(hidden):
            d_out[j] += error[j]
        _gate_back(d_o, d_out, squashed, o, gate[2])
        for j in range(hidden):
            d_cell[j] += d_out[j] * o[j] * (ONE - squashed[j] * squashed[j])
        for j in range(hidden):
            d_cell[j] += d_o[j] * p_o[j]
        _gate_back(d_i, d_cell, a, i, gate[0])
        _gate_back(d_f, d_cell, c_past, f, gate[1])
        for j in range(hidden):
            d_a[j] = d_cell[j] * i[j] * (ONE - a[j] * a[j])
        for j in range(hidden):
            d_cell[j] = d_cell[j] * f[j] + d_i[j] * p_i[j]
        for j in range(hidden):
            d_cell[j] += d_f[j] * p_f[j]
        for j in range(hidden):
            d_p_i[j] += d_i[j] * c_past[j]
        for j in range(hidden):
            d_p_f[j] += d_f[j] * c_past[j]
        for j in range(hidden):
            d_p_o[j] += d_o[j] * c_now[j]


@kernel
def lstm_backward(
    lo, hi, starts, sizes, x, w_x, w_h, zeros, peep, gate, h_0, c_0, g, y, c,
    d_y, d_h, d_c, d_x, slab, to, d_peep,
):  # fmt: skip  # pragma: no cover
    """Gradients of the input, d_x, and of the weights, ``to`` and d_peep.

    w_x, w_h: packed weights. d_h, d_c come as those of h_n, c_n and
    leave as those of h_0, c_0. d_x without columns is left out.
    """
    hidden = c.shape[1]
    first = used = 0
    for s in range(sizes.shape[0] - 1, -1, -1):
        count = min(hi, sizes[s]) - lo
        if count <= 0:
            continue
        first, place = begin_step(s, lo, hi, count, used, first, starts, sizes, slab)
        used += count
        row = starts[s] + lo
        before, past = (starts[s - 1] + lo, c) if s else (lo, c_0)
        _step_back(
            g, row, past, before, lo, count, c, peep, gate,
            d_y, d_h, d_c, slab.d, place, d_peep,
        )  # fmt: skip
        set_product(slab.d, place, 0, w_h, zeros, d_h, lo, count)
        used = end_step(
            s, lo, hi, count, used, first, place, starts, sizes, slab,
            w_x, zeros, 4 * hidden, 4 * hidden, x, y, h_0, d_x, to,
        )  # fmt: skip
