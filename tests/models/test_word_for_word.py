"""IBM model 1 finds which words go together."""

from __future__ import annotations

import numpy as np

from shinso.models.word_for_word import word_table


def by_hand(source, target, num_source, num_target, rounds):
    """The textbook's loops (Brown et al. 1993)."""
    chance = np.full((num_source, num_target), 1 / num_target)
    for _round in range(rounds):
        counts = np.zeros_like(chance)
        for one, other in zip(source, target, strict=True):
            for f in other:
                total = sum(chance[e, f] for e in one)
                for e in one:
                    counts[e, f] += chance[e, f] / total
        sums = counts.sum(1, keepdims=True)
        chance = np.divide(counts, sums, out=chance.copy(), where=sums > 0)
    return chance


def test_word_table_matches_the_textbook():
    rng = np.random.default_rng(0)
    source = [rng.integers(0, 8, rng.integers(1, 6)).tolist() for _ in range(30)]
    # word e goes with word e + 1, in any order, among a few others
    target = [[*(e + 1 for e in one), int(rng.integers(0, 10))] for one in source]
    found = word_table(source, target, 9, 10, rounds=4)
    expected = by_hand(source, target, 9, 10, 4)
    seen = sorted({e for one in source for e in one})
    assert found[seen].tolist() == expected[seen].argmax(1).tolist()
    assert found[8] == -1  # never seen
    assert np.mean([found[e] == e + 1 for e in seen]) > 0.8


def test_only_so_many_pairs_of_words_are_looked_at():
    source, target = [[0], [1]], [[1], [2]]
    assert word_table(source, target, 2, 3, most_places=1).tolist() == [1, -1]
