"""Default boxes (anchors): what a detector's answers are told relative to (Liu et al. 2016, 2.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

RATIOS = (1.0, 2.0, 0.5)
"""Width over height. A fourth box is square too, of the size between this level's and the next's."""
PER_POSITION = len(RATIOS) + 1


def level_sizes_px(smallest_px: float, largest_px: float, num_levels: int) -> list[float]:
    """One size a level, each the same multiple of the one before.

    Differs: SSD's sizes grow by equal steps (eq. 4); by equal ratios, the best overlap that an
    object finds is alike for small and large ones. One level has the size between the two.
    """
    if not 0 < smallest_px <= largest_px:
        raise ValueError(f"sizes are {smallest_px} to {largest_px}; give 0 < smallest ≤ largest")
    if num_levels == 1:
        return [(smallest_px * largest_px) ** 0.5]
    ratio = (largest_px / smallest_px) ** (1 / (num_levels - 1))
    return [smallest_px * ratio**level for level in range(num_levels)]


def default_boxes(
    size_px: tuple[int, int], strides: Sequence[int], sizes_px: Sequence[float]
) -> Float[Tensor, "default 4"]:
    """Boxes (cxcywh, pixels) at every position of every level: levels, rows, columns, shapes.

    size_px: height and width of the image. strides: pixels from one position to the next; a level
    has ⌈side / stride⌉ positions a side. sizes_px: √(width · height) of each level's boxes.
    """
    if len(strides) != len(sizes_px):
        raise ValueError(f"there are {len(strides)} strides and {len(sizes_px)} sizes")
    levels = []
    for level, (stride, size) in enumerate(zip(strides, sizes_px, strict=True)):
        # Behind the last level the sizes go on as before.
        if level + 1 < len(sizes_px):
            above = sizes_px[level + 1]
        else:
            above = size * size / sizes_px[level - 1] if level else size * 2
        between = (size * above) ** 0.5
        shapes = [(size * ratio**0.5, size / ratio**0.5) for ratio in RATIOS]
        shapes.append((between, between))
        rows, columns = (-(-side // stride) for side in size_px)
        y = (torch.arange(rows) + 0.5) * stride
        x = (torch.arange(columns) + 0.5) * stride
        centres = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)
        boxes = torch.empty(rows, columns, len(shapes), 4)
        boxes[..., :2] = centres[:, :, None]
        boxes[..., 2:] = torch.tensor(shapes)
        levels.append(boxes.reshape(-1, 4))
    return torch.cat(levels)
