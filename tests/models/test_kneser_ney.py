"""Kneser–Ney against its formulas written out with dictionaries, and as a probability."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.models.kneser_ney import KneserNey

texts = st.lists(st.integers(0, 4), min_size=1, max_size=80)


def by_dictionaries(text, kinds, order):
    """P(w | h) by Chen & Goodman's formulas, sequence by sequence."""
    raw = [
        Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1)) for n in range(order + 1)
    ]
    counts = []
    for n in range(1, order + 1):
        if n == order:
            counts.append(dict(raw[n]))
            continue
        # Below the highest order: in how many contexts; its own count where it never has one.
        befores = Counter(gram[1:] for gram in raw[n + 1])
        counts.append({gram: befores.get(gram, raw[n][gram]) for gram in raw[n]})

    def discounts(n):
        many = Counter(counts[n - 1].values())
        found = [0.0, 0.5, 0.75, 0.75]
        if many[1] and many[2]:
            y = many[1] / (many[1] + 2 * many[2])
            found[1] = 1 - 2 * y * many[2] / many[1]
            if many[3]:
                found[2] = 2 - 3 * y * many[3] / many[2]
                if many[4]:
                    found[3] = 3 - 4 * y * many[4] / many[3]
        return [
            d if 0 < d <= most else least
            for d, most, least in zip(found, (0, 1, 2, 3), (0, 0.5, 0.75, 0.75), strict=True)
        ]

    held = [discounts(n) for n in range(1, order + 1)]

    def probability(word, context):
        n = len(context) + 1
        lower = 1 / kinds if n == 1 else probability(word, context[1:])
        after = {g: c for g, c in counts[n - 1].items() if g[:-1] == context}
        total = sum(after.values())
        if not total:
            return lower
        d = held[n - 1]
        mass = sum(d[min(c, 3)] for c in after.values())
        own = after.get((*context, word), 0)
        return max(own - d[min(own, 3)], 0) / total + mass / total * lower

    return probability


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4))
def test_probabilities_match_the_formulas_for_any_text(text, order):
    model = KneserNey(np.array(text), 6, order)  # the sixth kind never occurs
    expected = by_dictionaries(text, 6, min(order, len(text)))
    rng = np.random.default_rng(0)
    new = rng.integers(0, 6, 12)
    logs = model.log_probabilities(new)
    for place, word in enumerate(new):
        context = tuple(new[max(0, place - min(order, len(text)) + 1) : place].tolist())
        assert np.exp(logs[place]) == pytest.approx(expected(int(word), context), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(texts, st.lists(st.integers(0, 5), max_size=6))
def test_probabilities_sum_to_one_for_any_context(text, context):
    model = KneserNey(np.array(text), 6, 3)
    chances = model.next_probabilities(np.array(context, dtype=np.int64))
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    assert (chances > 0).all()
    for word in range(6):
        one = model.log_probabilities(np.array([word]), np.array(context, dtype=np.int64))
        assert np.exp(one[0]) == pytest.approx(chances[word], rel=1e-12)


@pytest.mark.data
def test_perplexity_of_penn_treebank_is_the_published_one():
    """Mikolov et al. 2011 report 141.2 for modified Kneser–Ney of order 5."""
    import gzip

    from shinso.data import registry
    from shinso.data.token_codec import TokenCodec

    if registry.find("ptb") is None:
        pytest.skip("the Penn Treebank is not on this machine")
    train, test = (
        gzip.decompress(registry.require(f"ptb/ptb.{part}.txt.gz").read_bytes()).decode()
        for part in ("train", "test")
    )
    codec = TokenCodec.learn("word", train, min_count=1, size=0)
    model = KneserNey(codec.encode(train), len(codec), 5)
    found = float(np.exp(-model.log_probabilities(codec.encode(test)).mean()))
    assert found == pytest.approx(141.2, abs=0.5)
