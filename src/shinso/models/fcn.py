"""Fully convolutional networks: FCN-32s, FCN-16s, FCN-8s (Long, Shelhamer & Darrell 2015,
https://arxiv.org/abs/1411.4038).

Place in the course: a classifier whose linear layers became convolutions answers at every position of
its last map, one for 32×32 pixels. FCN-32s enlarges these scores at once; FCN-16s and FCN-8s add the
scores of the finer maps before the fourth and the third pooling on the way.

Differs: convolutions are normalized, since no published weights are loaded; an image is filled up to
a multiple of 32 pixels instead of by 100 on each side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import scaled
from shinso.models.segmenter_parts import aligned, begun, enlarging, unit, units
from shinso.nn.conv import Convolution
from shinso.settings import setting

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions between the poolings (Simonyan & Zisserman 2015, table 1, D)."""
FULL = 4096
"""Channels of the two layers that were linear."""


@final
class FCN(nn.Module):
    """Thirteen convolutions of VGG-16, two more in place of its linear layers, scores, enlarging."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        stride: Literal[32, 16, 8] = setting(
            8, "pixels a position of the finest scores stands for: 32, 16 or 8 (FCN-32s, 16s, 8s)"
        )
        width: float = setting(0.25, "what the paper's channels are multiplied with")
        dropout: float = setting(0.5, "share dropped after each of the two full layers")

        def __post_init__(self) -> None:
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        self.stride = 32
        stages: list[nn.Module] = []
        channels = num_channels
        for wide, count in VGG16:
            out = scaled(wide, config.width)
            stages.append(nn.Sequential(units(channels, out, count), nn.MaxPool2d(2)))
            channels = out
        self.stages = nn.ModuleList(stages)
        full = scaled(FULL, config.width)
        self.full = nn.Sequential(
            unit(channels, full, 7), nn.Dropout2d(config.dropout),
            unit(full, full, 1), nn.Dropout2d(config.dropout),
        )  # fmt: skip
        self.head = Convolution(full, num_classes, 1, bias=True)
        # Finer maps are scored too, from pool4 for 16s and pool3 as well for 8s.
        finer = {32: (), 16: (3,), 8: (3, 2)}[config.stride]
        self.finer = finer
        self.finer_heads = nn.ModuleList(
            Convolution(scaled(VGG16[one][0], config.width), num_classes, 1, bias=True)
            for one in finer
        )
        begun(self, [self.head, self.finer_heads])
        self.doublings = nn.ModuleList(enlarging(num_classes, 2) for _ in finer)
        self.last = enlarging(num_classes, config.stride)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, x: Tensor) -> Tensor:
        pooled: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            pooled.append(x)
        scores = self.head(self.full(x))
        for place, double, head in zip(self.finer, self.doublings, self.finer_heads, strict=True):
            scores = double(scores) + head(pooled[place])
        return self.last(scores)
