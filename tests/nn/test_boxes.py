"""Boxes: arithmetic that holds for any of them, suppression and matching against plain loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.nn import boxes

EXACT = {"rtol": 1e-12, "atol": 1e-9}


def drawn(count: int, seed: int, *, size: float = 100.0) -> torch.Tensor:
    """Boxes with area, corners within ``size``."""
    rng = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=rng, dtype=torch.float64) * size * 0.8
    extent = (0.02 + torch.rand(count, 2, generator=rng, dtype=torch.float64)) * size * 0.3
    return torch.cat([low, low + extent], dim=1)


SEEDS = st.integers(0, 10_000)


@given(SEEDS)
def test_conversions_go_there_and_back_holds_for_any_box(seed: int) -> None:
    given_boxes = drawn(7, seed)
    there = boxes.cxcywh_from_xyxy(given_boxes)
    torch.testing.assert_close(boxes.xyxy_from_cxcywh(there), given_boxes, **EXACT)
    shares = boxes.rel_from_px(given_boxes, 200, 50)
    torch.testing.assert_close(boxes.px_from_rel(shares, 200, 50), given_boxes, **EXACT)
    assert (there[:, 2:] > 0).all()
    torch.testing.assert_close(boxes.area(given_boxes), there[:, 2] * there[:, 3], **EXACT)


@given(SEEDS)
def test_overlap_is_symmetric_and_one_with_itself_holds_for_any_box(seed: int) -> None:
    first, second = drawn(5, seed), drawn(6, seed + 1)
    found = boxes.pairwise_iou(first, second)
    torch.testing.assert_close(found, boxes.pairwise_iou(second, first).T, **EXACT)
    assert ((found >= 0) & (found <= 1)).all()
    torch.testing.assert_close(
        boxes.pairwise_iou(first, first).diagonal(), torch.ones(5, dtype=torch.float64)
    )
    paired = boxes.generalized_iou(first, second[:5])
    assert (paired <= found[:, :5].diagonal() + 1e-12).all()
    assert (paired >= -1).all()


def test_overlap_by_hand() -> None:
    one = torch.tensor([[0.0, 0, 4, 2]])
    others = torch.tensor([[2.0, 0, 6, 2], [4, 0, 8, 2], [0, 0, 0, 2], [10, 10, 12, 12]])
    torch.testing.assert_close(
        boxes.pairwise_iou(one, others), torch.tensor([[4 / 12, 0.0, 0.0, 0.0]])
    )
    apart = boxes.generalized_iou(one[0], others[3])
    torch.testing.assert_close(apart, torch.tensor(0 - (12 * 12 - 12) / (12 * 12)))
    nothing = torch.zeros(1, 4)
    assert boxes.pairwise_iou(nothing, nothing).item() == 0
    assert boxes.generalized_iou(nothing[0], nothing[0]).item() == 0


def test_generalized_iou_gradcheck() -> None:
    first, second = drawn(4, 1).requires_grad_(), drawn(4, 2)
    assert torch.autograd.gradcheck(boxes.generalized_iou, (first, second))


def test_clipping_keeps_what_is_inside() -> None:
    found = boxes.clip_to_image(torch.tensor([[-5.0, 2, 30, 8], [40, 40, 50, 50]]), 20, 10)
    assert found.tolist() == [[0, 2, 20, 8], [20, 10, 20, 10]]
    assert boxes.area(found).tolist() == [120, 0]


@given(SEEDS)
def test_offsets_bring_the_box_back_holds_for_any_pair(seed: int) -> None:
    truth, default = (boxes.cxcywh_from_xyxy(drawn(6, seed + n)) for n in range(2))
    scales = {"centre_scale": 0.1, "size_scale": 0.2}
    offsets = boxes.offsets_of(truth, default, **scales)
    torch.testing.assert_close(boxes.boxes_from(offsets, default, **scales), truth, **EXACT)
    wild = torch.full((6, 4), 1e6, dtype=torch.float64)
    assert boxes.boxes_from(wild, default, **scales).isfinite().all()


def suppressed_plainly(
    given_boxes: torch.Tensor, scores: torch.Tensor, classes: torch.Tensor, threshold: float
) -> list[int]:
    """The definition: the surest that is left stays, what it covers goes."""
    left = sorted(range(len(scores)), key=lambda i: -float(scores[i]))
    iou, kept = boxes.pairwise_iou(given_boxes, given_boxes), []
    while left:
        first = left.pop(0)
        kept.append(first)
        left = [i for i in left if classes[i] != classes[first] or iou[first, i] <= threshold]
    return kept


@settings(max_examples=40)
@given(SEEDS, st.integers(0, 40), st.floats(0, 1), st.integers(1, 3))
def test_suppression_matches_its_definition(
    seed: int, count: int, threshold: float, num_classes: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    given_boxes = drawn(count, seed)
    scores = (torch.rand(count, generator=rng) * 8).round() / 8  # with ties
    classes = torch.randint(num_classes, (count,), generator=rng)
    found = boxes.non_maximum_suppression(given_boxes, scores, classes, iou_threshold=threshold)
    expected = suppressed_plainly(given_boxes, scores, classes, threshold)
    assert found.tolist() == expected
    few = boxes.non_maximum_suppression(
        given_boxes, scores, classes, iou_threshold=threshold, max_kept=2
    )
    assert few.tolist() == expected[:2]


def test_suppression_never_keeps_what_is_no_number() -> None:
    found = boxes.non_maximum_suppression(drawn(3, 0), torch.tensor([float("nan"), 0.2, 0.9]))
    assert 0 not in found.tolist()
    assert found[0] == 2


@given(SEEDS, st.integers(0, 6), st.integers(1, 30))
def test_every_truth_is_learnt_holds_for_any_overlap(
    seed: int, num_truths: int, num_defaults: int
) -> None:
    iou = boxes.pairwise_iou(drawn(num_defaults, seed), drawn(num_truths, seed + 1))
    truth, matched = boxes.match_defaults(iou, threshold=0.5)
    learnt = set(truth[matched].tolist())
    assert len(learnt) == min(num_truths, num_defaults) or num_defaults < num_truths
    for default in range(num_defaults):
        if num_truths and iou[default].max() > 0.5:
            assert matched[default]


def test_contested_default_goes_to_the_larger_overlap() -> None:
    iou = torch.tensor([[0.4, 0.3], [0.2, 0.1], [0.0, 0.05]])
    truth, matched = boxes.match_defaults(iou, threshold=0.5)
    assert matched.tolist() == [True, True, False]
    assert truth[:2].tolist() == [0, 1]


@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_default_above_the_threshold_takes_its_best_truth(threshold: float) -> None:
    iou = torch.tensor([[0.9, 0.0], [0.45, 0.2], [0.0, 0.8]])
    truth, matched = boxes.match_defaults(iou, threshold=threshold)
    assert matched.tolist() == [True, threshold < 0.45, True]
    assert truth[[0, 2]].tolist() == [0, 1]
