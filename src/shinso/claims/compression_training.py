"""The small dense networks behind the claims on compression: real digits, seconds to train."""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.dense_classifier import DenseClassifier

LEARNT_FROM, BATCH = 1297, 64
Loss = Callable[[Tensor, Tensor], Tensor]


class Digits:
    """Scikit-learn's 1,797 digits (8×8): 1,297 to learn from, 500 kept, by the seed."""

    def __init__(self, generator: torch.Generator, *, learnt_from: int = LEARNT_FROM) -> None:
        from sklearn.datasets import load_digits

        found = load_digits()
        images = torch.tensor(found.images / 8 - 1, dtype=torch.float32).unsqueeze(1)
        digits = torch.tensor(found.target)
        order = torch.randperm(len(images), generator=generator)
        learnt, kept = order[:learnt_from], order[LEARNT_FROM:]
        self.learnt = images[learnt], digits[learnt]
        self.kept = images[kept], digits[kept]
        self.generator = generator

    def draw(self) -> tuple[Tensor, Tensor]:
        """A batch to learn from."""
        images, digits = self.learnt
        chosen = torch.randint(len(images), (BATCH,), generator=self.generator)
        return images[chosen], digits[chosen]

    @torch.no_grad()
    def accuracy(self, model: nn.Module) -> float:
        """Share of the kept images that are named rightly."""
        images, digits = self.kept
        model.eval()
        return float((model(images).argmax(1) == digits).float().mean())


def dense(hidden: int, *, dropout: float = 0.0) -> DenseClassifier:
    """Two layers of rectified units on 8×8 pixels."""
    config = DenseClassifier.Config(hidden=hidden, dropout=dropout)
    return DenseClassifier(config, num_channels=1, num_classes=10, image_px=8)


def learn(
    model: nn.Module,
    digits: Digits,
    *,
    steps: int,
    lr: float = 2e-3,
    loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
) -> None:
    """AdamW on batches of digits, a cosine's learning rate. loss: of images, scores and digits;
    the cross entropy of scores and digits without."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for _ in range(steps):
        images, named = digits.draw()
        scores = model(images)
        value = F.cross_entropy(scores, named) if loss is None else loss(images, scores, named)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        schedule.step()
        if after_step is not None:
            after_step()
