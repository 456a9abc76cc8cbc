"""A U-Net whose way down is a residual network.

Place in the course: skip connections over a backbone of the classification chapters. The stages of
``ResNet`` give maps of halving sides; on the way up each is doubled and joined with the map of that
side (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597; the joining of a residual network
as in Iglovikov & Shvets 2018, https://arxiv.org/abs/1801.05746).

Differs from U-Net: the last doubling is bilinear, since half of the side tells the classes apart
and the largest maps cost most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import scaled
from shinso.models.resnet import IMAGENET, ResNet, Stem
from shinso.models.segmenter_parts import Bilinear, Up, aligned, begun, doubled, units
from shinso.nn.conv import Convolution
from shinso.settings import setting


@final
class ResNetUNet(nn.Module):
    """Residual stages down; doubling, joining and ``units`` units up; class scores."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        depth: int = setting(18, "layers of the residual network, as in classify-images")
        width: float = setting(0.5, "what its channels are multiplied with")
        stem: Stem = setting("imagenet", "its first layers: pixels, halved or imagenet")
        skips: bool = setting(True, "join the maps of the way down on the way up")
        up: Up = setting("bilinear", "how sides are doubled: transposed or bilinear")
        units: int = setting(1, "convolutions after each joining")
        dropout: float = setting(0.0, "share of channels dropped before the class scores")

        def __post_init__(self) -> None:
            ResNet.Config(depth=self.depth, width=self.width, stem=self.stem)
            if self.units < 1:
                raise ValueError(f"units is {self.units}; give at least 1")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        backbone = ResNet(
            ResNet.Config(depth=config.depth, width=config.width, stem=config.stem),
            num_channels=num_channels, num_classes=1, image_px=image_px,
        )  # fmt: skip
        sides, channels = _maps(backbone, config, image_px)
        del backbone.fc
        self.down = backbone
        self.doublings, self.joins = nn.ModuleList(), nn.ModuleList()
        below, at = channels[-1], sides[-1]
        # Maps of one side: the later one is joined, the earlier one has said less.
        by_side = dict(zip(sides, channels, strict=True))
        self.sides, self.stride = sides, at
        while at > max(2, min(by_side)):
            at //= 2
            joined = by_side.get(at, 0) if config.skips else 0
            out = max(scaled(32, config.width), below // 2)
            self.doublings.append(doubled(below, out, config.up))
            self.joins.append(units(out + joined, out, config.units))
            below = out
        self.drop = nn.Dropout2d(config.dropout)
        self.head = Convolution(below, num_classes, 1, bias=True)
        self.last = Bilinear(at) if at > 1 else nn.Identity()
        begun(nn.ModuleList([self.doublings, self.joins, self.head]), [self.head])

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, images: Tensor) -> Tensor:
        maps = [self.down.act1(self.down.bn1(self.down.conv1(images)))]
        x = self.down.maxpool(maps[0])
        for name in self.down.stages:
            x = self.down.get_submodule(name)(x)
            maps.append(x)
        by_side = dict(zip(self.sides, maps, strict=True))
        at = self.stride
        for double, join in zip(self.doublings, self.joins, strict=True):
            at //= 2
            x = double(x)
            if self.config.skips and at in by_side:
                x = torch.cat([x, by_side[at]], 1)
            x = join(x)
        return self.last(self.head(self.drop(x)))


def _maps(
    backbone: ResNet, config: ResNetUNet.Config, image_px: int
) -> tuple[list[int], list[int]]:
    """Strides and channels of the maps on the way down, the stem's first."""
    first = backbone.conv1.out_channels
    stride = backbone.conv1.stride[0]
    sides, channels = [stride], [first]
    stride *= 2 if isinstance(backbone.maxpool, nn.MaxPool2d) else 1
    wide = 4 if config.depth in IMAGENET and config.depth >= 50 else 1
    for number in range(len(backbone.stages)):
        stride *= 2 if number else 1
        sides.append(stride)
        channels.append(first * 2**number * wide)
    return sides, channels
