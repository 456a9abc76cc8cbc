"""A dilated network with parallel rates, after DeepLab (Chen et al. 2018,
https://arxiv.org/abs/1606.00915, and 2017, https://arxiv.org/abs/1706.05587).

Place in the course: seeing far without shrinking the map. A residual network halves sides only down
to an eighth; in the stages after that the taps of its kernels lie 2, 4, … pixels apart. Atrous
spatial pyramid pooling then reads the map at several rates side by side.

Differs: no branch of the whole image's mean, so that a pixel's scores depend on what is within reach
and large images can be tiled; scores are enlarged once, by bilinear interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import scaled
from shinso.models.resnet import IMAGENET, ResNet, Stem
from shinso.models.segmenter_parts import Bilinear, aligned, begun, unit
from shinso.nn.conv import Convolution
from shinso.nn.joints import PaddedShortcut
from shinso.settings import setting

PYRAMID = 256
"""Channels of each branch in the paper."""


def dilate(stage: nn.Module, dilation: int) -> None:
    """The stage no longer halves sides; its kernels see as far as if it and ``dilation / 2`` before
    it did (Chen et al. 2017, section 3.1)."""
    for module in stage.modules():
        if isinstance(module, Convolution):
            module.stride = (1, 1)
            side = module.kernel_size[0]
            module.dilation = (dilation, dilation)
            module.padding = (dilation * (side // 2), dilation * (side // 2))
        elif isinstance(module, PaddedShortcut):
            module.stride = 1


class Pyramid(nn.Module):
    """A 1×1 convolution and one of 3×3 for each rate, side by side, mixed by 1×1."""

    def __init__(self, channels: int, out: int, rates: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [unit(channels, out, 1), *(unit(channels, out, dilation=rate) for rate in rates)]
        )
        self.mix = nn.Sequential(unit(out * (len(rates) + 1), out, 1), nn.Dropout2d(dropout))

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out height width"]:
        return self.mix(torch.cat([branch(x) for branch in self.branches], 1))


@final
class DilatedSegmenter(nn.Module):
    """Residual stages to an eighth of the side, dilated ones, the pyramid, class scores."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        depth: int = setting(18, "layers of the residual network, as in classify-images")
        width: float = setting(0.5, "what its channels and the pyramid's are multiplied with")
        stem: Stem = setting("halved", "its first layers: pixels, halved or imagenet")
        smallest: int = setting(8, "pixels that a position of the smallest map covers")
        rates: tuple[int, ...] = setting((3, 6, 9), "how far taps of the pyramid lie apart")
        dropout: float = setting(0.1, "share of channels dropped before the class scores")

        def __post_init__(self) -> None:
            ResNet.Config(depth=self.depth, width=self.width, stem=self.stem)
            if self.smallest not in (4, 8, 16):
                raise ValueError(f"smallest is {self.smallest}; give 4, 8 or 16")
            if not self.rates or min(self.rates) < 1:
                raise ValueError(f"rates is {self.rates}; give numbers of at least 1")
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
        del backbone.fc
        stride = backbone.conv1.stride[0]
        stride *= 2 if isinstance(backbone.maxpool, nn.MaxPool2d) else 1
        dilation = 1
        for name in backbone.stages[1:]:
            if stride < config.smallest:
                stride *= 2
            else:
                dilation *= 2
                dilate(backbone.get_submodule(name), dilation)
        self.stride = stride
        self.backbone = backbone
        wide = 4 if config.depth in IMAGENET and config.depth >= 50 else 1
        channels = backbone.conv1.out_channels * 2 ** (len(backbone.stages) - 1) * wide
        out = scaled(PYRAMID, config.width)
        self.pyramid = Pyramid(channels, out, config.rates, config.dropout)
        self.head = Convolution(out, num_classes, 1, bias=True)
        self.last = Bilinear(stride)
        begun(nn.ModuleList([self.pyramid, self.head]), [self.head])

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, images: Tensor) -> Tensor:
        return self.last(self.head(self.pyramid(self.backbone.features(images))))
