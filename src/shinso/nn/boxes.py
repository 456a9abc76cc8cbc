"""Boxes: conversions between their forms, overlap, suppression, offsets from default boxes.

A name says format and unit. ``xyxy``: left, top, right, bottom. ``cxcywh``: centre, width, height.
``px``: pixels of the image, ``rel``: shares of its width and height. The edges are real numbers,
so a box of one pixel goes from 0 to 1 (COCO); where a file counts pixels with both ends (VOC), its
reader has already moved them.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Boxes = Float[Tensor, "*boxes 4"]


def cxcywh_from_xyxy(boxes_xyxy: Boxes) -> Boxes:
    """Centre and size of boxes given by their corners; the unit stays."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def xyxy_from_cxcywh(boxes_cxcywh: Boxes) -> Boxes:
    """Corners of boxes given by centre and size; the unit stays."""
    centre, half = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:] / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def rel_from_px(boxes_px: Boxes, width_px: float, height_px: float) -> Boxes:
    """Pixels as shares of the image, in either format."""
    return boxes_px / boxes_px.new_tensor([width_px, height_px, width_px, height_px])


def px_from_rel(boxes_rel: Boxes, width_px: float, height_px: float) -> Boxes:
    """Shares of the image as pixels, in either format."""
    return boxes_rel * boxes_rel.new_tensor([width_px, height_px, width_px, height_px])


def clip_to_image(boxes_xyxy_px: Boxes, width_px: float, height_px: float) -> Boxes:
    """The part of each box inside the image; a box outside it becomes one without area."""
    largest = boxes_xyxy_px.new_tensor([width_px, height_px, width_px, height_px])
    return boxes_xyxy_px.clamp(min=0).minimum(largest)


def area(boxes_xyxy: Boxes) -> Float[Tensor, "*boxes"]:
    """Width times height; 0 where a corner lies on the wrong side of the other."""
    return (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0).prod(-1)


def _intersection_and_union(
    first_xyxy: Float[Tensor, "*#boxes 4"], second_xyxy: Float[Tensor, "*#boxes 4"]
) -> tuple[Float[Tensor, "*#boxes"], Float[Tensor, "*#boxes"]]:
    low = torch.maximum(first_xyxy[..., :2], second_xyxy[..., :2])
    high = torch.minimum(first_xyxy[..., 2:], second_xyxy[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    return common, area(first_xyxy) + area(second_xyxy) - common


def pairwise_iou(
    first_xyxy: Float[Tensor, "first 4"], second_xyxy: Float[Tensor, "second 4"]
) -> Float[Tensor, "first second"]:
    """Intersection over union of each box with each other; 0 for two boxes without area."""
    common, union = _intersection_and_union(first_xyxy[:, None], second_xyxy[None])
    return common / union.where(union > 0, torch.ones_like(union))


def generalized_iou(first_xyxy: Boxes, second_xyxy: Boxes) -> Float[Tensor, "*boxes"]:
    """GIoU of pairs of boxes (Rezatofighi et al. 2019, eq. 1): IoU less the share of the smallest
    enclosing box that neither fills, −1 … 1. It has a gradient where boxes do not meet.

    Two equal boxes without area give 0.
    """
    common, union = _intersection_and_union(first_xyxy, second_xyxy)
    low = torch.minimum(first_xyxy[..., :2], second_xyxy[..., :2])
    high = torch.maximum(first_xyxy[..., 2:], second_xyxy[..., 2:])
    around = (high - low).prod(-1)
    one = torch.ones_like(union)
    iou = common / union.where(union > 0, one)
    return iou - (around - union) / around.where(around > 0, one)


def non_maximum_suppression(
    boxes_xyxy: Float[Tensor, "box 4"],
    scores: Float[Tensor, " box"],
    classes: Int[Tensor, " box"] | None = None,
    *,
    iou_threshold: float = 0.5,
    max_kept: int = 0,
) -> Int[Tensor, " kept"]:
    """Greedy suppression: the surest box stays, every box of its class that overlaps it by more
    than ``iou_threshold`` goes, and so on. Returns indices, the surest first.

    classes: boxes of different classes do not suppress each other; without, all are of one.
    max_kept: ends after that many; 0 keeps all. Equal scores keep the order in which they stand.
    A box whose score is NaN is never kept.

    Greedy suppression is sequential; it runs compiled on the CPU wherever the boxes live.
    """
    from shinso.nn.kernels.overlap_numba import suppress

    order = scores.detach().argsort(descending=True, stable=True)
    order = order[~scores[order].isnan()]
    ordered = boxes_xyxy.detach()[order].double().cpu().contiguous().numpy()
    kinds = torch.zeros_like(order) if classes is None else classes[order].long()
    kept = suppress(
        ordered, kinds.cpu().contiguous().numpy(), iou_threshold, max_kept or len(order)
    )
    return order[torch.from_numpy(kept).to(order.device)]


def offsets_of(
    boxes_cxcywh: Boxes, defaults_cxcywh: Boxes, *, centre_scale: float, size_scale: float
) -> Boxes:
    """How far boxes lie from their default boxes, as a network predicts it (Ren et al. 2015, eq. 2):
    shifts in units of the default box, logarithms of ratios of sizes.

    centre_scale, size_scale: the offsets' usual deviations, by which they are divided so that all
    are of like size (SSD: 0.1 and 0.2). ``boxes_from`` is the way back.
    """
    shift = (boxes_cxcywh[..., :2] - defaults_cxcywh[..., :2]) / defaults_cxcywh[..., 2:]
    ratio = (boxes_cxcywh[..., 2:] / defaults_cxcywh[..., 2:]).log()
    return torch.cat([shift / centre_scale, ratio / size_scale], dim=-1)


LARGEST_LOG_RATIO = 4.135  # log(1000 / 16): a wild prediction must not overflow


def boxes_from(
    offsets: Boxes, defaults_cxcywh: Boxes, *, centre_scale: float, size_scale: float
) -> Boxes:
    """The boxes (cxcywh) that offsets from default boxes stand for.

    Differs: ratios of sizes above 62.5 are cut there, as in common implementations.
    """
    centre = offsets[..., :2] * centre_scale * defaults_cxcywh[..., 2:] + defaults_cxcywh[..., :2]
    ratio = (offsets[..., 2:] * size_scale).clamp(max=LARGEST_LOG_RATIO)
    return torch.cat([centre, ratio.exp() * defaults_cxcywh[..., 2:]], dim=-1)


def match_defaults(
    iou: Float[Tensor, "default truth"], *, threshold: float
) -> tuple[Int[Tensor, " default"], Bool[Tensor, " default"]]:
    """Which true box each default box learns, and whether it learns one (Liu et al. 2016, 2.2).

    A default box takes the true box it overlaps most, if by more than ``threshold``. Before that,
    every true box takes its best default box whatever the overlap, so that none is left unlearnt;
    where two want the same one, the larger overlap has it and the other takes its next best.
    """
    num_defaults, num_truths = iou.shape
    if num_truths == 0:
        nothing = torch.zeros(num_defaults, dtype=torch.long, device=iou.device)
        return nothing, nothing.bool()
    best_iou, best_truth = iou.max(dim=1)
    matched = best_iou > threshold
    free = iou.clone()
    for _ in range(min(num_truths, num_defaults)):
        place = int(free.argmax())
        default, truth = divmod(place, num_truths)
        best_truth[default], matched[default] = truth, True
        free[default], free[:, truth] = -1.0, -1.0
    return best_truth, matched


def match_boxes(
    defaults_xyxy: Float[Tensor, "default 4"],
    truths_xyxy: Float[Tensor, "truth 4"],
    *,
    threshold: float,
) -> tuple[Int[Tensor, " default"], Bool[Tensor, " default"]]:
    """``match_defaults`` of the overlaps of these boxes, compiled; on the CPU wherever they live."""
    from shinso.nn.kernels.overlap_numba import match

    best = torch.zeros(len(defaults_xyxy), dtype=torch.long)
    matched = torch.zeros(len(defaults_xyxy), dtype=torch.bool)
    if len(truths_xyxy):
        defaults, truths = (
            one.detach().double().cpu().contiguous().numpy() for one in (defaults_xyxy, truths_xyxy)
        )
        match(defaults, truths, threshold, best.numpy(), matched.numpy())
    return best.to(truths_xyxy.device), matched.to(truths_xyxy.device)
