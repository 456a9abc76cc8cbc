"""Mask and pixels move together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from shinso.data.image_batches import PixelScale
from shinso.data.mask_batches import AugmentedMasks, MaskAugmentation, MaskSamples, window
from shinso.data.mask_decoding import VOID, ClassTable
from shinso.data.masked_images import MaskedImages


def samples(height: int = 30, width: int = 40, count: int = 6) -> MaskSamples:
    """Pixels whose value is 10 · (their class + 1), in blocks, so the two can be compared."""
    rng = np.random.default_rng(0)
    masks = [
        rng.integers(0, 5, (-(-height // 10), -(-width // 10)), dtype=np.uint8)
        .repeat(10, 0)
        .repeat(10, 1)[:height, :width]
        for _ in range(count)
    ]
    pixels = [10 * (one[None] + 1) for one in masks]
    return MaskSamples(
        MaskedImages(
            Path("x"), tuple(pixels), tuple(masks),
            tuple(map(str, range(count))), (None,) * count, ClassTable(("a",), (0,)), "",
        ),
        None,
        PixelScale((0.0,), (1.0,)),
    )  # fmt: skip


@pytest.mark.parametrize("crop", [(30, 40), (16, 24), (48, 64)])
@pytest.mark.parametrize("rescale", [1.0, 1.5])
def test_mask_moves_with_the_pixels(crop, rescale):
    how = MaskAugmentation(crop_px=crop, flip=True, rescale=rescale)
    batch = AugmentedMasks(samples(), how, seed=3).take_in(np.arange(6), 2)
    assert batch.images.shape == (6, 1, *crop)
    said = torch.where(batch.masks == VOID, 0.0, 10.0 * (batch.masks.float() + 1))
    same = (batch.images[:, 0] - said).abs() < 1e-3
    # Away from borders between classes every pixel says its class; enlarging mixes at borders.
    assert same.float().mean() > (0.999 if rescale == 1 else 0.75)
    assert (batch.masks == VOID).any() == (crop == (48, 64) or (rescale > 1 and crop == (30, 40)))


def test_batches_depend_on_seed_and_epoch_alone():
    how = MaskAugmentation(crop_px=(24, 24), flip=True, rescale=1.4, tone=0.5)
    first, second = (AugmentedMasks(samples(), how, seed=1) for _ in range(2))
    one, two = first.take_in(np.array([4, 2]), 5), second.take_in(np.array([2, 4]), 5)
    torch.testing.assert_close(one.images[0], two.images[1], rtol=0, atol=0)
    assert torch.equal(one.masks[0], two.masks[1])
    assert not torch.equal(one.images, first.take_in(np.array([4, 2]), 6).images)


def test_window_beyond_the_image_is_void():
    image, mask = torch.ones(1, 1, 4, 6), torch.ones(4, 6, dtype=torch.uint8)
    wide, its = window(image, mask, -2, 3, 8, 5)
    assert wide.shape == (1, 1, 8, 5)
    assert (its == VOID).sum() == 8 * 5 - 4 * 3
    assert wide.sum() == 12
