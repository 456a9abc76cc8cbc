"""The order of steps in memory; see ``shinso.nn.steps``."""

from shinso.nn.kernels.compile_numba import part
from shinso.nn.kernels.matrix_numba import BLOCK


@part
def block_steps(lo, hi, sizes):  # pragma: no cover
    """Steps that are worth one product with the input: their rows lie together and are few.

    1 where only a part of the batch is worked on: its rows of two steps do not touch.
    """
    return max(1, BLOCK // sizes[0]) if lo == 0 and hi == sizes[0] else 1


@part
def block_rows(s, length, lo, hi, starts, sizes):  # pragma: no cover
    """First row of the block of steps that begins with s, and the row after its last.

    Steps may lie in memory in falling order.
    """
    if length == 1:
        return starts[s] + lo, starts[s] + min(hi, sizes[s])
    e = min(s + length, sizes.shape[0]) - 1
    return min(starts[s], starts[e]), max(starts[s] + sizes[s], starts[e] + sizes[e])


@part
def keep_ended(s, lo, hi, starts, sizes, rows, last):  # pragma: no cover
    """Copies the rows of sequences for which step s is the last one."""
    going_on = sizes[s + 1] if s + 1 < sizes.shape[0] else 0
    for b in range(max(lo, going_on), min(hi, sizes[s])):
        for j in range(last.shape[1]):
            last[b, j] = rows[starts[s] + b, j]
