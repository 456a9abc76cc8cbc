"""Augmented batches: the same whoever makes them, and made ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.augmentation import (
    POINTS,
    Augmentation,
    AugmentedSamples,
    bent,
    cut_out,
    draws,
    mixed,
    moved,
)
from shinso.data.image_batches import ImageSamples, PixelScale
from shinso.data.image_source import AugmentedSource
from shinso.data.labelled_images import LabelledImages
from shinso.data.prefetched import Prefetched

EVERYTHING = Augmentation(shift_px=2, flip=True, cutout_px=3, mixup=0.4, strength=9, elastic_px=1)


def samples_of(count: int = 20) -> ImageSamples:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 2, 7, 9), dtype=np.uint8)
    labels = tuple("ab"[n % 2] for n in range(count))
    names = tuple(map(str, range(count)))
    images = LabelledImages(Path("x"), pixels, labels, names, "0" * 64)
    return ImageSamples(images, None, PixelScale.fit(pixels), ("a", "b"))


def source_of(how: Augmentation = EVERYTHING, seed: int = 0) -> AugmentedSource:
    return AugmentedSource(AugmentedSamples(samples_of(), how, seed), 6, seed)


def test_draws_are_uniform_and_their_own() -> None:
    numbers = draws(1, 2, np.arange(20_000), 3)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01
    assert abs(numbers.var() - 1 / 12) < 0.002
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        seed, epoch, purpose = other
        again = draws(seed, epoch, np.arange(20_000), purpose)
        assert abs(np.corrcoef(numbers, again)[0, 1]) < 0.03
    # A number belongs to its image, not to its place in the batch.
    assert draws(1, 2, np.array([7]), 3)[0] == numbers[7]


@given(down=st.integers(-3, 3), right=st.integers(-3, 3), mirrored=st.booleans())
def test_moving_holds_for_any_shift(down: int, right: int, mirrored: bool) -> None:
    pixels = torch.arange(1, 36, dtype=torch.uint8).view(1, 1, 5, 7)
    found = moved(pixels, np.array([down]), np.array([right]), np.array([mirrored]))[0, 0]
    wanted = torch.zeros(5, 7, dtype=torch.uint8)
    for y in range(5):
        for x in range(7):
            if 0 <= y - down < 5 and 0 <= x - right < 7:
                wanted[y, x] = pixels[0, 0, y - down, x - right]
    assert torch.equal(found, wanted.flip(1) if mirrored else wanted)


def test_cut_out_blanks_one_square_and_mixup_keeps_shares() -> None:
    images = torch.ones(3, 1, 8, 8)
    hole = cut_out(images, np.array([0.5, 0.0, 0.99]), np.array([0.5, 0.0, 0.99]), 3)
    assert (hole == 0).sum((1, 2, 3)).tolist() == [9, 4, 4]
    shares = torch.eye(3)
    pictures, blended = mixed(torch.arange(3.0).view(3, 1, 1, 1), shares, np.full(3, 0.3), 0.4)
    torch.testing.assert_close(blended.sum(1), torch.ones(3))
    torch.testing.assert_close(pictures.flatten(), blended @ torch.arange(3.0))
    assert 0 < blended[0, 0] < 1


def test_a_field_that_is_the_same_everywhere_shifts_and_others_bend_smoothly() -> None:
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 9, 12))).float()
    field = np.zeros((2, 2, POINTS, POINTS))
    torch.testing.assert_close(bent(images, field), images)
    # Read two to the right and one below: the image goes the other way.
    field[:, 0], field[:, 1] = 2, 1
    torch.testing.assert_close(bent(images, field)[:, :, :-1, :-2], images[:, :, 1:, 2:])
    # A slope's values say where they were read: as far away as the field says, and smoothly.
    slope = torch.arange(41.0).expand(1, 1, 41, 41)
    field = np.zeros((1, 2, POINTS, POINTS))
    field[0, 0, 2, 2] = 3
    read = bent(slope, field)[0, 0] - slope[0, 0]
    assert read[20, 20] == pytest.approx(3, abs=1e-4)
    assert read.abs().max() <= 3.01
    assert read.diff(dim=1).abs().max() < 0.6
    assert read.diff(dim=0).abs().max() < 0.6


def test_without_augmentation_images_are_as_they_are() -> None:
    samples = samples_of()
    plain = AugmentedSamples(samples, Augmentation(), 0).take_in(np.array([3, 1]), 5)
    assert torch.equal(plain.images, samples.take(np.array([3, 1])).images)


def test_batches_are_whole_and_each_epoch_changes_images_anew() -> None:
    source = source_of()
    batches = [source.next_batch() for _ in range(9)]
    assert {len(batch.images) for batch in batches} == {6}
    one, two = (
        AugmentedSamples(samples_of(), EVERYTHING, 0).take_in(np.arange(6), e) for e in (0, 1)
    )
    assert not torch.equal(one.images, two.images)
    few = source.fixed_subset(4)
    assert len(few.next_batch().images) == 4


@pytest.mark.parametrize("stopped", [0, 1, 5, 11])
def test_prefetched_batches_resume_bit_for_bit(stopped: int) -> None:
    plain = source_of()
    wanted = [plain.next_batch() for _ in range(16)]
    ahead = Prefetched(source_of())
    for number in range(stopped):
        assert torch.equal(ahead.next_batch().images, wanted[number].images)
    state = ahead.state_dict()
    other = Prefetched(source_of())
    other.next_batch()  # it had begun with something else
    other.load_state_dict(state)
    for number in range(stopped, 16):
        batch = other.next_batch()
        assert torch.equal(batch.images, wanted[number].images)
        assert torch.equal(batch.shares, wanted[number].shares)


def test_an_error_on_the_thread_is_raised_where_the_batch_is_asked_for() -> None:
    class Broken:
        def next_batch(self):
            raise OSError("disk gone")

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    ahead = Prefetched(Broken())
    with pytest.raises(OSError, match="disk gone"):
        ahead.next_batch()
