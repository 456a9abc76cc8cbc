"""Segmenting an image that is too large for one pass: tiles that share a border, joined unseen.

A pixel's scores depend on the pixels within the network's reach and on no others. So where two tiles
share at least twice the reach, each pixel can be taken from a tile whose border is too far away to
matter, and the joined scores are those of one pass. Where they share less, the scores of both are
mixed over what they share, so that no edge shows; they are then close to one pass, not equal.

Finished rows are given out as they come: the scores of the whole are never in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.nn.unpooling import Unpooling

Window = Callable[[slice, slice], Tensor]
"""Rows and columns of the image as the network reads them, (1, channel, rows, columns)."""
PROBED_PX = 1024


@torch.no_grad()
def reach_px(network: nn.Module, *, channels: int, stride: int) -> int | None:
    """The least number of pixels r such that no output depends on an input more than r away; None
    where it is more than a probe of 1,024 pixels shows.

    The probe is not a number: NaN goes wherever the network carries an input, through weights of
    zero too. All columns beyond a border get it, and the columns that stay numbers are counted.
    """
    device = next(network.parameters()).device
    border = PROBED_PX // stride * stride
    found = 0
    was = network.training
    network.eval()
    try:
        for side in (slice(border, None), slice(None, border)):
            probe = torch.zeros(1, channels, stride, 2 * border, device=device)
            probe[..., side] = torch.nan
            touched = network(probe).isnan().any(1).any(1)[0]
            touched[side] = False
            inside = touched.nonzero()[:, 0]
            if len(inside):
                least, most = int(inside.min()), int(inside.max())
                found = max(found, border - least if side.start else most - border + 1)
    finally:
        network.train(was)
    if any(isinstance(one, Unpooling) for one in network.modules()):
        # An unpooled window that holds one NaN hides its other places, one pixel at each map.
        found += stride
    return None if found + stride >= border else found


@dataclass(frozen=True)
class Tiling:
    """side: of a tile. overlap: what neighbours share. margin: what is not used of a tile at a
    border that is not the image's. All multiples of the network's stride but the margin."""

    side: int
    overlap: int
    margin: int

    @property
    def exact(self) -> bool:
        """Whether the joined scores are those of one pass."""
        return self.margin > 0

    def spans(self, length: int) -> list[tuple[int, int]]:
        """Begin and end of the tiles along one axis. The last ends where the image does."""
        found = [(0, min(self.side, length))]
        while found[-1][1] < length:
            begin = found[-1][0] + self.side - self.overlap
            found.append((begin, min(begin + self.side, length)))
        return found

    def weights(self, begin: int, end: int, length: int) -> Float[Tensor, " place"]:
        """How much a tile says about each place: nothing within the margin, then rising, so that
        two tiles' weights add up to 1 over what they share."""
        places = torch.arange(end - begin, dtype=torch.float32)
        far = torch.full_like(places, torch.inf)
        left = places if begin else far
        right = places.flip(0) if end < length else far
        ramp = self.overlap - 2 * self.margin + 1
        return ((torch.minimum(left, right) + 1 - self.margin) / ramp).clamp(0, 1)


def tiling_for(side_px: int, overlap_px: int, reach: int | None, stride: int) -> Tiling:
    """overlap_px: 0 chooses twice the reach where half a tile has room for it, else a quarter of a
    tile."""
    side = max(2, side_px // stride) * stride
    most = (side // stride - 1) * stride
    wanted = overlap_px
    if not wanted:
        wanted = 2 * reach if reach is not None and 2 * reach <= side // 2 else side // 4
    overlap = min(-(-wanted // stride) * stride, most)
    exact = reach is not None and overlap >= 2 * reach
    return Tiling(side, overlap, reach if exact and reach is not None else 0)


def in_bands(
    network: nn.Module, window: Window, height: int, width: int, tiling: Tiling
) -> Iterator[Float[Tensor, "class rows width"]]:
    """Scores of finished rows, from above."""
    rows = tiling.spans(height)
    kept: Tensor | None = None
    for place, (top, bottom) in enumerate(rows):
        band = _band(network, window, (top, bottom), (height, width), tiling)
        if kept is not None:
            band[:, : kept.shape[1]] += kept
        done = (rows[place + 1][0] if place + 1 < len(rows) else bottom) - top
        # The last channel is the sum of the weights.
        yield band[:-1, :done] / band[-1:, :done]
        kept = band[:, done:]


def _band(
    network: nn.Module, window: Window, span: tuple[int, int], size: tuple[int, int], tiling: Tiling
) -> Float[Tensor, "class_and_weight rows width"]:
    """Weighted scores of a row of tiles, and the sum of the weights."""
    height, width = size
    down = tiling.weights(*span, height)
    band: Tensor | None = None
    for left, right in tiling.spans(width):
        with torch.no_grad():
            scores = network(window(slice(*span), slice(left, right)))[0].float().cpu()
        if band is None:
            band = torch.zeros(len(scores) + 1, span[1] - span[0], width)
        weight = down[:, None] * tiling.weights(left, right, width)
        band[:-1, :, left:right] += scores * weight
        band[-1, :, left:right] += weight
    assert band is not None
    return band
