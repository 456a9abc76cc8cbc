"""Boxes go where the pixels go."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data.box_augmentation import (
    AugmentedBoxes,
    BoxAugmentation,
    cropped,
    moved_boxes,
    toned,
    zoomed_out,
)
from shinso.data.boxed_batches import BoxedSamples, seen_through
from shinso.data.image_batches import PixelScale
from shinso.data.image_source import AugmentedSource
from shinso.data.labelled_boxes import BoxedImage

SCALE = PixelScale((100.0,), (50.0,))


def marked(boxes: list[tuple[int, int, int, int]], size=(60, 80)) -> np.ndarray:
    """A dark image with bright boxes."""
    pixels = np.full((1, *size), 20, dtype=np.uint8)
    for left, top, right, bottom in boxes:
        pixels[:, top:bottom, left:right] = 220
    return pixels


class Kept(BoxedSamples):
    """Samples whose pixels are at hand."""

    def __init__(self, pixels: np.ndarray, boxes: list[tuple[int, int, int, int]], size_px) -> None:
        count = len(boxes)
        image = BoxedImage(
            "a", "a", bytes, pixels.shape[2], pixels.shape[1],
            np.array(boxes, dtype=np.float64).reshape(-1, 4), np.zeros(count, dtype=np.int64),
            np.zeros(count, dtype=bool), np.zeros(count, dtype=bool), np.ones(count),
        )  # fmt: skip
        super().__init__([image] * 4, size_px, SCALE)
        self.kept = pixels

    def pixels(self, place: int) -> np.ndarray:
        return self.kept


EVERYTHING = BoxAugmentation(mirror=True, upside_down=True, zoom_out=2.0, smallest_crop=0.4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_bright_box_stays_in_its_box_holds_for_any_draw(seed: int) -> None:
    box = (20, 12, 44, 38)
    samples = Kept(marked([box]), [box], (48, 64))
    batch = AugmentedBoxes(samples, EVERYTHING, seed).take_in(np.arange(4), seed)
    for image, boxes, classes in zip(batch.images, batch.boxes_xyxy_px, batch.classes, strict=True):
        bright = image[0] * 50 + 100 > 160
        if classes[0] < 0:
            continue  # its centre was cut away
        rows, columns = (torch.nonzero(bright.any(axis))[:, 0] for axis in (1, 0))
        drawn = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        # Resizing blurs an edge by about a pixel.
        torch.testing.assert_close(boxes[0], torch.stack(drawn).float(), atol=2.0, rtol=0)


def test_views_are_the_same_again_and_differ_between_epochs() -> None:
    samples = Kept(marked([(5, 5, 30, 30)]), [(5, 5, 30, 30)], (30, 40))
    make = partial(AugmentedBoxes, samples, BoxAugmentation(zoom_out=2, tone=1.0))
    first, again = (make(3).take_in(np.arange(4), 1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.images, make(3).take_in(np.arange(4), 2).images)
    assert not torch.equal(first.images, make(4).take_in(np.arange(4), 1).images)


def test_source_resumes_with_the_batch_that_would_have_come() -> None:
    samples = Kept(marked([(5, 5, 30, 30)]), [(5, 5, 30, 30)], (30, 40))
    source = AugmentedSource(AugmentedBoxes(samples, EVERYTHING, 0), 2, 0)
    for _ in range(3):
        source.next_batch()
    state = source.state_dict()
    wanted = source.next_batch()
    other = AugmentedSource(AugmentedBoxes(samples, EVERYTHING, 0), 2, 0)
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(wanted, other.next_batch(), strict=True))


def test_crops_hold_an_object_and_zooms_hold_the_image() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([[30.0, 20, 50, 40]])
    whole = (0.0, 0.0, 80.0, 60.0)
    for _ in range(200):
        left, top, right, bottom = cropped(whole, boxes, 0.3, rng)
        assert left < 40 < right
        assert top < 30 < bottom
        assert 0 <= left < right <= 80 + 1e-9
        left, top, right, bottom = zoomed_out(whole, 3.0, rng)
        assert left <= 0 < 80 <= right + 1e-9
        assert right - left <= 240
    assert cropped(whole, np.zeros((0, 4)), 0.3, rng)[2] > 0


def test_boxes_without_their_centre_go() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [5, 5, 25, 25], [50, 50, 52, 52]])
    moved, kept = moved_boxes(boxes, (10.0, 10.0, 60.0, 60.0), (100, 100))
    assert kept.tolist() == [False, True, True]
    np.testing.assert_allclose(moved[1], [0, 0, 30, 30])
    np.testing.assert_allclose(moved[2], [80, 80, 84, 84])


def test_a_window_beyond_the_image_is_filled() -> None:
    pixels = np.full((3, 10, 10), 200, dtype=np.uint8)
    found = seen_through(pixels, (-10.0, -10.0, 10.0, 10.0), (20, 20), [1, 2, 3])
    assert found.shape == (3, 20, 20)
    assert (found[:, 10:, 10:] == 200).all()
    assert found[:, 0, 0].tolist() == [1, 2, 3]
    assert (found[:, :10] == np.array([1, 2, 3])[:, None, None]).all()


def test_grey_keeps_its_place_when_colours_turn() -> None:
    rng = np.random.default_rng(1)
    grey = torch.full((3, 2, 2), 90.0)
    for _ in range(20):
        found = toned(grey, 1.0, rng)
        # Published coefficients of YIQ are rounded to four digits.
        assert float(found.std()) < 0.1 or found.std() == pytest.approx(0, abs=0.1)
    assert toned(grey, 0.0, rng).allclose(grey, atol=0.1)
