"""The small trainings behind claims on segmentation: digits on canvases, networks of a few layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.claims import intervals
from shinso.claims.claim import Finding
from shinso.claims.measured import beyond
from shinso.claims.sequence_training import answers, learn
from shinso.data.digit_scenes import digit_scenes
from shinso.language import Text
from shinso.objectives.segmentation_scores import class_iou, counted

KEPT = 64


@dataclass(frozen=True)
class Scenes:
    """Images to learn from and to ask about, (image, 1, side, side), of mean about 0, with the
    class number of each pixel."""

    images: Tensor
    masks: Tensor
    kept_images: Tensor
    kept_masks: Tensor


def scenes(
    seed: int,
    *,
    learnt: int,
    side_px: int,
    scale: int,
    classes: Sequence[int] = (0, 1, 2, 3),
    most: int = 4,
    only_ink: bool = False,
) -> Scenes:
    """Generated canvases; 64 further ones are kept for asking. only_ink: the classes are background
    and ink, whichever digit it is of."""
    pixels, masks = digit_scenes(
        np.random.default_rng(seed), learnt + KEPT,
        side_px=side_px, scales=(scale,), classes=classes, most=most,
    )  # fmt: skip
    images = (torch.from_numpy(pixels).float()[:, None] - 128) / 50
    labels = torch.from_numpy(np.minimum(masks, 1) if only_ink else masks).long()
    return Scenes(images[:learnt], labels[:learnt], images[learnt:], labels[learnt:])


def iou_after(
    model: nn.Module,
    data: Scenes,
    generator: torch.Generator,
    *,
    steps: int,
    lr: float,
    batch: int,
    balance: float = 0.5,
) -> float:
    """Train ``model`` on the scenes; the mean IoU of the classes but background on the kept ones.

    balance: power of (median share / share of a class), its weight in the cross entropy.
    """
    num_classes = int(data.masks.max()) + 1
    share = torch.bincount(data.masks.flatten(), minlength=num_classes).float()
    weights = (share.median() / share.clamp(min=1)) ** balance

    def draw() -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(data.images), (batch,), generator=generator)
        return data.images[chosen], data.masks[chosen]

    def loss(scores: Tensor, masks: Tensor) -> Tensor:
        return F.cross_entropy(scores, masks, weight=weights)

    learn(model, draw, loss, steps=steps, lr=lr)
    answer = answers(model, data.kept_images).argmax(1)
    table = counted(
        data.kept_masks.numpy().astype(np.uint8), answer.numpy().astype(np.uint8), num_classes
    )
    return float(np.nan_to_num(class_iou(table))[1:].mean())


def gain(
    first: Sequence[float], second: Sequence[float], least: float, names: tuple[Text, Text]
) -> Finding:
    """Holds if the 95 % interval of the difference first − second lies above ``least``; does not
    hold if it lies below; otherwise undecided."""
    found = intervals.paired_difference(first, second)
    one, other = intervals.mean(first), intervals.mean(second)
    seeds = len(first)
    return Finding(
        verdict=beyond(found, least),
        because=Text(
            f"Mean IoU {one.value:.3f} ({names[0].en}) and {other.value:.3f} ({names[1].en}); "
            f"difference {found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f}).",
            f"平均 IoU は {one.value:.3f} ({names[0].ja}) と {other.value:.3f} ({names[1].ja})、差 "
            f"{found.value:+.3f} ({found.low:+.3f}〜{found.high:+.3f})。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"IoU, {name.en} (share)", f"IoU、{name.ja} (割合)"), mean, seeds=seeds
                )
                for name, mean in zip(names, (one, other), strict=True)
            ),
            intervals.estimate(
                Text("difference of IoU (share)", "IoU の差 (割合)"), found, seeds=seeds
            ),
        ),
    )
