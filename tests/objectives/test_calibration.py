"""Calibration and the loss of mixed labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shinso.data.image_batches import ImageBatch
from shinso.objectives.calibration import reliability
from shinso.objectives.image_classification import ImageObjective


def test_reliability_matches_counting_by_hand() -> None:
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    found = reliability(chances, np.array([0, 1, 1, 1]), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 2]
    gaps = [abs(1 - 0.55), abs(1 - 0.6), 2 * abs(0.5 - 0.9)]
    assert found.error == pytest.approx(sum(gaps) / 4)


def test_answers_that_are_right_as_often_as_they_say_have_no_error() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 40_000)
    labels = (rng.uniform(size=sure.size) > sure).astype(int)
    chances = np.stack([sure, 1 - sure], axis=1)
    assert reliability(chances, labels).error < 0.01
    assert reliability(np.stack([sure**0.1, 1 - sure**0.1], axis=1), labels).error > 0.1


def test_loss_matches_torch_and_frozen_parts_keep_their_means() -> None:
    torch.manual_seed(0)
    frozen = nn.BatchNorm2d(1)
    model = nn.Sequential(frozen, nn.Flatten(), nn.Linear(4, 3))
    images, labels = torch.randn(8, 1, 2, 2) + 5, torch.randint(3, (8,))
    model.train()
    before = frozen.running_mean.clone()
    shares = F.one_hot(labels, 3).float()
    found = ImageObjective(label_smoothing=0.1, frozen=[frozen])(model, ImageBatch(images, shares))
    torch.testing.assert_close(
        found["loss"], F.cross_entropy(model(images), labels, label_smoothing=0.1)
    )
    assert torch.equal(frozen.running_mean, before)
    with pytest.raises(ValueError, match="label_smoothing is 1"):
        ImageObjective(label_smoothing=1.0)
