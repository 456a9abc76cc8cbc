from __future__ import annotations

import json
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.contracts import Stateful
from shinso.data.shuffled import ShuffledSource
from shinso.faults import RunFault


class Numbers:
    """Samples that are their own number."""

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples

    def __len__(self) -> int:
        return self.num_samples

    def take(self, indices: np.ndarray) -> list[int]:
        return indices.tolist()


def source(
    num_samples: int, batch_size: int, seed: int = 0, *, bucketed: bool = False
) -> ShuffledSource[list[int]]:
    lengths = np.random.default_rng(9).integers(1, 50, num_samples) if bucketed else None
    return ShuffledSource(Numbers(num_samples), batch_size, seed, lengths=lengths, bucket_batches=3)


@given(
    st.integers(1, 40), st.integers(1, 45), st.integers(0, 60), st.integers(0, 99), st.booleans()
)
def test_source_resumes_anywhere(
    num_samples: int, batch_size: int, steps: int, seed: int, bucketed: bool
) -> None:
    whole = source(num_samples, batch_size, seed, bucketed=bucketed)
    for _ in range(steps):
        whole.next_batch()
    state = json.loads(json.dumps(whole.state_dict()))
    again = source(num_samples, batch_size, seed, bucketed=bucketed)
    again.load_state_dict(state)
    for _ in range(5):
        assert again.next_batch() == whole.next_batch()


@given(st.integers(1, 40), st.integers(1, 45), st.booleans())
def test_every_epoch_holds_for_any_batch_size(
    num_samples: int, batch_size: int, bucketed: bool
) -> None:
    one = source(num_samples, batch_size, bucketed=bucketed)
    for _ in range(3):
        epoch = [one.next_batch() for _ in range(-(-num_samples // batch_size))]
        assert sorted(chain.from_iterable(epoch)) == list(range(num_samples))
        assert all(len(batch) == batch_size for batch in epoch[:-1])


def test_epochs_and_seeds_differ() -> None:
    one, other = source(50, 50, 1), source(50, 50, 2)
    epochs = [one.next_batch(), one.next_batch(), other.next_batch()]
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_buckets_leave_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    rng_order = ShuffledSource(Numbers(1000), 10, 0)
    bucketed = ShuffledSource(Numbers(1000), 10, 0, lengths=lengths)

    def padding(one: ShuffledSource[list[int]]) -> int:
        batches = [lengths[one.next_batch()] for _ in range(100)]
        return sum(int((batch.max() - batch).sum()) for batch in batches)

    assert padding(bucketed) < padding(rng_order) / 10


@pytest.mark.parametrize("wanted", [1, 8, 99])
def test_fixed_subset_stays_the_same(wanted: int) -> None:
    one = source(20, 4)
    small = one.fixed_subset(wanted)
    for _ in range(7):
        one.next_batch()
    later = one.fixed_subset(wanted)
    assert len(small) == min(wanted, 20)
    seen = {n for _ in range(30) for n in small.next_batch()}
    assert len(seen) == min(wanted, 20)
    assert seen == {n for _ in range(30) for n in later.next_batch()}


def test_other_data_is_refused_on_resume() -> None:
    with pytest.raises(RunFault, match="RUN-OTHER-DATA"):
        source(20, 4).load_state_dict(source(21, 4).state_dict())
    with pytest.raises(RunFault, match="RUN-OTHER-DATA"):
        source(20, 4, 1).load_state_dict(source(20, 4, 2).state_dict())


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        source(0, 4)
    with pytest.raises(ValueError, match="batch_size is 0"):
        source(4, 0)
    with pytest.raises(ValueError, match="num_samples is 0"):
        source(4, 1).fixed_subset(0)


def test_source_is_stateful() -> None:
    assert isinstance(source(4, 2), Stateful)
