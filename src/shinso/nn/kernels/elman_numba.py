"""Elman network over whole sequences."""

from shinso.nn.kernels.activation_numba import ONE, ZERO, tanh
from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import add_product, affine, set_product
from shinso.nn.kernels.order_numba import block_rows, block_steps, keep_ended
from shinso.nn.kernels.slab_numba import begin_step, end_step


@kernel
def elman_forward(
    lo, hi, starts, sizes, x, w_x, w_h, bias, is_tanh, h_0, y, h_n
):  # pragma: no cover
    """y and h_n. w_x, w_h: packed transposes of the weights; bias: the sum of both."""
    hidden, block = y.shape[1], block_steps(lo, hi, sizes)
    for s in range(sizes.shape[0]):
        count = min(hi, sizes[s]) - lo
        if count <= 0:
            break
        if s % block == 0:
            first, last = block_rows(s, block, lo, hi, starts, sizes)
            affine(x, first, w_x, bias, y, first, last - first)
        row = starts[s] + lo
        before, past = (starts[s - 1] + lo, y) if s else (lo, h_0)
        add_product(past, before, 0, w_h, y, row, count, hidden)
        for r in range(row, row + count):
            h = y[r]
            if is_tanh:
                for j in range(hidden):
                    h[j] = tanh(h[j])
            else:
                for j in range(hidden):
                    h[j] = ZERO if h[j] < ZERO else h[j]
        keep_ended(s, lo, hi, starts, sizes, y, h_n)


@kernel
def elman_backward(
    lo, hi, starts, sizes, x, w_x, w_h, zeros, is_tanh, h_0, y, d_y, d_h, d_x, slab, to
):  # pragma: no cover
    """Gradients of the input, d_x, and of the weights, ``to``.

    w_x, w_h: packed weights. d_h comes as that of h_n and leaves as that of h_0. d_x without
    columns is left out.
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
        for r in range(count):
            h, error, back, d = y[row + r], d_y[row + r], d_h[lo + r], slab.d[place + r]
            if is_tanh:
                for j in range(hidden):
                    d[j] = (error[j] + back[j]) * (ONE - h[j] * h[j])
            else:
                for j in range(hidden):
                    d[j] = error[j] + back[j] if h[j] > ZERO else ZERO
        set_product(slab.d, place, 0, w_h, zeros, d_h, lo, count)
        used = end_step(
            s, lo, hi, count, used, first, place, starts, sizes, slab,
            w_x, zeros, hidden, hidden, x, y, h_0, d_x, to,
        )  # fmt: skip
