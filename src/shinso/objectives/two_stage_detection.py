"""What Faster R-CNN is trained for: both looks at once (Ren et al. 2015, eq. 1, and Girshick 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.data.boxed_batches import BoxBatch
from shinso.models.faster_rcnn import FasterRCNN, Proposed
from shinso.nn.boxes import cxcywh_from_xyxy, pairwise_iou
from shinso.objectives.detection import (
    NO_CLASS,
    BoxLoss,
    Targets,
    box_losses,
    many_as_found,
    targets_of,
)

FIRST_SAMPLED, FIRST_RIGHT = 128, 0.5
SECOND_SAMPLED, SECOND_RIGHT, SECOND_IOU = 64, 0.25, 0.5
"""Boxes an image that each look learns from, the largest share of them on objects, and the overlap
from which a proposal is on one."""


@torch.no_grad()
def sampled(classes: Int[Tensor, " box"], count: int, share_right: float) -> Bool[Tensor, " box"]:
    """``count`` boxes at random, at most a share of them on objects; −1 is never among them."""
    keys = torch.rand(len(classes), device=classes.device)
    right, wrong = classes > 0, classes == 0
    chosen = torch.zeros_like(right)
    for group, most in ((right, round(count * share_right)), (wrong, 0)):
        most = min(most or count - int(chosen.sum()), int(group.sum()))
        chosen[keys.masked_fill(~group, -1.0).topk(most).indices] = True
    return chosen


class TwoStageObjective:
    """Whether default boxes hold something, what proposals hold, and how far both are off.

    Differs: all four losses are divided by the number of matched boxes, as in SSD, not by that of
    sampled ones; classes and boxes then weigh alike, however few the objects are. Proposals carry no
    gradient (approximate joint training, section 3.2). A default box is on an
    object by more than ``threshold``; no band between object and background is left out.

    Which boxes are learnt is drawn at random, and how many of them are matched follows from the
    model: a batch that is shared among workers or learned in parts counts its parts by images, and
    has the whole batch's gradient only in the mean.
    """

    def __init__(self, *, box_loss: BoxLoss = "smooth-l1", threshold: float = 0.5) -> None:
        self.box_loss: BoxLoss = box_loss
        self.threshold = threshold

    def __call__(self, model: nn.Module, batch: BoxBatch) -> Mapping[str, Tensor]:
        assert isinstance(model, FasterRCNN)
        first = model(batch.images)
        targets = targets_of(batch, model.defaults, self.threshold)
        holds, moves = self._first_look(model, first, targets)
        boxes, belongs, classes, truths = self._learnt(first, batch)
        seen = model.look(first.maps, boxes, belongs)
        right = classes > 0
        count = right.sum().clamp(min=1)
        named = F.cross_entropy(seen.scores.float(), classes, reduction="sum") / count
        corrected = box_losses(
            seen.offsets.float()[right],
            cxcywh_from_xyxy(boxes[right]),
            truths[right],
            self.box_loss,
        )
        corrected = corrected.sum() / count
        return {
            "loss": holds + moves + named + corrected,
            "proposal_loss_nats": holds.detach(),
            "proposal_box_loss": moves.detach(),
            "class_loss_nats": named.detach(),
            "box_loss": corrected.detach(),
        }

    def comparison(self, student: nn.Module, teacher: nn.Module) -> NoReturn:
        """UsageFault COMPRESS-REFUSED, always."""
        raise many_as_found(student)

    def _first_look(
        self, model: FasterRCNN, first: Proposed, targets: Targets
    ) -> tuple[Tensor, Tensor]:
        chosen = torch.stack([sampled(own, FIRST_SAMPLED, FIRST_RIGHT) for own in targets.classes])
        right = targets.classes > 0
        learnt = right & chosen
        count = learnt.sum().clamp(min=1)
        holds = F.binary_cross_entropy_with_logits(
            first.scores.float()[chosen], right[chosen].float(), reduction="sum"
        )
        moves = box_losses(
            first.offsets.float()[learnt],
            model.defaults.expand(len(learnt), -1, -1)[learnt],
            targets.boxes_xyxy_px[learnt],
            self.box_loss,
        )
        return holds / count, moves.sum() / count

    @torch.no_grad()
    def _learnt(
        self, first: Proposed, batch: BoxBatch
    ) -> tuple[
        Float[Tensor, "box 4"], Int[Tensor, " box"], Int[Tensor, " box"], Float[Tensor, "box 4"]
    ]:
        """Proposals and the objects themselves, sampled: boxes, their image, class and truth."""
        found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        for row, proposals in enumerate(first.proposals):
            there = batch.classes[row] >= 0
            asked = there & ~batch.ignored[row]
            truths, numbers = batch.boxes_xyxy_px[row, asked], batch.classes[row, asked]
            boxes = torch.cat([proposals, truths])
            classes = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
            own = boxes
            passed = batch.boxes_xyxy_px[row, there & batch.ignored[row]]
            if len(passed):
                classes[pairwise_iou(boxes, passed).amax(1) >= SECOND_IOU] = NO_CLASS
            if len(truths):
                overlap, best = pairwise_iou(boxes, truths).max(1)
                right = overlap >= SECOND_IOU
                classes[right] = numbers[best[right]] + 1
                own = truths[best]
            chosen = sampled(classes, SECOND_SAMPLED, SECOND_RIGHT)
            image = torch.full_like(classes, row)
            found.append((boxes[chosen], image[chosen], classes[chosen], own[chosen]))
        boxes, images, classes, truths = (torch.cat(part) for part in zip(*found, strict=True))
        return boxes, images, classes, truths

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass
