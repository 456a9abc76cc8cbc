"""A multilayer perceptron whose parameters are one vector: forward, backward, Adam.

For the small networks of reinforcement learning a framework's step is nearly all overhead: some
hundred operations of microseconds each around a millisecond of arithmetic. Here a whole update is
one compiled call; the products are BLAS's.

Layout of the vector: for each layer its matrix (inputs × outputs, row by row), then its biases.
"""

import numpy as np

from shinso.nn.kernels.activation_numba import tanh
from shinso.nn.kernels.compile_numba import kernel

TANH, RELU = 0, 1
ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def forward(theta, sizes, kind, x, outputs):  # pragma: no cover
    """Outputs of every layer, one after another in ``outputs``; the last one is returned.

    x: (batch, sizes[0]). The last layer is linear, the others have the activation ``kind``.
    """
    batch, at, place = x.shape[0], 0, 0
    below = x
    for layer in range(len(sizes) - 1):
        inputs, units = sizes[layer], sizes[layer + 1]
        weight = theta[at : at + inputs * units].reshape(inputs, units)
        bias = theta[at + inputs * units : at + inputs * units + units]
        out = outputs[place : place + batch * units].reshape(batch, units)
        np.dot(below, weight, out)
        hidden = layer < len(sizes) - 2
        for row in range(batch):
            line = out[row]
            if hidden and kind == TANH:
                for unit in range(units):
                    line[unit] = tanh(line[unit] + bias[unit])
            elif hidden:
                for unit in range(units):
                    value = line[unit] + bias[unit]
                    line[unit] = ZERO if value < ZERO else value
            else:
                for unit in range(units):
                    line[unit] += bias[unit]
        at += (inputs + 1) * units
        place += batch * units
        below = out
    return below


@kernel
def backward(theta, sizes, kind, x, outputs, error, gradient):  # pragma: no cover
    """Write the gradient of every parameter; ``outputs`` are those of ``forward``.

    error: (batch, sizes[-1]), the loss's derivative with respect to the last layer's outputs.
    """
    batch, at, place = x.shape[0], len(theta), 0
    for layer in range(1, len(sizes)):
        place += batch * sizes[layer]
    for layer in range(len(sizes) - 2, -1, -1):
        inputs, units = sizes[layer], sizes[layer + 1]
        at -= (inputs + 1) * units
        place -= batch * units
        below = x
        if layer > 0:
            below = outputs[place - batch * inputs : place].reshape(batch, inputs)
        np.dot(below.T, error, gradient[at : at + inputs * units].reshape(inputs, units))
        of_bias = gradient[at + inputs * units : at + (inputs + 1) * units]
        of_bias[:] = ZERO
        for row in range(batch):
            line = error[row]
            for unit in range(units):
                of_bias[unit] += line[unit]
        if layer > 0:
            weight = theta[at : at + inputs * units].reshape(inputs, units)
            lower = np.empty((batch, inputs), np.float32)
            np.dot(error, weight.T, lower)
            for row in range(batch):
                line, value = lower[row], below[row]
                if kind == TANH:
                    for unit in range(inputs):
                        line[unit] *= ONE - value[unit] * value[unit]
                else:
                    for unit in range(inputs):
                        line[unit] = line[unit] if value[unit] > ZERO else ZERO
            error = lower


@kernel
def clip(gradient, largest):  # pragma: no cover
    """Scale the gradient to a norm of at most ``largest`` (0: leave it); its norm before."""
    total = ZERO
    for i in range(len(gradient)):
        total += gradient[i] * gradient[i]
    norm = np.sqrt(total)
    if largest > 0 and norm > largest:
        factor = np.float32(largest / (norm + 1e-6))
        for i in range(len(gradient)):
            gradient[i] *= factor
    return norm


@kernel
def adam(theta, gradient, first, second, time, lr, beta_1, beta_2, epsilon):  # pragma: no cover
    """One update (Kingma & Ba 2015, algorithm 1). time: updates so far with this one."""
    keep_1, keep_2 = np.float32(beta_1), np.float32(beta_2)
    add_1, add_2 = np.float32(1 - beta_1), np.float32(1 - beta_2)
    root = np.float32(np.sqrt(1 - beta_2**time))
    step, small = np.float32(lr / (1 - beta_1**time)), np.float32(epsilon)
    for i in range(len(theta)):
        g = gradient[i]
        m = keep_1 * first[i] + add_1 * g
        v = keep_2 * second[i] + add_2 * g * g
        first[i], second[i] = m, v
        theta[i] -= step * m / (np.sqrt(v) / root + small)
