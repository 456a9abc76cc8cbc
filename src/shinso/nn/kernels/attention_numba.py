"""Attention of one query a row to keys and values that lie anywhere in a table."""

import numpy as np

from shinso.nn.kernels.compile_numba import kernel

ZERO, ONE, NEVER = np.float32(0), np.float32(1), np.float32(-np.inf)


@kernel
def attend_rows(query, memory, places, counts, heads, weights, out):  # pragma: no cover
    """out = softmax(q · k / √size) v for each row and head (Vaswani et al. 2017, eq. 1).

    query: its first columns are the heads' queries. memory: keys, and values right behind them. A
    row looks at the first ``counts`` of its ``places``, rows of memory; at none, its answer is 0.
    weights: room for the largest count.
    """
    rows, width = out.shape
    size = width // heads
    scale = ONE / np.sqrt(np.float32(size))
    for row in range(rows):
        count = counts[row]
        for first in range(0, width, size):
            q, answer = query[row, first : first + size], out[row, first : first + size]
            answer[:] = ZERO
            largest, total = NEVER, ZERO
            for i in range(count):
                k, score = memory[places[row, i], first : first + size], ZERO
                for j in range(size):
                    score += q[j] * k[j]
                score *= scale
                weights[i] = score
                largest = score if score > largest else largest
            for i in range(count):
                weights[i] = np.exp(weights[i] - largest)
                total += weights[i]
            for i in range(count):
                v = memory[places[row, i], width + first : width + first + size]
                weight = weights[i] / total
                for j in range(size):
                    answer[j] += weight * v[j]
