"""The small trainings behind claims on images: bundled digits, networks of a few layers."""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.claims.sequence_training import answers, learn

CLASSES, SIDE_PX = 10, 8
KEPT = 797


@dataclass(frozen=True)
class Digits:
    """Images to learn from and images to ask about, (image, 1, 8, 8), of mean about 0."""

    images: Tensor
    labels: Tensor
    kept_images: Tensor
    kept_labels: Tensor


def digits(generator: torch.Generator, *, learnt: int = 0) -> Digits:
    """The digits that come with scikit-learn; 797 of them, drawn anew, are kept for asking.

    learnt: how many of the others to learn from; 0: all.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.tensor(found.data / 8 - 0.6, dtype=torch.float32).view(-1, 1, SIDE_PX, SIDE_PX)
    labels = torch.tensor(found.target)
    order = torch.randperm(len(images), generator=generator)
    kept, rest = order[:KEPT], order[KEPT:]
    chosen = rest[:learnt] if learnt else rest
    return Digits(images[chosen], labels[chosen], images[kept], labels[kept])


def accuracy_after(
    model: nn.Module,
    data: Digits,
    generator: torch.Generator,
    *,
    steps: int,
    lr: float,
    batch: int = 32,
) -> float:
    """Train ``model`` on the digits; the share of kept ones that it then names rightly."""

    def draw() -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(data.labels), (batch,), generator=generator)
        return data.images[chosen], data.labels[chosen]

    learn(model, draw, F.cross_entropy, steps=steps, lr=lr)
    return share_right(model, data.kept_images, data.kept_labels)


def share_right(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images that the trained model names rightly."""
    return float((answers(model, images).argmax(1) == labels).float().mean())


class Pooled(nn.Module):
    """The mean over positions, then one linear layer."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean((2, 3)))
