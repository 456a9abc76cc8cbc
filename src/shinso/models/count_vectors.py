"""Word vectors without learning: positive pointwise mutual information and its decomposition
(Levy & Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization")."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int

SMOOTHING = 0.75  # of the context's share (Levy, Goldberg & Dagan 2015), as in the noise


def ppmi_svd(
    numbers: Int[np.ndarray, " token"], num_words: int, *, dim: int, window: int, limit: int
) -> Float32[np.ndarray, "word dim"]:
    """U √Σ of max(0, log p(a, b) / (p(a) p(b))) for the ``limit`` most frequent words; the others
    have the vector 0. Nearer words count more, as with word2vec's dynamic window."""
    from sklearn.utils.extmath import randomized_svd

    from shinso.nn.kernels.word2vec_numba import count_windows

    limit = min(limit, num_words)
    counts = np.zeros((limit, limit), dtype=np.float32)
    count_windows(np.asarray(numbers), limit, window, counts)
    rows = counts.sum(axis=1, keepdims=True)
    columns = rows.T**SMOOTHING
    # p(a, b) / (p(a) p(b)) with p(b) smoothed: the sums of both cancel once.
    with np.errstate(divide="ignore", invalid="ignore"):
        counts *= columns.sum() / (rows * columns)
        np.log(counts, out=counts)
    positive = np.nan_to_num(np.maximum(counts, 0), nan=0.0, posinf=0.0)
    rank = min(dim, limit - 1) or 1
    left, values, _right = randomized_svd(positive, rank, n_iter=3, random_state=0)  # pyright: ignore[reportArgumentType]
    vectors = np.zeros((num_words, rank), dtype=np.float32)
    vectors[:limit] = left * np.sqrt(values)
    return vectors
