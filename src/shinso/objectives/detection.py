"""What detectors are trained for: classes of default boxes, most of them background, and offsets.

L = (L_class + α L_box) / N,   N: default boxes that are matched to an object (Liu et al. 2016, eq. 1)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.contracts import Compared
from shinso.data.boxed_batches import BoxBatch
from shinso.faults import UsageFault
from shinso.language import _
from shinso.models.ssd import CENTRE_SCALE, SIZE_SCALE, SSD, Raw
from shinso.nn.boxes import (
    cxcywh_from_xyxy,
    generalized_iou,
    match_boxes,
    offsets_of,
    pairwise_iou,
    xyxy_from_cxcywh,
)
from shinso.objectives.distillation import incomparable

Negatives = Literal["hard", "random", "all", "focal"]
BoxLoss = Literal["smooth-l1", "giou"]
NO_CLASS = -1
SEEN = 0.5
"""Share of the background below which a teacher sees something."""


class Targets(NamedTuple):
    """What each default box should say. classes: 0 background, −1 not asked, else class + 1."""

    classes: Int[Tensor, "batch default"]
    boxes_xyxy_px: Float[Tensor, "batch default 4"]


@torch.no_grad()
def targets_of(
    batch: BoxBatch, defaults_cxcywh: Float[Tensor, "default 4"], threshold: float
) -> Targets:
    """Match each image's objects to default boxes. A default box on an ignored object that is
    matched to no other is not asked."""
    corners = xyxy_from_cxcywh(defaults_cxcywh)
    classes = torch.zeros(len(batch.images), len(corners), dtype=torch.long, device=corners.device)
    boxes = corners.expand(len(batch.images), -1, -1).clone()
    for row in range(len(batch.images)):
        there = batch.classes[row] >= 0
        asked = there & ~batch.ignored[row]
        truths = batch.boxes_xyxy_px[row, asked]
        best, matched = match_boxes(corners, truths, threshold=threshold)
        passed = batch.boxes_xyxy_px[row, there & batch.ignored[row]]
        if len(passed):
            on_ignored = pairwise_iou(corners, passed).amax(1) > threshold
            classes[row, on_ignored] = NO_CLASS
        if len(truths):
            classes[row, matched] = batch.classes[row, asked][best[matched]] + 1
            boxes[row, matched] = truths[best[matched]]
    return Targets(classes, boxes)


def class_errors(
    scores: Float[Tensor, "batch default class"], targets: Int[Tensor, "batch default"]
) -> Float[Tensor, "batch default"]:
    """Cross entropy of each default box; 0 for one that is not asked."""
    return F.cross_entropy(
        scores.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=NO_CLASS
    ).view_as(targets)


def mined(
    losses: Float[Tensor, "batch default"],
    targets: Int[Tensor, "batch default"],
    *,
    ratio: float,
    hardest: bool,
) -> Bool[Tensor, "batch default"]:
    """The background boxes that are learnt: ``ratio`` for each matched box of the image, those with
    the largest loss or drawn at random. An image without objects learns ``ratio`` of them."""
    background = targets == 0
    wanted = ((targets > 0).sum(1).clamp(min=1) * ratio).long()
    keys = losses.detach() if hardest else torch.rand_like(losses)
    keys = keys.masked_fill(~background, -torch.inf)
    most = min(int(wanted.max()), keys.shape[1])
    surest = keys.topk(most, dim=1)
    within = torch.arange(most, device=keys.device) < wanted[:, None]
    chosen = torch.zeros_like(background)
    chosen.scatter_(1, surest.indices, within)
    return chosen & background


def focal_weights(
    scores: Float[Tensor, "*box class"], targets: Int[Tensor, "*box"], gamma: float
) -> Float[Tensor, "*box"]:
    """(1 − p_t)^γ: what is sure already counts little (Lin et al. 2017, "Focal Loss", eq. 4).

    Differs: over softmax with a background class, as the rest of SSD, not over a sigmoid a class;
    no balance α beside it.
    """
    own = scores.softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return (1 - own).clamp(min=0) ** gamma


class SSDObjective:
    """Cross entropy of classes and the error of boxes, over the matched boxes of the batch.

    negatives: which background boxes are learnt: the hardest, three for a matched one (hard negative
    mining, 2.2), as many at random, all alike, or all by focal loss. threshold: least overlap of a
    match. defaults_cxcywh: the model's, with which ``term_weights`` counts the matched boxes.

    A batch in parts has the whole batch's gradient where each part has an object, and random
    negatives aside.
    """

    def __init__(
        self,
        *,
        negatives: Negatives = "hard",
        ratio: float = 3.0,
        gamma: float = 2.0,
        box_loss: BoxLoss = "smooth-l1",
        threshold: float = 0.5,
        defaults_cxcywh: Float[Tensor, "default 4"] | None = None,
    ) -> None:
        self.defaults_cxcywh = defaults_cxcywh
        self.negatives: Negatives = negatives
        self.ratio, self.gamma = ratio, gamma
        self.box_loss: BoxLoss = box_loss
        self.threshold = threshold

    def __call__(self, model: nn.Module, batch: BoxBatch) -> Mapping[str, Tensor]:
        defaults = model.defaults
        assert isinstance(defaults, Tensor)
        raw = model(batch.images)
        targets = targets_of(batch, defaults, self.threshold)
        matched = targets.classes > 0
        count = matched.sum().clamp(min=1)
        classes = self.class_losses(raw.scores.float(), targets.classes).sum() / count
        boxes = self.matched_box_losses(raw, targets, defaults).sum() / count
        return {
            "loss": classes + boxes,
            "class_loss_nats": classes.detach(),
            "box_loss": boxes.detach(),
            "matched": matched.sum(1).float().mean(),
        }

    def class_losses(
        self,
        scores: Float[Tensor, "batch default class"],
        targets: Int[Tensor, "batch default"],
    ) -> Float[Tensor, "batch default"]:
        """Each default box's share of the loss; 0 for those that are not learnt."""
        losses = class_errors(scores, targets)
        if self.negatives == "all":
            return losses
        if self.negatives == "focal":
            return losses * focal_weights(scores, targets, self.gamma)
        chosen = mined(losses, targets, ratio=self.ratio, hardest=self.negatives == "hard")
        return losses * (chosen | (targets > 0))

    def matched_box_losses(
        self, raw: Raw, targets: Targets, defaults_cxcywh: Float[Tensor, "default 4"]
    ) -> Float[Tensor, " matched"]:
        """The error of each matched box to its truth."""
        matched = targets.classes > 0
        return box_losses(
            raw.offsets.float()[matched],
            defaults_cxcywh.expand(len(matched), -1, -1)[matched],
            targets.boxes_xyxy_px[matched],
            self.box_loss,
        )

    def comparison(
        self, student: nn.Module, teacher: nn.Module
    ) -> Callable[[BoxBatch, Raw, Raw], Compared]:
        """Of every default box on its own; both networks must have the same."""
        if not isinstance(student, SSD):
            raise many_as_found(student)
        if not isinstance(teacher, SSD):
            raise many_as_found(teacher)
        ours, theirs = student.defaults, teacher.defaults
        if ours.shape != theirs.shape or not ours.equal(theirs):
            raise incomparable(
                student,
                _("it has {ours} default boxes, its teacher {theirs}").format(
                    ours=f"{len(ours):,} ({_strides(student)})",
                    theirs=f"{len(theirs):,} ({_strides(teacher)})",
                ),
                next_step=_("leave strides to the run: a student takes those of its teacher"),
            )

        def compare(batch: BoxBatch, said: Raw, told: Raw) -> Compared:
            return self.compared(batch, said, told, ours)

        return compare

    def compared(
        self, batch: BoxBatch, said: Raw, told: Raw, defaults_cxcywh: Float[Tensor, "default 4"]
    ) -> Compared:
        """What a teacher teaches of default boxes (Chen et al. 2017, "Learning Efficient Object
        Detection Models with Knowledge Distillation", sections 3.2 and 3.3).

        Scores: at boxes that are matched, at those that hold something rather than nothing to the
        teacher, and at ``ratio`` hardest of the background for each matched one, so that the rest,
        thousands, does not drown these. Divided by the boxes on objects, to labels or teacher, as
        the labels' loss is by those of the labels. Offsets: the error of matched boxes to the
        truth, as the labels' loss has it, but 0 where the student's is no larger than the teacher's
        (the teacher-bounded loss): a regression has no dark knowledge to match, and a teacher
        may be far off.

        Differs: no class weighs more (there, background 1.5 times), which would put the least loss
        beside the teacher's answer; no margin m, and the bounded error weighs as the scores (there
        ν = 0.5) and is measured as ``box_loss`` says; where boxes are chosen by a proposal network
        there, they are mined here.
        """
        targets = targets_of(batch, defaults_cxcywh, self.threshold)
        classes = targets.classes
        matched = classes > 0
        scores, theirs = said.scores.float(), told.scores.float()
        seen = (theirs.softmax(-1)[..., 0] < SEEN) & (classes != NO_CLASS)
        losses = class_errors(scores.detach(), classes)
        objects = matched | seen
        counted = objects | mined(losses, classes, ratio=self.ratio, hardest=True)
        own, bound = (
            self.matched_box_losses(one, targets, defaults_cxcywh) for one in (said, told)
        )
        bounded = own[own > bound].sum() / matched.sum().clamp(min=1)
        of = objects.sum().clamp(min=1)
        return Compared(scores[counted], theirs[counted], of, bounded)

    def term_weights(self, batch: BoxBatch) -> Mapping[str, float]:
        """Matched boxes, by which the loss is divided; how many those are is a mean over images.
        Raises ValueError without the defaults."""
        if self.defaults_cxcywh is None:
            raise ValueError("matched boxes are counted with the model's defaults; give them")
        defaults = self.defaults_cxcywh.to(batch.boxes_xyxy_px)
        targets = targets_of(batch, defaults, self.threshold)
        matched = float((targets.classes > 0).sum().clamp(min=1))
        return {"loss": matched, "matched": len(batch.images)}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def many_as_found(model: nn.Module) -> UsageFault:
    """The fault of a detector that is taught, or teaches, and looks in two steps."""
    return incomparable(
        model, _("it looks into as many boxes as it finds, and no two networks find the same")
    )


def _strides(model: SSD) -> str:
    return f"strides={','.join(map(str, model.config.strides))}"


def box_losses(
    offsets: Float[Tensor, "box 4"],
    defaults_cxcywh: Float[Tensor, "box 4"],
    truths_xyxy_px: Float[Tensor, "box 4"],
    kind: BoxLoss,
    *,
    centre_scale: float = CENTRE_SCALE,
    size_scale: float = SIZE_SCALE,
) -> Float[Tensor, " box"]:
    """Smooth L1 of the offsets (eq. 2), or 1 − GIoU of the boxes themselves, twice as heavy: it is
    at most 2, where offsets in units of their deviation are about 1."""
    from shinso.nn.boxes import boxes_from

    scales = {"centre_scale": centre_scale, "size_scale": size_scale}
    if kind == "giou":
        found = boxes_from(offsets, defaults_cxcywh, **scales)
        return 2 * (1 - generalized_iou(xyxy_from_cxcywh(found), truths_xyxy_px))
    wanted = offsets_of(cxcywh_from_xyxy(truths_xyxy_px), defaults_cxcywh, **scales)
    return F.smooth_l1_loss(offsets, wanted, reduction="none").sum(-1)
