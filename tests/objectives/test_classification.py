"""Cross entropy of classes and tags against scikit-learn and the definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor, nn

from shinso.data.labelled_batches import LabelledBatch
from shinso.data.tagged_batches import NO_TAG, TagBatch
from shinso.objectives.classification import ClassificationObjective, TaggingObjective


class Fixed(nn.Module):
    """Answers the scores it was given."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, _inputs: Tensor, _lengths: Tensor) -> Tensor:
        return self.scores


def scores(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def labelled(labels: list[int]) -> LabelledBatch:
    number = len(labels)
    return LabelledBatch(torch.zeros(number, 2, 1), torch.full((number,), 2), torch.tensor(labels))


def test_loss_and_accuracy_match_sklearn() -> None:
    found, labels = scores(7, 3), [0, 1, 2, 2, 1, 0, 0]
    result = ClassificationObjective()(Fixed(found), labelled(labels))
    expected = log_loss(labels, found.softmax(-1).numpy(), labels=[0, 1, 2])
    assert result["loss"].item() == pytest.approx(expected)
    assert result["accuracy"].item() == pytest.approx(
        np.mean(found.argmax(-1).numpy() == np.array(labels))
    )


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    found, labels = scores(4, 5), [0, 4, 2, 2]
    result = ClassificationObjective(label_smoothing=0.2)(Fixed(found), labelled(labels))
    target = 0.8 * torch.eye(5, dtype=torch.float64)[labels] + 0.2 / 5
    assert result["loss"].item() == pytest.approx(
        -(target * found.log_softmax(-1)).sum(-1).mean().item()
    )
    with pytest.raises(ValueError, match="label_smoothing is 1"):
        ClassificationObjective(label_smoothing=1.0)


def test_padded_tokens_do_not_count() -> None:
    found = scores(2, 4, 3)
    tags = torch.tensor([[0, 1, 2, NO_TAG], [2, NO_TAG, NO_TAG, NO_TAG]])
    batch = TagBatch(torch.zeros(2, 4, dtype=torch.int64), torch.tensor([3, 1]), tags)
    result = TaggingObjective()(Fixed(found), batch)
    real = found[tags != NO_TAG]
    labels = tags[tags != NO_TAG]
    assert result["loss"].item() == pytest.approx(
        log_loss(labels.numpy(), real.softmax(-1).numpy(), labels=[0, 1, 2])
    )
    assert result["accuracy"].item() == pytest.approx(
        (real.argmax(-1) == labels).double().mean().item()
    )


def test_behind_the_end_no_score_gets_a_gradient() -> None:
    found = scores(1, 3, 3).requires_grad_()
    batch = TagBatch(
        torch.zeros(1, 3, dtype=torch.int64), torch.tensor([2]), torch.tensor([[1, 0, NO_TAG]])
    )
    TaggingObjective()(Fixed(found), batch)["loss"].backward()
    assert found.grad is not None
    assert (found.grad[0, 2] == 0).all()
    assert (found.grad[0, :2] != 0).all()
