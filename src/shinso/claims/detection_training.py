"""The small trainings behind claims on detection: handwritten digits scattered over canvases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from shinso.data.boxed_batches import BoxBatch
from shinso.data.scattered_digits import scattered_digits
from shinso.models.ssd import SSD, Detected
from shinso.objectives.detection_scores import Answers, Truths, evaluate_coco
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

SIDE_PX, BATCH = 48, 16
WIDTH, STRIDES = 0.125, (4, 8, 16)
SIZES_PX = (8.0, 28.0)
MEAN, DEVIATION = 30.0, 60.0


@dataclass(frozen=True)
class Scenes:
    """Canvases with their boxes. numbers: of the classes; digits that are not sought have none and
    are part of the background."""

    images: Tensor
    boxes: list[Tensor]
    numbers: list[Tensor]

    def batch(self, chosen: np.ndarray) -> BoxBatch:
        most = max(1, *(len(self.numbers[i]) for i in chosen))
        boxes = torch.zeros(len(chosen), most, 4)
        numbers = torch.full((len(chosen), most), -1, dtype=torch.long)
        for row, place in enumerate(chosen):
            count = len(self.numbers[place])
            boxes[row, :count], numbers[row, :count] = self.boxes[place], self.numbers[place]
        ignored = torch.zeros(numbers.shape, dtype=torch.bool)
        return BoxBatch(self.images[torch.from_numpy(chosen)], boxes, numbers, ignored)

    def truths(self) -> list[Truths]:
        return [
            Truths(own.double().numpy(), numbers.numpy())
            for own, numbers in zip(self.boxes, self.numbers, strict=True)
        ]


def scenes(
    rng: np.random.Generator,
    count: int,
    *,
    sought: Sequence[int],
    beside: Sequence[int] = (),
    most: int = 4,
    sizes_px: tuple[float, float] = SIZES_PX,
    unseen: bool = False,
) -> Scenes:
    """``count`` canvases with digits that are sought and others beside them that are not."""
    canvases = [
        scattered_digits(
            rng,
            side_px=SIDE_PX,
            digits=[*sought, *beside],
            most=most,
            sizes_px=sizes_px,
            unseen=unseen,
        )
        for _ in range(count)
    ]
    pixels = np.stack([one.pixels for one in canvases])[:, None]
    images = (torch.from_numpy(pixels).float() - MEAN) / DEVIATION
    boxes, numbers = [], []
    for one in canvases:
        asked = np.isin(one.digits, sought)
        boxes.append(torch.from_numpy(one.boxes_xyxy_px[asked]).float())
        numbers.append(torch.tensor([list(sought).index(int(d)) for d in one.digits[asked]]).long())
    return Scenes(images.contiguous(memory_format=torch.channels_last), boxes, numbers)


def small_ssd(num_classes: int, *, sizes_px: tuple[float, float] = SIZES_PX) -> SSD:
    """sizes_px: of the smallest and the largest default boxes."""
    config = SSD.Config(backbone="vgg", width=WIDTH, strides=STRIDES)
    model = SSD(
        config,
        num_channels=1,
        num_classes=num_classes,
        size_px=(SIDE_PX, SIDE_PX),
        object_px=sizes_px,
    )
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def taught(
    model: nn.Module,
    objective: Callable[[nn.Module, BoxBatch], Mapping[str, Tensor]],
    data: Scenes,
    rng: np.random.Generator,
    *,
    steps: int,
    lr: float = 5e-3,
) -> nn.Module:
    """The model after ``steps`` batches, ready to answer."""
    training = Training(steps=steps, lr=lr, schedule="one-cycle", clip_norm=10.0)
    learner = GradientLearner(model, objective, training)  # pyright: ignore[reportArgumentType]
    for _ in range(steps):
        learner.step(data.batch(rng.choice(len(data.numbers), BATCH, replace=False)))
    return model.eval()


def as_answers(found: Sequence[Detected]) -> list[Answers]:
    return [
        Answers(
            one.boxes_xyxy_px.double().numpy(), one.scores.double().numpy(), one.classes.numpy()
        )
        for one in found
    ]


def map_50(answers: Sequence[Answers], data: Scenes, num_classes: int) -> float:
    """COCO's mean AP at IoU 0.5."""
    return evaluate_coco(answers, data.truths(), num_classes).mean_ap(iou=0.5)
