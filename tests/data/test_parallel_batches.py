"""Batches by number of words: each pair once an epoch, and where a stop left off."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data.parallel_batches import ParallelSamples, TokenBatches, cut, padded, seen
from shinso.data.subwords import BEGIN, END, PAD
from shinso.faults import RunFault


def make(number: int, seed: int = 0) -> ParallelSamples:
    rng = np.random.default_rng(seed)
    sides = [[[10 + i] * int(rng.integers(0, 12)) for i in range(number)] for _ in range(2)]
    return ParallelSamples(*sides)


def test_signs_and_padding_stand_where_they_belong():
    batch = ParallelSamples([[5, 6], [7]], [[8], []]).take([0, 1])
    assert batch.source.tolist() == [[5, 6, END], [7, END, PAD]]
    assert batch.target.tolist() == [[BEGIN, 8, END], [BEGIN, END, PAD]]
    assert batch.source_lengths.tolist() == [3, 2]
    assert batch.target_lengths.tolist() == [3, 2]
    assert seen(batch.source_lengths, 3).tolist() == [[True] * 3, [True, True, False]]
    assert seen(torch.tensor([3, 3]), 3) is None
    assert padded([[1]])[0].tolist() == [[1]]


@given(
    number=st.integers(1, 60), tokens=st.integers(1, 200), sentences=st.integers(1, 20),
    seed=st.integers(0, 1000),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_pair_comes_once_within_bounds_holds_for_any_sizes(number, tokens, sentences, seed):
    samples = make(number, seed)
    source = TokenBatches(samples, tokens=tokens, sentences=sentences, seed=seed)
    for _epoch in range(2):
        names: Counter[int] = Counter()
        batches = len(source._batches_of(source.epoch))
        for _ in range(batches):
            batch = source.next_batch()
            rows = len(batch.source)
            places = batch.source.numel() + batch.target.numel()
            assert rows == 1 or (places <= tokens and rows <= sentences)
            names.update(
                (tuple(s.tolist()), tuple(t.tolist()))
                for s, t in zip(
                    (row[:n] for row, n in zip(batch.source, batch.source_lengths, strict=True)),
                    (row[:n] for row, n in zip(batch.target, batch.target_lengths, strict=True)),
                    strict=True,
                )
            )
        every = Counter(
            (tuple(s), tuple(t)) for s, t in zip(samples.source, samples.target, strict=True)
        )
        assert names == every


def test_source_resumes_at_the_next_batch():
    samples = make(50)
    whole = TokenBatches(samples, tokens=60, sentences=8, seed=3)
    for _ in range(17):
        whole.next_batch()
    again = TokenBatches(samples, tokens=60, sentences=8, seed=3)
    again.load_state_dict(whole.state_dict())
    for _ in range(20):
        one, two = whole.next_batch(), again.next_batch()
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    other = TokenBatches(make(49), tokens=60, sentences=8, seed=3)
    with pytest.raises(RunFault, match="RUN-OTHER-DATA"):
        other.load_state_dict(whole.state_dict())


def test_little_of_a_batch_is_padding():
    samples = make(2000)
    source = TokenBatches(samples, tokens=400, sentences=1000, seed=0)
    places, real = 0, 0
    for _ in range(50):
        batch = source.next_batch()
        places += batch.source.numel() + batch.target.numel()
        real += int(batch.source_lengths.sum() + batch.target_lengths.sum())
    assert real / places > 0.85


def test_by_length_gives_all_and_subset_the_same_few():
    samples = make(30)
    found = [len(batch.source) for batch in samples.by_length(50)]
    assert sum(found) == 30
    assert len(found) > 3
    few = TokenBatches(samples, tokens=1000, sentences=100, seed=1).fixed_subset(3)
    one, two = few.next_batch(), few.next_batch()
    assert len(one.source) == 3
    assert sorted(one.source_lengths.tolist()) == sorted(two.source_lengths.tolist())
    with pytest.raises(ValueError, match="no pairs"):
        TokenBatches(samples, tokens=1, sentences=1, seed=0, only=np.array([], dtype=np.int64))


def test_a_pair_longer_than_a_batch_comes_alone():
    batches = cut(np.arange(3), np.array([9, 1, 1]), np.array([9, 1, 1]), 8, 10)
    assert [batch.tolist() for batch in batches] == [[0], [1, 2]]
