"""One step of a Transformer's decoder block as one compiled call: float32, on the CPU.

Between its products a step of a few rows is overhead only: some dozen operations of microseconds.
"""

import math

import numpy as np

from shinso.nn.kernels.attention_numba import attend_rows
from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import add_product

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
ROOT_HALF = np.float32(math.sqrt(0.5))


@kernel
def _normalize(x, norm, epsilon, out):  # pragma: no cover
    """Layer normalization. norm: gain and bias. out may be x."""
    rows, width = x.shape
    gain, bias = norm[0], norm[1]
    for row in range(rows):
        given, answer = x[row], out[row]
        mean, variance = ZERO, ZERO
        for i in range(width):
            mean += given[i]
        mean /= np.float32(width)
        for i in range(width):
            variance += (given[i] - mean) * (given[i] - mean)
        scale = ONE / np.sqrt(variance / np.float32(width) + epsilon)
        for i in range(width):
            answer[i] = (given[i] - mean) * scale * gain[i] + bias[i]


@kernel
def _add_dense(x, weight, panels, bias, out):  # pragma: no cover
    """out += x Wᵀ + b, from the panels where there are any. A row or two only wait for the weights
    to be read, which packing would do once more."""
    rows, outputs = out.shape
    for row in range(rows):
        line = out[row]
        for i in range(outputs):
            line[i] += bias[i]
    if len(panels):
        add_product(x, 0, 0, panels, out, 0, rows, outputs)
        return
    for i in range(outputs):
        one = weight[i]
        for row in range(rows):
            line, total = x[row], ZERO
            for j in range(len(one)):
                total += line[j] * one[j]
            out[row, i] += total


@kernel
def _dense(x, weight, panels, bias, room):  # pragma: no cover
    """x Wᵀ + b, in the first part of ``room``."""
    rows, outputs = len(x), len(weight)
    out = room[: rows * outputs].reshape(rows, outputs)
    out[:] = ZERO
    _add_dense(x, weight, panels, bias, out)
    return out


@kernel
def _activate(x, gelu):  # pragma: no cover
    for row in range(len(x)):
        line = x[row]
        if gelu:
            for i in range(len(line)):
                line[i] *= HALF * (ONE + np.float32(math.erf(line[i] * ROOT_HALF)))
        else:
            for i in range(len(line)):
                line[i] = ZERO if line[i] < ZERO else line[i]


@kernel
def _turn(x, columns, turns):  # pragma: no cover
    """Rotary positions. turns: the sines and cosines of this step (``nn.positions.rotate``)."""
    half = len(turns) // 2
    for row in range(len(x)):
        for first in range(0, columns, 2 * half):
            for i in range(half):
                left, right = x[row, first + i], x[row, first + half + i]
                x[row, first + i] = left * turns[half + i] - right * turns[i]
                x[row, first + half + i] = left * turns[i] + right * turns[half + i]


@kernel
def block_step(
    x, pre, gelu, heads, epsilon, norms, turns, layers, own, new, past, counts, memory, source,
    lengths, weights, room, answer,
):  # fmt: skip  # pragma: no cover
    """x after the block, in place.

    pre: normalize before each sublayer. turns: empty without rotary positions. layers: weight,
    panels and bias of each in the order of their use. own: keys and values of the steps so far, to
    which those of this one are added from row ``new`` on. past, counts; source, lengths: which rows
    of own and of memory each row may look at. weights, room, answer: memory for the largest count,
    for x in the largest layer, and for x.
    """
    rows, width = x.shape
    three, out, query, cross, up, down = layers
    start = x
    if pre:
        _normalize(x, norms[0], epsilon, answer)
        start = answer
    asked = _dense(start, three[0], three[1], three[2], room)
    if len(turns):
        _turn(asked, 2 * width, turns)
    own[new : new + rows] = asked[:, width:]
    attend_rows(asked, own, past, counts, heads, weights, answer)
    _add_dense(answer, out[0], out[1], out[2], x)
    if pre:
        _normalize(x, norms[1], epsilon, answer)
    else:
        _normalize(x, norms[0], epsilon, x)
    asked = _dense(start, query[0], query[1], query[2], room)
    attend_rows(asked, memory, source, lengths, heads, weights, answer)
    _add_dense(answer, cross[0], cross[1], cross[2], x)
    if pre:
        _normalize(x, norms[2], epsilon, answer)
    else:
        _normalize(x, norms[1], epsilon, x)
    inner = _dense(start, up[0], up[1], up[2], room)
    _activate(inner, gelu)
    _add_dense(inner, down[0], down[1], down[2], x)
    if not pre:
        _normalize(x, norms[2], epsilon, x)
