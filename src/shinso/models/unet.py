"""U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597).

Place in the course: down by pooling, up by transposed convolutions, and at every side the map of the
way down is joined to that of the way up, which brings back where things are.

Differs: borders are filled with zeros instead of cut off, so an image keeps its size; convolutions
are normalized (the paper is older than batch normalization). ``norm=False`` leaves the
normalizations out and gives convolutions biases, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import scaled
from shinso.models.segmenter_parts import Bilinear, Up, aligned, begun, units
from shinso.nn.conv import Convolution
from shinso.settings import setting


@final
class UNet(nn.Module):
    """``depth`` times two convolutions and pooling; two convolutions; ``depth`` times doubling,
    joining and two convolutions; 1×1 to class scores."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        depth: int = setting(4, "how often sides are halved and doubled again")
        width: float = setting(0.5, "what the paper's channels, 64 at first, are multiplied with")
        norm: bool = setting(True, "normalize convolutions; without it they have biases")
        skips: bool = setting(True, "join the maps of the way down on the way up")
        up: Up = setting("transposed", "how sides are doubled: transposed or bilinear")
        dropout: float = setting(0.0, "share of channels dropped from the smallest map")

        def __post_init__(self) -> None:
            if not 1 <= self.depth <= 7:
                raise ValueError(f"depth is {self.depth}; give 1 to 7")
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        self.stride = 2**config.depth
        widths = [scaled(64 * 2**level, config.width) for level in range(config.depth + 1)]
        self.down = nn.ModuleList(
            _pair(before, after, norm=config.norm)
            for before, after in zip([num_channels, *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout2d(config.dropout)
        self.doublings, self.up = nn.ModuleList(), nn.ModuleList()
        for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.doublings.append(_doubled(wide, narrow, config.up))
            joined = 2 * narrow if config.skips else narrow
            self.up.append(_pair(joined, narrow, norm=config.norm))
        self.head = Convolution(widths[0], num_classes, 1, bias=True)
        begun(self, [self.head])

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for level, pair in enumerate(self.down):
            x = pair(self.pool(x) if level else x)
            kept.append(x)
        x = self.drop(kept.pop())
        for double, pair in zip(self.doublings, self.up, strict=True):
            x, beside = double(x), kept.pop()
            x = pair(torch.cat([beside, x], 1) if self.config.skips else x)
        return self.head(x)


def _doubled(channels: int, out: int, how: Up) -> nn.Module:
    """The paper's "up-convolution" has a kernel of 2×2, so no two of its terms meet in a pixel."""
    if how == "transposed":
        return nn.ConvTranspose2d(channels, out, 2, 2)
    # Mixing channels before enlarging them is four times cheaper, and the two commute.
    return nn.Sequential(Convolution(channels, out, 1, bias=True), Bilinear(2))


def _pair(channels: int, out: int, *, norm: bool) -> nn.Sequential:
    if norm:
        return units(channels, out, 2)
    return nn.Sequential(
        Convolution(channels, out, 3, bias=True), nn.ReLU(inplace=True),
        Convolution(out, out, 3, bias=True), nn.ReLU(inplace=True),
    )  # fmt: skip
