"""Crops of sound: what is counted, what is only heard, and resuming."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.data.sound_crops import SoundClips, SoundCrops
from shinso.faults import RunFault


def clips(lengths=(5, 40, 12, 30)) -> SoundClips:
    values = [np.arange(length).astype(np.int16) for length in lengths]
    classes = [np.full(length, 10 + place, np.uint8) for place, length in enumerate(lengths)]
    return SoundClips(classes, values, list(range(len(lengths))))


def crops(**more) -> SoundCrops:
    settings = {"batch_size": 3, "crop": 10, "context": 7, "seed": 0, **more}
    return SoundCrops(clips(), **settings)


def test_counted_samples_have_their_whole_context():
    source = crops()
    for _ in range(50):
        batch = source.next_batch()
        for row in range(3):
            length = clips().lengths[int(batch.labels[row])]
            values = (batch.values[row] * 32768).round()
            counted = batch.counted[row]
            assert counted.sum() == min(10, length)
            first = int(counted.nonzero()[0])
            begin = int(values[0])  # each sample is its own place in the clip
            assert first == min(begin + first, 7)
            assert (values[first : first + 3].diff() == 1).all()


def test_every_sample_is_counted_sooner_or_later():
    source, seen = crops(), [np.zeros(length, int) for length in clips().lengths]
    for _ in range(400):
        batch = source.next_batch()
        for row in range(3):
            places = (batch.values[row][batch.counted[row]] * 32768).round().long()
            seen[int(batch.labels[row])][places.numpy()] += 1
    assert min(one.min() for one in seen) > 0


def test_state_brings_back_the_next_batch():
    one, other = crops(), crops()
    for _ in range(4):
        one.next_batch()
    other.load_state_dict(one.state_dict())
    a, b = one.next_batch(), other.next_batch()
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    with pytest.raises(RunFault, match="RUN-OTHER-DATA"):
        crops(seed=1).load_state_dict(one.state_dict())


def test_whole_clips_come_once_each():
    some = clips()
    found = list(some.batches(some.pieces(1000, 7), 50))
    counted = [batch.counted.sum(1) for _rows, batch in found]
    assert sorted(int(n) for part in counted for n in part) == [5, 12, 30, 40]
    assert max(part.numel() for part in counted) == 2
    assert all(rows.tolist() == batch.labels.tolist() for rows, batch in found)
    pieces = [some.pieces(1000, 7)[clip] for clip in (1, 3)]
    assert [rows.tolist() for rows, _batch in some.batches(pieces, 1000)] == [[3, 1]]


def test_long_clips_come_in_pieces_that_count_each_sample_once():
    some = clips()
    seen = [np.zeros(length, int) for length in some.lengths]
    for rows, batch in some.batches(some.pieces(15, 7), 40):
        assert batch.values.shape[1] <= 15 + 7
        for row, clip in enumerate(rows.tolist()):
            places = (batch.values[row] * 32768).round().long().numpy()
            counted = batch.counted[row].numpy()
            seen[clip][places[counted]] += 1
            first = int(np.argmax(counted))
            assert first == min(int(places[first]), 7)
    assert all((one == 1).all() for one in seen)


def test_subset_stays_the_same_however_far_the_source_is():
    source = crops()
    before = source.fixed_subset(2)
    source.next_batch()
    after = source.fixed_subset(2)
    assert (before.next_batch().values == after.next_batch().values).all()
    with pytest.raises(ValueError, match="give 1 or more"):
        source.fixed_subset(0)
    with pytest.raises(ValueError, match="no clips"):
        crops(only=[])
