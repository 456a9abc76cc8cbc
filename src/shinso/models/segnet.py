"""SegNet (Badrinarayanan, Kendall & Cipolla 2017, https://arxiv.org/abs/1511.00561).

Place in the course: upsampling without weights. The encoder is VGG-16's convolutions; each pooling
remembers where its maxima stood, and the decoder, its mirror image, puts values back to these places
and fills the gaps by convolutions. Two bits a window are kept instead of whole maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.fcn import VGG16
from shinso.models.image_parts import scaled
from shinso.models.segmenter_parts import aligned, begun, unit, units
from shinso.nn.conv import Convolution
from shinso.nn.unpooling import MaxPoolingWithPlaces, Unpooling
from shinso.settings import setting


@final
class SegNet(nn.Module):
    """Thirteen convolutions and five poolings down; five unpoolings and thirteen convolutions up,
    the last of which gives the class scores."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        width: float = setting(0.5, "what the paper's channels, 64 at first, are multiplied with")

        def __post_init__(self) -> None:
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        self.stride = 2 ** len(VGG16)
        widths = [scaled(wide, config.width) for wide, _count in VGG16]
        counts = [count for _wide, count in VGG16]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for before, after, count in zip([num_channels, *widths], widths, counts, strict=False):
            self.down.append(units(before, after, count))
        for level in range(len(widths) - 1, 0, -1):
            # The last convolution of a stage goes to the channels of the stage above it.
            kept = [unit(widths[level], widths[level]) for _ in range(counts[level] - 1)]
            self.up.append(nn.Sequential(*kept, unit(widths[level], widths[level - 1])))
        self.up.append(units(widths[0], widths[0], counts[0] - 1))
        self.pool, self.unpool = MaxPoolingWithPlaces(), Unpooling()
        self.head = Convolution(widths[0], num_classes, 3, bias=True)
        begun(self, [self.head])

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, x: Tensor) -> Tensor:
        kept: list[Tensor] = []
        for stage in self.down:
            x, places = self.pool(stage(x))
            kept.append(places)
        for stage in self.up:
            x = stage(self.unpool(x, kept.pop()))
        return self.head(x)
