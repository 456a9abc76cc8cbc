"""What detectors learn from: targets, mining, focal weights, losses; and that they can overfit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from shinso.data.boxed_batches import BoxBatch
from shinso.models.faster_rcnn import FasterRCNN
from shinso.models.ssd import SSD
from shinso.nn.boxes import boxes_from, cxcywh_from_xyxy, generalized_iou, xyxy_from_cxcywh
from shinso.objectives.detection import (
    NO_CLASS,
    SSDObjective,
    box_losses,
    focal_weights,
    mined,
    targets_of,
)
from shinso.objectives.two_stage_detection import TwoStageObjective, sampled
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

DEFAULTS = torch.tensor([[10.0, 10, 10, 10], [30, 10, 10, 10], [10, 30, 10, 10], [30, 30, 10, 10]])


def batch_with(boxes: list[list[float]], classes: list[int], ignored: list[bool]) -> BoxBatch:
    return BoxBatch(
        torch.zeros(1, 1, 40, 40),
        torch.tensor([boxes]).float(),
        torch.tensor([classes]),
        torch.tensor([ignored]),
    )


def test_targets_are_matched_classes_and_ignored_boxes_are_not_asked() -> None:
    batch = batch_with(
        [[5, 5, 15, 15], [25, 25, 35, 35], [26, 6, 36, 16], [0, 0, 0, 0]],
        [2, 0, 1, -1],
        [False, True, False, False],
    )
    found = targets_of(batch, DEFAULTS, 0.5)
    assert found.classes.tolist() == [[3, 2, 0, NO_CLASS]]
    assert found.boxes_xyxy_px[0, 1].tolist() == [26, 6, 36, 16]
    nothing = batch_with([[0, 0, 0, 0]], [-1], [False])
    assert targets_of(nothing, DEFAULTS, 0.5).classes.tolist() == [[0, 0, 0, 0]]


def test_mining_takes_the_hardest_background_of_each_image() -> None:
    losses = torch.tensor([[9.0, 1, 5, 4, 3, 2], [1, 2, 3, 4, 5, 6]])
    targets = torch.tensor([[1, 0, 0, 0, 0, NO_CLASS], [0, 0, 0, 0, 0, 0]])
    chosen = mined(losses, targets, ratio=2, hardest=True)
    assert chosen.tolist() == [
        [False, False, True, True, False, False],
        [False, False, False, False, True, True],
    ]
    torch.manual_seed(0)
    draws = torch.stack([mined(losses, targets, ratio=2, hardest=False) for _ in range(400)])
    assert (draws.sum(2) == 2).all()
    share = draws.float().mean(0)
    # Two of four and two of six; 400 draws scatter by 0.025.
    torch.testing.assert_close(share[0], torch.tensor([0, 0.5, 0.5, 0.5, 0.5, 0]), atol=0.1, rtol=0)
    torch.testing.assert_close(share[1], torch.full((6,), 1 / 3), atol=0.1, rtol=0)


def test_losses_of_classes_by_hand() -> None:
    torch.manual_seed(0)
    scores = torch.randn(1, 6, 3)
    targets = torch.tensor([[1, 0, 0, 0, 0, NO_CLASS]])
    each = F.cross_entropy(scores[0, :5], targets[0, :5], reduction="none")
    every = SSDObjective(negatives="all").class_losses(scores, targets)[0]
    torch.testing.assert_close(every[:5], each)
    assert every[5] == 0
    hard = SSDObjective(negatives="hard", ratio=2).class_losses(scores, targets)
    torch.testing.assert_close(hard.sum(), each[0] + each[1:].topk(2).values.sum())
    focal = SSDObjective(negatives="focal", gamma=2).class_losses(scores, targets)[0, :5]
    torch.testing.assert_close(focal, each * (1 - (-each).exp()) ** 2)
    assert (focal_weights(scores, targets, 0.0) == 1).all()


def test_losses_of_boxes_by_hand() -> None:
    truths = torch.tensor([[5.0, 6, 17, 14]])
    offsets = torch.tensor([[0.5, -0.2, 0.3, 0.1]])
    found = xyxy_from_cxcywh(boxes_from(offsets, DEFAULTS[:1], centre_scale=0.1, size_scale=0.2))
    wanted = 2 * (1 - generalized_iou(found, truths))
    torch.testing.assert_close(box_losses(offsets, DEFAULTS[:1], truths, "giou"), wanted)
    cxcywh = cxcywh_from_xyxy(truths)[0]
    told = torch.tensor(
        [
            (cxcywh[0] - 10) / 10 / 0.1,
            0.0,
            (cxcywh[2] / 10).log() / 0.2,
            (cxcywh[3] / 10).log() / 0.2,
        ]
    )
    own = F.smooth_l1_loss(offsets[0], told, reduction="sum")
    torch.testing.assert_close(box_losses(offsets, DEFAULTS[:1], truths, "smooth-l1")[0], own)


def test_sampling_keeps_its_share_and_passes_over_what_is_ignored() -> None:
    torch.manual_seed(0)
    classes = torch.tensor([1] * 10 + [0] * 50 + [NO_CLASS] * 10)
    chosen = sampled(classes, 20, 0.25)
    assert chosen.sum() == 20
    assert (chosen & (classes > 0)).sum() == 5
    assert not chosen[60:].any()
    few = sampled(torch.tensor([2, 0, 0]), 20, 0.25)
    assert few.all()


@pytest.fixture
def scene() -> BoxBatch:
    """Bright squares of two sizes and kinds on dark canvases."""
    images = torch.zeros(4, 1, 32, 32)
    boxes = torch.zeros(4, 2, 4)
    for place in range(4):
        images[place, :, 4 : 12 + place, 4 : 12 + place] = 2
        images[place, :, 18:28, 14 + place : 24 + place] = -2
        boxes[place] = torch.tensor(
            [[4.0, 4, 12 + place, 12 + place], [14 + place, 18, 24 + place, 28]]
        )
    classes = torch.tensor([[0, 1]]).repeat(4, 1)
    return BoxBatch(images, boxes, classes, torch.zeros(4, 2, dtype=torch.bool))


def found_all(model: SSD | FasterRCNN, batch: BoxBatch) -> bool:
    """Whether the two surest answers are the two objects."""
    model.eval()
    for found, boxes in zip(model.detect(batch.images), batch.boxes_xyxy_px, strict=True):
        two = found.boxes_xyxy_px[:2][found.classes[:2].argsort()]
        if sorted(found.classes[:2].tolist()) != [0, 1] or not (two - boxes).abs().max() < 2:
            return False
    return True


SIZES = {"num_channels": 1, "num_classes": 2, "size_px": (32, 32), "object_px": (8.0, 12.0)}


@pytest.mark.parametrize("kind", ["hard", "focal", "two-stage"])
def test_detector_overfits_one_batch(kind: str, scene: BoxBatch) -> None:
    torch.manual_seed(0)
    common = {"backbone": "vgg", "width": 0.125, "strides": (4, 8)}
    objective: SSDObjective | TwoStageObjective
    if kind == "two-stage":
        config = FasterRCNN.Config(**common, top_down=16, proposals=20, bins=3, hidden=32)
        model: SSD | FasterRCNN = FasterRCNN(config, **SIZES)
        objective = TwoStageObjective()
    else:
        model = SSD(SSD.Config(**common), **SIZES)
        box_loss = "giou" if kind == "focal" else "smooth-l1"
        objective = SSDObjective(negatives=kind, box_loss=box_loss)
    assert not found_all(model, scene)
    learner = GradientLearner(
        model, objective, Training(steps=150, lr=1e-2, schedule="one-cycle", clip_norm=10.0)
    )
    losses = [float(learner.step(scene)["loss"]) for _ in range(150)]
    assert losses[-1] < 0.1 * losses[0]
    assert found_all(model, scene)


@pytest.mark.parametrize(("side_px", "level"), [(5.0, 0), (12.0, 0), (24.0, 1), (31.0, 1)])
def test_second_look_reads_the_map_on_which_a_box_spans_its_bins(
    side_px: float, level: int
) -> None:
    config = FasterRCNN.Config(backbone="vgg", width=0.125, strides=(4, 8), top_down=16, bins=3)
    model = FasterRCNN(config, **SIZES)
    maps = [torch.rand(1, 16, 32 // stride, 32 // stride).requires_grad_() for stride in (4, 8)]
    box = torch.tensor([[0.0, 0.0, side_px, side_px]])
    seen = model.look(maps, box, torch.zeros(1, dtype=torch.long))
    seen.scores.square().sum().backward()
    read = [one.grad is not None and bool(one.grad.any()) for one in maps]
    assert read == [level == 0, level == 1]


@pytest.mark.parametrize("backbone", ["resnet", "vgg", "mobilenet-v1", "mobilenet-v2"])
def test_every_backbone_answers_each_default_box(backbone: str) -> None:
    config = SSD.Config(backbone=backbone, width=0.125, strides=(4, 8, 16, 32, 64))
    sizes = {**SIZES, "size_px": (50, 70)}
    model = SSD(config, **sizes).eval()
    raw = model(torch.zeros(2, 1, 50, 70))
    assert raw.scores.shape == (2, len(model.defaults), 3)
    assert raw.offsets.shape == (2, len(model.defaults), 4)
    # An object is rare to begin with, whatever the image.
    share: Tensor = raw.scores.softmax(-1)[..., 1:].sum(-1)
    assert (share < 0.03).all()
    with pytest.raises(ValueError, match="strides"):
        SSD(SSD.Config(backbone=backbone, strides=(8, 4)), **sizes)
