"""GRU over whole sequences."""

from shinso.nn.kernels.activation_numba import ONE, sigmoid, tanh
from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import add_product, affine, set_product
from shinso.nn.kernels.order_numba import block_rows, block_steps, keep_ended
from shinso.nn.kernels.slab_numba import begin_step, end_step


@kernel
def _step(g, new, h, y):  # pragma: no cover
    """One sequence's step: g holds the sums r, z, W_n x and then r, z, n; new is U_n h + b'_n."""
    hidden = y.shape[0]
    r, z, n = g[:hidden], g[hidden : 2 * hidden], g[2 * hidden :]
    for j in range(2 * hidden):
        g[j] = sigmoid(g[j])
    for j in range(hidden):
        n[j] = tanh(n[j] + r[j] * new[j])
    for j in range(hidden):
        y[j] = n[j] + z[j] * (h[j] - n[j])


@kernel
def gru_forward(
    lo, hi, starts, sizes, x, w_x, w_rz, w_n, bias, bias_n, h_0, g, new, y, h_n
):  # pragma: no cover
    """Gates g, new = U_n h + b'_n, outputs y and the last state.

    w_x, w_rz, w_n: packed transposes of W, of U's first two thirds and of its last; bias: b + b',
    without b'_n, which is bias_n.
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
        before, past = (starts[s - 1] + lo, y) if s else (lo, h_0)
        add_product(past, before, 0, w_rz, g, row, count, 2 * hidden)
        set_product(past, before, 0, w_n, bias_n, new, row, count)
        for r in range(count):
            _step(g[row + r], new[row + r], past[before + r], y[row + r])
        keep_ended(s, lo, hi, starts, sizes, y, h_n)


@kernel
def _step_back(g, new, h, d_y, d_h, d):  # pragma: no cover
    """One sequence's step back: errors d of n, r, z and new; d_h keeps what z lets through."""
    hidden = h.shape[0]
    r, z, n = g[:hidden], g[hidden : 2 * hidden], g[2 * hidden :]
    d_n, d_r = d[:hidden], d[hidden : 2 * hidden]
    d_z, d_new = d[2 * hidden : 3 * hidden], d[3 * hidden :]
    for j in range(hidden):
        d_h[j] += d_y[j]
    for j in range(hidden):
        d_n[j] = d_h[j] * (ONE - z[j]) * (ONE - n[j] * n[j])
    for j in range(hidden):
        d_z[j] = d_h[j] * (h[j] - n[j]) * z[j] * (ONE - z[j])
    for j in range(hidden):
        d_r[j] = d_n[j] * new[j] * r[j] * (ONE - r[j])
    for j in range(hidden):
        d_new[j] = d_n[j] * r[j]
    for j in range(hidden):
        d_h[j] *= z[j]


@kernel
def gru_backward(
    lo, hi, starts, sizes, x, w_x, w_h, zeros, h_0, g, new, y, d_y, d_h, d_x, slab, to
):  # pragma: no cover
    """Gradients of the input, d_x, and of the weights, ``to``.

    w_x, w_h: packed weights. Errors are those of n, r, z and ``new``; the first three belong to x,
    so the rows of w_x and of its gradient are n, r, z; the last three belong to h. d_h comes as
    that of h_n and leaves as that of h_0. d_x without columns is left out.
    """
    hidden = y.shape[1]
    first = used = 0
    for s in range(sizes.shape[0] - 1, -1, -1):
        count = min(hi, sizes[s]) - lo
        if count <= 0:
            continue
        first, place = begin_step(s, lo, hi, count, used, first, starts, sizes, slab)
        used += count
        row = starts[s] + lo
        before, past = (starts[s - 1] + lo, y) if s else (lo, h_0)
        for r in range(count):
            _step_back(
                g[row + r], new[row + r], past[before + r],
                d_y[row + r], d_h[lo + r], slab.d[place + r],
            )  # fmt: skip
        add_product(slab.d, place, hidden, w_h, d_h, lo, count, hidden)
        used = end_step(
            s, lo, hi, count, used, first, place, starts, sizes, slab,
            w_x, zeros, 3 * hidden, 3 * hidden, x, y, h_0, d_x, to,
        )  # fmt: skip
