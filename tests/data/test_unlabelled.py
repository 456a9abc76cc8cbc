"""Pixels drawn black or white, anew each time and the same after a resume."""

from __future__ import annotations

import numpy as np
import torch

from shinso.data.shuffled import ShuffledSource
from shinso.data.unlabelled import DynamicBinarization, GreyImages, Rows, drawn


def source() -> DynamicBinarization:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 1, 4, 4)).astype(np.uint8)
    return DynamicBinarization(ShuffledSource(GreyImages(pixels), 4, 0), 0)


def test_pixels_are_white_as_often_as_their_grey_says():
    grey = np.array([[0, 255, 51, 128]], dtype=np.uint8)
    chances = GreyImages(grey).take(np.zeros(20_000, dtype=np.int64))
    shares = drawn(chances, np.random.default_rng(0)).mean(0)
    assert shares[0] == 0
    assert shares[1] == 1
    torch.testing.assert_close(shares[2:], torch.tensor([51, 128]) / 255, rtol=0, atol=0.015)


def test_state_brings_back_the_next_batch():
    one, other = source(), source()
    seen = [one.next_batch().values for _ in range(5)]
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.next_batch().values, other.next_batch().values)
    assert set(torch.cat(seen).unique().tolist()) == {0.0, 1.0}


def test_the_same_image_is_drawn_otherwise_the_next_time():
    grey = np.full((1, 1, 8, 8), 128, dtype=np.uint8)
    again = DynamicBinarization(ShuffledSource(GreyImages(grey), 1, 0), 0)
    assert not torch.equal(again.next_batch().values, again.next_batch().values)


def test_rows_are_taken_as_they_are():
    values = np.arange(12.0).reshape(4, 3)
    assert Rows(values).take(np.array([2, 0])).values.tolist() == [[6, 7, 8], [0, 1, 2]]
