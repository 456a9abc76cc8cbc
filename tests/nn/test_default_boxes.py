"""Default boxes, RoIAlign and compiled matching against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shinso.nn import boxes
from shinso.nn.default_boxes import PER_POSITION, RATIOS, default_boxes, level_sizes_px
from shinso.nn.roi_align import roi_align


def test_default_boxes_lie_level_after_level_row_after_row() -> None:
    found = default_boxes((20, 32), (8, 16), (10.0, 20.0))
    assert found.shape == ((3 * 4 + 2 * 2) * PER_POSITION, 4)
    place = 0
    for stride, size, above in ((8, 10.0, 20.0), (16, 20.0, 40.0)):
        for row in range(math.ceil(20 / stride)):
            for column in range(math.ceil(32 / stride)):
                centre = ((column + 0.5) * stride, (row + 0.5) * stride)
                shapes = [(size * r**0.5, size / r**0.5) for r in RATIOS]
                for shape in [*shapes, ((size * above) ** 0.5,) * 2]:
                    torch.testing.assert_close(found[place], torch.tensor([*centre, *shape]))
                    place += 1
    with pytest.raises(ValueError, match="strides"):
        default_boxes((20, 32), (8,), (10.0, 20.0))


def test_sizes_grow_by_equal_ratios() -> None:
    assert level_sizes_px(10, 80, 4) == pytest.approx([10, 20, 40, 80])
    assert level_sizes_px(10, 40, 1) == pytest.approx([20])
    with pytest.raises(ValueError, match="sizes"):
        level_sizes_px(0, 10, 2)


def plain_roi_align(
    features: Tensor, box: Tensor, stride: float, bins: int, samples: int
) -> Tensor:
    """He et al. 2017, point by point."""
    channels, height, width = features.shape
    found = torch.zeros(channels, bins, bins, dtype=features.dtype)
    left, top, right, bottom = (box / stride).tolist()
    for i in range(bins):
        for j in range(bins):
            for k in range(samples):
                for m in range(samples):
                    y = top + (bottom - top) * (i + (k + 0.5) / samples) / bins - 0.5
                    x = left + (right - left) * (j + (m + 0.5) / samples) / bins - 0.5
                    if not (-1 <= y <= height and -1 <= x <= width):
                        continue
                    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                    for row in range(height):
                        for column in range(width):
                            near = max(0, 1 - abs(y - row)) * max(0, 1 - abs(x - column))
                            found[:, i, j] += near * features[:, row, column] / samples**2
    return found


def test_roi_align_matches_a_plain_loop_and_gradcheck() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    found = torch.tensor(
        [[3.0, 2, 30, 28], [0, 0, 48, 40], [-9, -9, 70, 60], [10, 10, 11, 30]], dtype=torch.float64
    )
    images = torch.tensor([0, 1, 1, 0])
    for bins, samples in ((3, 2), (2, 1), (1, 3)):
        ours = roi_align(features, found, images, stride=8, bins=bins, samples=samples)
        plain = [
            plain_roi_align(features[i], one, 8, bins, samples)
            for one, i in zip(found, images, strict=True)
        ]
        torch.testing.assert_close(ours, torch.stack(plain))
    assert torch.autograd.gradcheck(
        lambda x: roi_align(x, found[:2], images[:2], stride=8, bins=2), (features,)
    )
    assert roi_align(features, found[:0], images[:0], stride=8, bins=2).shape == (0, 3, 2, 2)


def test_roi_align_of_one_position_a_side() -> None:
    features = torch.tensor([[[[3.0]]]])
    found = roi_align(features, torch.tensor([[0.0, 0, 8, 8]]), torch.tensor([0]), stride=8, bins=2)
    torch.testing.assert_close(found, torch.full((1, 1, 2, 2), 3.0))


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 30), st.booleans())
def test_compiled_matching_is_that_of_the_matrix_holds_for_any_boxes(
    seed: int, num_defaults: int, num_truths: int, coarse: bool
) -> None:
    rng = torch.Generator().manual_seed(seed)

    def drawn(count: int) -> Tensor:
        low = torch.rand(count, 2, generator=rng, dtype=torch.float64)
        corners = torch.cat([low, low + torch.rand(count, 2, generator=rng).double()], 1)
        return (corners * 4).round() / 4 if coarse else corners  # many equal overlaps

    defaults, truths = drawn(num_defaults), drawn(num_truths)
    best, matched = boxes.match_boxes(defaults, truths, threshold=0.4)
    iou = boxes.pairwise_iou(defaults, truths)
    wanted_best, wanted = boxes.match_defaults(iou, threshold=0.4)
    assert torch.equal(matched, wanted)
    assert torch.equal(best[matched], wanted_best[wanted])
