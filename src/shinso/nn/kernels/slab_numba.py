"""What a step back through time leaves behind: gradients of the input and of the weights.

Errors of the steps just done are collected in a slab, small enough to stay in the cache. A full
slab gives its share of all gradients and is used again, so errors never fill a second array as
long as the sequence.
"""

from typing import NamedTuple

import numpy as np

from shinso.nn.kernels.compile_numba import kernel, part
from shinso.nn.kernels.matrix_numba import (
    PAD,
    STRIP,
    add_transposed_product,
    affine,
    fill_panels,
    fill_strips,
    panels_of,
)
from shinso.nn.kernels.scratch import scratch

ROWS = 256


class Slab(NamedTuple):
    """Errors of some steps, and room to pack them.

    d: errors, row by row. rows: the row of x that each belongs to. past: the row of y one step
    earlier; ~b stands for row b of h_0.
    """

    d: np.ndarray
    rows: np.ndarray
    past: np.ndarray
    strips: np.ndarray
    panels: np.ndarray


class Gradients(NamedTuple):
    """Sums of gradients of the weights and of their biases, over one part of the batch."""

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray


def new_slab(batch, total, columns, widest):
    """An empty slab: for ``batch`` sequences of ``total`` rows, errors of ``columns`` numbers."""
    rows = max(min(ROWS, total), batch)
    depth = min(ROWS, rows)
    return Slab(
        d=scratch("errors", rows, columns),
        rows=np.empty(rows, np.int64),
        past=np.empty(rows, np.int64),
        strips=scratch("strips", (depth + PAD) * -(-columns // STRIP) * STRIP),
        panels=panels_of("slab", depth, widest).reshape(-1),
    )


def new_gradients(weight_ih, weight_hh):
    """Zeros for both weights and biases."""
    biases = (np.zeros(len(weight_ih), np.float32) for _ in range(2))
    return Gradients(np.zeros_like(weight_ih), np.zeros_like(weight_hh), *biases)


@kernel
def begin_step(s, lo, hi, count, used, first, starts, sizes, slab):  # pragma: no cover
    """First row of memory that the slab stands for, and the slab's row for step s.

    The whole batch's rows lie in the slab as in memory, so that one product gives their input
    gradient; a part's rows lie in the order of the steps, last first.
    """
    whole = lo == 0 and hi == sizes[0]
    if whole and used == 0:
        length = max(1, ROWS // hi)
        e = s - s % length
        first = min(starts[s], starts[e])
    place = starts[s] - first if whole else used
    for r in range(count):
        slab.rows[place + r] = starts[s] + lo + r
        slab.past[place + r] = starts[s - 1] + lo + r if s else ~(lo + r)
    return first, place


@kernel
def end_step(
    s, lo, hi, count, used, first, place, starts, sizes, slab,
    w_x, zeros, x_columns, h_columns, x, y, h_0, d_x, to,
):  # fmt: skip  # pragma: no cover
    """Input gradient of step s; once the slab is full, of all its steps, and the weights' too.

    Rows in use afterwards are returned. d_x without columns is left out.
    """
    if d_x.shape[1] and not (lo == 0 and hi == sizes[0]):
        affine(slab.d, place, w_x, zeros, d_x, starts[s] + lo, count)
    if s % max(1, ROWS // (hi - lo)) != 0:
        return used
    if d_x.shape[1] and lo == 0 and hi == sizes[0]:
        affine(slab.d, 0, w_x, zeros, d_x, first, used)
    _add_gradients(slab, used, x_columns, h_columns, x, y, h_0, to)
    return 0


@part
def _add_gradients(slab, used, x_columns, h_columns, x, y, h_0, to):  # pragma: no cover
    """Adds what the slab gives to the gradients of weights and biases.

    The first x_columns of the errors belong to W x, the last h_columns to U h; where both are all
    of them, bias_hh is left alone, since it is bias_ih.
    """
    columns = slab.d.shape[1]
    for start in range(0, used, ROWS):
        depth = min(ROWS, used - start)
        fill_strips(slab.d, start, depth, 0, x_columns, slab.strips, to.bias_ih)
        fill_panels(x, h_0, slab.rows[start : start + depth], slab.panels)
        add_transposed_product(slab.strips, depth, slab.panels, to.weight_ih)
        if h_columns < columns:
            fill_strips(slab.d, start, depth, columns - h_columns, columns, slab.strips, to.bias_hh)
        fill_panels(y, h_0, slab.past[start : start + depth], slab.panels)
        add_transposed_product(slab.strips, depth, slab.panels, to.weight_hh)
