"""A stack of gated dilated layers, and its derivatives.

Samples are done a block of ``BLOCK`` at a time, all layers of a block before the next block: what a
layer needs of the past lies in blocks that are done, and what it hands on is still in the cache.
Backwards it is the other way round: what a layer sends to the past lies in blocks to come.

Rows are samples, the sequences of a batch one after another; x and g have all layers' inputs and
open gates, [tanh; σ].
"""

import numpy as np

from shinso.nn.kernels.activation_numba import ONE, sigmoid, tanh
from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import (
    PAD,
    STRIP,
    WIDTH,
    add_product,
    add_transposed_product,
    fill_panels,
    fill_strips,
    set_product,
)
from shinso.nn.kernels.scratch import scratch

BLOCK = 128


@kernel
def _pack_layers(weights, panels):  # pragma: no cover
    """The weights of each layer, (in, out), in panels as ``matrix_numba`` reads them."""
    for layer in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            for j in range(weights.shape[2]):
                panels[layer, j // WIDTH, k, j % WIDTH] = weights[layer, k, j]


def pack_layers(weights, name):
    """Panels of (layer, in, out) in the scratch memory of this name."""
    layers, depth, columns = weights.shape
    panels = scratch(name, layers, -(-columns // WIDTH), depth, WIDTH)
    _pack_layers(weights, panels)
    return panels


@kernel
def dilated_forward(
    lo, hi, time, dilations, bias, past, now, residual, skip, x, g, keep, out
):  # pragma: no cover
    """Adds the skips' sum to out and fills x, whose first layer is given, and, to ``keep``, g.

    bias (layer, batch, 2 R). past, now, residual, skip: packed for each layer.
    """
    layers, _, width = x.shape
    skips = out.shape[1]
    z, own = np.empty((BLOCK, width), np.float32), np.empty((BLOCK, 2 * width), np.float32)
    for b in range(lo, hi):
        for begin in range(0, time, BLOCK):
            some, row = min(BLOCK, time - begin), b * time + begin
            for layer in range(layers):
                ago, here = dilations[layer], x[layer]
                gate, place = (g[layer], row) if keep else (own, 0)
                set_product(here, row, 0, now[layer], bias[layer, b], gate, place, some)
                first = min(max(ago - begin, 0), some)  # row of the block that has a past
                if first < some:
                    add_product(
                        here, row + first - ago, 0, past[layer], gate, place + first, some - first,
                        2 * width,
                    )  # fmt: skip
                for r in range(some):
                    opened, product = gate[place + r], z[r]
                    for j in range(width):
                        opened[j] = tanh(opened[j])
                    for j in range(width, 2 * width):
                        opened[j] = sigmoid(opened[j])
                    for j in range(width):
                        product[j] = opened[j] * opened[width + j]
                if layer + 1 < layers:
                    following = x[layer + 1]
                    following[row : row + some] = here[row : row + some]
                    add_product(z, 0, 0, residual[layer], following, row, some, width)
                add_product(z, 0, 0, skip[layer], out, row, some, skips)


@kernel
def dilated_backward(
    lo, hi, time, dilations, past, now, residual, skip, x, g, error, zeros,
    dx, d_bias, d_past, d_now, d_residual, d_skip,
):  # fmt: skip  # pragma: no cover
    """Adds gradients of the weights, each (layer, out, in), and of the bias; dx, zero before,
    becomes those of all layers' inputs. past, now, residual, skip: packed the other way round."""
    layers, _, width = x.shape
    skips = error.shape[1]
    z, dz = np.empty((BLOCK, width), np.float32), np.empty((BLOCK, width), np.float32)
    dg, unused = np.empty((BLOCK, 2 * width), np.float32), np.zeros(2 * width, np.float32)
    depth, widest = BLOCK + PAD, -(-max(2 * width, skips) // STRIP) * STRIP
    strips = np.empty(depth * widest, np.float32)
    error_strips = np.empty(depth * widest, np.float32)
    seen = np.empty(BLOCK * -(-width // WIDTH) * WIDTH, np.float32)
    spoken = np.empty(BLOCK * -(-width // WIDTH) * WIDTH, np.float32)
    rows, own = np.empty(BLOCK, np.int64), np.arange(BLOCK)
    unused_skips = np.zeros(skips, np.float32)
    for b in range(lo, hi):
        for begin in range((time - 1) // BLOCK * BLOCK, -1, -BLOCK):
            some, row = min(BLOCK, time - begin), b * time + begin
            fill_strips(error, row, some, 0, skips, error_strips, unused_skips)
            for layer in range(layers - 1, -1, -1):
                ago, here, below = dilations[layer], x[layer], dx[layer]
                first = min(max(ago - begin, 0), some)
                set_product(error, row, 0, skip[layer], zeros, dz, 0, some)
                if layer + 1 < layers:
                    above = dx[layer + 1]
                    add_product(above, row, 0, residual[layer], dz, 0, some, width)
                    for r in range(row, row + some):
                        lower, upper = below[r], above[r]
                        for j in range(width):
                            lower[j] += upper[j]
                for r in range(some):
                    opened, product, back, d = g[layer, row + r], z[r], dz[r], dg[r]
                    for j in range(width):
                        a, s = opened[j], opened[width + j]
                        product[j] = a * s
                        d[j] = back[j] * s * (ONE - a * a)
                        d[width + j] = back[j] * a * s * (ONE - s)
                add_product(dg, 0, 0, now[layer], below, row, some, width)
                if first < some:
                    add_product(
                        dg, first, 0, past[layer], below, row + first - ago, some - first, width
                    )
                # Weights: each sample's error times what the layer saw.
                for r in range(some):
                    rows[r] = row + r
                fill_strips(dg, 0, some, 0, 2 * width, strips, d_bias[layer, b])
                fill_panels(here, here, rows[:some], seen)
                add_transposed_product(strips, some, seen, d_now[layer])
                if first < some:
                    for r in range(first, some):
                        rows[r] = row + r - ago
                    if first:
                        fill_strips(dg, first, some - first, 0, 2 * width, strips, unused)
                    fill_panels(here, here, rows[first:some], seen)
                    add_transposed_product(strips, some - first, seen, d_past[layer])
                fill_panels(z, z, own[:some], spoken)
                add_transposed_product(error_strips, some, spoken, d_skip[layer])
                if layer + 1 < layers:
                    fill_strips(dx[layer + 1], row, some, 0, width, strips, unused)
                    add_transposed_product(strips, some, spoken, d_residual[layer])
