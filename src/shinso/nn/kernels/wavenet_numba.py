"""A WaveNet that speaks: one sample after another, each layer keeping what it will look back at."""

import math

import numpy as np

from shinso.nn.kernels.activation_numba import ZERO, sigmoid, tanh
from shinso.nn.kernels.compile_numba import kernel

LEVELS = 32768.0  # of a 16-bit sample, on each side of 0
SMALLEST_LOG_SCALE = -9.0  # a logistic a few levels wide; narrower ones only make steps diverge


@kernel
def add_row_product(y, weights, x):  # pragma: no cover
    """y += x W, four rows of W for each pass over y. len(x) is a multiple of 4."""
    for i in range(0, weights.shape[0], 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        first, second, third, fourth = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for j in range(y.shape[0]):
            y[j] += a * first[j] + b * second[j] + c * third[j] + d * fourth[j]


@kernel
def draw_index(scores, temperature, chance):  # pragma: no cover
    """The first index at which the softmax's running sum passes ``chance``, in float64."""
    largest = scores[0]
    for score in scores:
        largest = max(largest, score)
    total = 0.0
    for score in scores:
        total += math.exp((score - largest) / temperature)
    wanted, reached = chance * total, 0.0
    for index in range(scores.shape[0]):
        reached += math.exp((scores[index] - largest) / temperature)
        if reached > wanted:
            return index
    return scores.shape[0] - 1


@kernel
def draw_logistic(parameters, temperature, chances):  # pragma: no cover
    """A 16-bit sample of a mixture of logistics: a component, then its inverse distribution."""
    count = parameters.shape[0] // 3
    one = draw_index(parameters[:count], temperature, chances[0])
    middle, log_scale = (
        parameters[count + one],
        max(parameters[2 * count + one], SMALLEST_LOG_SCALE),
    )
    spread = math.log(chances[1]) - math.log1p(-chances[1])
    value = middle + math.exp(log_scale) * temperature * spread
    return min(max(np.round(value * LEVELS), -LEVELS), LEVELS - 1.0) / LEVELS


@kernel
def speak(
    embed,
    queues,
    offsets,
    dilations,
    past,
    now,
    bias,
    onward,
    skip_bias,
    w_1,
    b_1,
    w_2,
    b_2,
    is_mixture,
    start,
    temperature,
    chances,
    place,
    out,
):  # pragma: no cover
    """Fills out with samples; the n-th of this call is number ``place`` + n of the whole.

    queues holds each layer's last ``dilation`` inputs in a ring, so that a sample costs a layer
    two products whatever its dilation. past, now (layer, R, 2 R); onward (layer, R, R + S) is
    residual and skip. embed: a row for each class; for a mixture, the slope and the offset.
    """
    layers, width, _ = past.shape
    skips, outputs = w_1.shape[0], w_2.shape[1]
    h, z = np.empty(width, np.float32), np.empty(width, np.float32)
    g, parts = np.empty(2 * width, np.float32), np.empty(width + skips, np.float32)
    first, second = g[:width], g[width:]
    k, u = np.empty(skips, np.float32), np.empty(skips, np.float32)
    y = np.empty(outputs, np.float32)
    value = start
    for step in range(out.shape[0]):
        if is_mixture:
            for j in range(width):
                h[j] = np.float32(value) * embed[0, j] + embed[1, j]
        else:
            h[:] = embed[int(value)]
        k[:] = skip_bias
        for layer in range(layers):
            ago = queues[offsets[layer] + (place + step) % dilations[layer]]
            g[:] = bias[layer]
            add_row_product(g, past[layer], ago)
            add_row_product(g, now[layer], h)
            ago[:] = h
            for j in range(width):
                first[j] = tanh(first[j])
            for j in range(width):
                second[j] = sigmoid(second[j])
            for j in range(width):
                z[j] = first[j] * second[j]
            parts[:] = ZERO
            add_row_product(parts, onward[layer], z)
            for j in range(width):
                h[j] += parts[j]
            for j in range(skips):
                k[j] += parts[width + j]
        for j in range(skips):
            k[j] = max(k[j], ZERO)
        u[:] = b_1
        add_row_product(u, w_1, k)
        for j in range(skips):
            u[j] = max(u[j], ZERO)
        y[:] = b_2
        add_row_product(y, w_2, u)
        if is_mixture:
            value = draw_logistic(y, temperature, chances[step])
        else:
            value = float(draw_index(y, temperature, chances[step, 0]))
        out[step] = value
