"""Losses and scores of masks against libraries and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, jaccard_score
from torch import nn
from torch.nn import functional as F

from shinso.data.mask_batches import MaskBatch
from shinso.data.mask_decoding import VOID
from shinso.objectives.segmentation import SegmentationObjective, dice_loss, median_frequency
from shinso.objectives.segmentation_scores import by_class, class_iou, counted, scores_of


def batch_of(classes: int = 4) -> MaskBatch:
    torch.manual_seed(0)
    masks = torch.randint(0, classes, (2, 5, 6), dtype=torch.uint8)
    masks[:, 0] = VOID
    return MaskBatch(torch.randn(2, classes, 5, 6), masks)


def test_weighted_cross_entropy_matches_torch():
    batch, weights = batch_of(), [0.5, 1.0, 2.0, 3.0]
    found = SegmentationObjective(weights)(nn.Identity(), batch)
    wanted = F.cross_entropy(
        batch.images, batch.masks.long(), weight=torch.tensor(weights), ignore_index=VOID
    )
    torch.testing.assert_close(found["loss"], wanted)
    assert SegmentationObjective().term_weights(batch) == {"loss": 48, "pixel_accuracy": 48}
    heavy = torch.tensor(weights)[batch.masks[:, 1:].long()].sum()
    assert SegmentationObjective(weights).term_weights(batch)["loss"] == pytest.approx(float(heavy))


def test_dice_gradcheck_and_its_ends():
    torch.manual_seed(1)
    labels = torch.tensor([0, 1, 1, 2])
    scores = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: dice_loss(s.softmax(1), labels), (scores,))
    assert dice_loss(F.one_hot(labels, 3).double(), labels) == 0
    assert dice_loss(F.one_hot((labels + 1) % 3, 3).double(), labels) == 1
    # 2 · 0.5 / (0.5 + 1) for the one class that is there; the others do not count.
    half = torch.tensor([[0.5, 0.5, 0.0]])
    assert float(dice_loss(half, torch.tensor([0]))) == pytest.approx(1 / 3)


def test_dice_is_mixed_by_its_share():
    batch = batch_of()
    one, other, both = (
        SegmentationObjective(dice=d)(nn.Identity(), batch)["loss"] for d in (0.0, 1.0, 0.25)
    )
    torch.testing.assert_close(both, 0.75 * one + 0.25 * other)


def test_batch_of_void_alone_has_no_gradient():
    images = torch.randn(1, 3, 4, 4, requires_grad=True)
    masks = torch.full((1, 4, 4), VOID, dtype=torch.uint8)
    loss = SegmentationObjective()(nn.Identity(), MaskBatch(images, masks))["loss"]
    loss.backward()
    assert float(loss.detach()) == 0
    assert images.grad is not None
    assert not images.grad.any()


def test_median_frequency_by_hand():
    # Frequencies .5, .25 and .1 of the pixels of their images: the median is .25.
    assert median_frequency([50, 25, 5, 0], [100, 100, 50, 0]) == pytest.approx([0.5, 1, 2.5, 0])
    assert median_frequency([50, 25, 5], [100, 100, 50], 0.5)[2] == pytest.approx(2.5**0.5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 6))
def test_scores_match_sklearn_for_any_masks(seed, classes):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (7, 9), dtype=np.uint8)
    answer = rng.integers(0, classes, (7, 9), dtype=np.uint8)
    truth[rng.random((7, 9)) < 0.2] = VOID
    known = truth != VOID
    table = counted(truth, answer, classes)
    wanted = jaccard_score(truth[known], answer[known], average=None, zero_division=0)
    np.testing.assert_allclose(np.nan_to_num(class_iou(table))[: len(wanted)], wanted[:classes])
    found = scores_of(table)
    assert found["pixel_accuracy"] == pytest.approx(accuracy_score(truth[known], answer[known]))
    rows = by_class(table, [str(n) for n in range(classes)])
    assert sum(row["pixels"] for row in rows) == known.sum()
    known_iou = [row["iou"] for row in rows if row["iou"] is not None]
    assert found["mean_iou"] == pytest.approx(float(np.mean(known_iou)))


def test_no_pixel_gives_zeros_not_nan():
    assert set(scores_of(np.zeros((3, 3), dtype=np.int64)).values()) == {0.0}
