"""Translation of each word by itself: the naive rival of every translator.

IBM model 1 (Brown et al. 1993, section 4.1) knows which words go together and nothing of order or
context: t(f|e) of the pairs of words that share a sentence pair, by expectation–maximization.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def word_table(
    source: Sequence[Sequence[int]],
    target: Sequence[Sequence[int]],
    num_source: int,
    num_target: int,
    *,
    rounds: int = 5,
    most_places: int = 20_000_000,
) -> Int[np.ndarray, " source"]:
    """The likeliest translation of each source word; −1 for words never seen.

    most_places: pairs of words looked at, so that a large corpus does not fill the memory: its
    first sentences are then taken.
    """
    sizes = np.cumsum([len(one) * len(other) for one, other in zip(source, target, strict=True)])
    taken = max(1, int(np.searchsorted(sizes, most_places)))
    pairs = list(zip(source[:taken], target[:taken], strict=True))
    left = [np.repeat(np.asarray(one, dtype=np.int64), len(other)) for one, other in pairs]
    right = [np.tile(np.asarray(other, dtype=np.int64), len(one)) for one, other in pairs]
    # Each word of a target is explained by the words of its own source: one sum for each of them.
    firsts = np.cumsum([0, *(len(other) for _one, other in pairs)])
    explained = np.concatenate(
        [
            np.tile(np.arange(first, first + len(other)), len(one))
            for first, (one, other) in zip(firsts, pairs, strict=False)
        ]
    )
    kinds, kind = np.unique(
        np.concatenate(left) * num_target + np.concatenate(right), return_inverse=True
    )
    words = kinds // num_target
    chance = np.full(len(kinds), 1.0 / num_target)
    for _round in range(rounds):
        each = chance[kind]
        total = np.bincount(explained, each)
        counts = np.bincount(kind, each / total[explained])
        chance = counts / np.bincount(words, counts, minlength=num_source)[words]
    best = np.full(num_source, -1, dtype=np.int64)
    order = np.lexsort((-kinds, chance))  # the likeliest last; of equals the smaller number
    best[words[order]] = kinds[order] % num_target
    return best
