"""Gradient of a linear layer's weights and biases."""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel
from shinso.nn.kernels.matrix_numba import add_transposed_product, fill_panels, fill_strips

DEPTH = 256  # rows whose shares are added up at a time


@kernel
def weight_gradient(lo, hi, x, error, strips, panels, d_weight, d_bias):  # pragma: no cover
    """d_weight += errorᵀ x and d_bias += Σ error, over rows lo … hi-1."""
    for first in range(lo, hi, DEPTH):
        depth = min(DEPTH, hi - first)
        fill_strips(error, first, depth, 0, error.shape[1], strips, d_bias)
        fill_panels(x, x, np.arange(first, first + depth), panels)
        add_transposed_product(strips, depth, panels, d_weight)
