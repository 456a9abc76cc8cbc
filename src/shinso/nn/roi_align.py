"""RoIAlign: the features within a box, brought to one size (He et al. 2017, section 3)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def roi_align(
    features: Float[Tensor, "batch channel height width"],
    boxes_xyxy_px: Float[Tensor, "box 4"],
    images: Int[Tensor, " box"],
    *,
    stride: float,
    bins: int,
    samples: int = 2,
) -> Float[Tensor, "box channel bins bins"]:
    """Each bin is the mean of samples × samples points of it, each read between four positions.

        f(y, x) = Σ_ij max(0, 1 − |y − i|) · max(0, 1 − |x − j|) · F_ij

    boxes: in pixels of the image, of which a position of ``features`` covers ``stride``, its value
    standing at its middle. images: to which image of the batch each box belongs. Points beyond the
    border read the value at it; points more than a position beyond it read 0.

    A bin is then a bag of 4 · samples² rows of features with weights, which is what ``embedding_bag``
    sums; nothing the size of all points by all channels is made.
    """
    _batch, channels, height, width = features.shape
    # (box, axis, bins · samples): where the points lie, in positions
    low, high = boxes_xyxy_px[:, :2] / stride, boxes_xyxy_px[:, 2:] / stride
    count = bins * samples
    share = (torch.arange(count, device=features.device, dtype=low.dtype) + 0.5) / count
    points = low[..., None] + (high - low)[..., None] * share - 0.5
    columns, by_column = _neighbours(points[:, 0], width)
    rows, by_row = _neighbours(points[:, 1], height)
    # (box, row points, column points, 2, 2)
    places = rows[:, :, None, :, None] * width + columns[:, None, :, None, :]
    weights = by_row[:, :, None, :, None] * by_column[:, None, :, None, :] / samples**2
    places = places + images.view(-1, 1, 1, 1, 1) * (height * width)
    # the points of one bin side by side
    shape = (len(boxes_xyxy_px), bins, samples, bins, samples, 4)
    bags = places.reshape(shape).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4 * samples**2)
    shares = weights.reshape(shape).permute(0, 1, 3, 2, 4, 5).reshape(bags.shape)
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)
    summed = F.embedding_bag(bags, table, mode="sum", per_sample_weights=shares.to(table.dtype))
    return summed.view(-1, bins, bins, channels).permute(0, 3, 1, 2)


def _neighbours(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(…, 2): the two positions between which each point lies, and their weights."""
    near = (points >= -1) & (points <= size)
    inside = points.clamp(0, size - 1)
    first = inside.floor().clamp(max=max(size - 2, 0))
    share = inside - first
    second = (first + 1).clamp(max=size - 1)
    weights = torch.stack([1 - share, share], -1) * near[..., None]
    return torch.stack([first, second], -1).long(), weights
