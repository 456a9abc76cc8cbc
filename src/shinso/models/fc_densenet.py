"""FC-DenseNet, "The One Hundred Layers Tiramisu" (Jégou et al. 2017,
https://arxiv.org/abs/1611.09326).

Place in the course: dense blocks down and up. On the way down a block's maps are concatenated to what
it read; on the way up only the maps that the block below has newly made are enlarged, or the channels
would grow without bound, and the skip connection brings the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.densenet import DenseBlock
from shinso.models.image_parts import scaled
from shinso.models.segmenter_parts import aligned, begun
from shinso.nn.conv import Convolution, Pointwise
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

Form = Literal["56", "67", "103"]
FORMS: dict[Form, tuple[int, tuple[int, ...], int]] = {
    "56": (12, (4, 4, 4, 4, 4), 4),
    "67": (16, (5, 5, 5, 5, 5), 5),
    "103": (16, (4, 5, 7, 10, 12), 15),
}
"""Growth rate, layers of the blocks on each way, layers of the block between (tables 2 and 3)."""
FIRST = 48


class TransitionDown(nn.Module):
    """Normalization, ReLU, 1×1 convolution, dropout, maximum of 2×2 (table 1)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = BatchNorm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = Pointwise(channels, channels)
        self.dropout = dropout
        self.pool = nn.MaxPool2d(2)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel half_height half_width"]:
        x = self.conv(self.relu(self.norm(x)))
        if self.dropout:
            x = F.dropout(x, self.dropout, self.training)
        return self.pool(x)


@final
class FCDenseNet(nn.Module):
    """A convolution, five dense blocks down, one between, five up, 1×1 to class scores."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        form: Form = setting("56", "layers in all: 56, 67 or 103, as in the paper")
        growth_rate: int = setting(0, "channels each layer adds (k); 0: the paper's")
        width: float = setting(
            1.0, "what the growth rate and the first channels are multiplied with"
        )
        dropout: float = setting(0.2, "share of each layer's outputs dropped in training")
        frugal: bool = setting(
            False, "compute concatenations again going backward: less memory, more time"
        )

        def __post_init__(self) -> None:
            if self.growth_rate < 0:
                raise ValueError(f"growth_rate is {self.growth_rate}; give 0 or more")
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        growth, counts, between = FORMS[config.form]
        growth = scaled(config.growth_rate or growth, config.width)

        def block(count: int, channels: int) -> DenseBlock:
            return DenseBlock(
                count, channels, growth,
                bottleneck=False, dropout=config.dropout, frugal=config.frugal,
            )  # fmt: skip

        self.stride = 2 ** len(counts)
        channels = scaled(FIRST, config.width)
        self.first = Convolution(num_channels, channels, 3, bias=True)
        self.down, self.narrow = nn.ModuleList(), nn.ModuleList()
        skips = []
        for count in counts:
            self.down.append(block(count, channels))
            channels += count * growth
            skips.append(channels)
            self.narrow.append(TransitionDown(channels, config.dropout))
        self.between = block(between, channels)
        new = between * growth
        self.wider, self.up = nn.ModuleList(), nn.ModuleList()
        for count, skip in zip(counts[::-1], skips[::-1], strict=True):
            self.wider.append(nn.ConvTranspose2d(new, new, 3, 2, 1, output_padding=1))
            channels = new + skip
            self.up.append(block(count, channels))
            new = count * growth
        self.head = Convolution(channels + new, num_classes, 1, bias=True)
        begun(self, [self.head])

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class height width"]:
        """Class scores of every pixel before softmax."""
        return aligned(self._whole, images, self.stride)

    def _whole(self, x: Tensor) -> Tensor:
        x = self.first(x)
        kept: list[Tensor] = []
        for block, narrow in zip(self.down, self.narrow, strict=True):
            x = block(x)
            kept.append(x)
            x = narrow(x)
        read = x.shape[1]
        x = self.between(x)
        for wider, block in zip(self.wider, self.up, strict=True):
            x = torch.cat([wider(x[:, read:]), kept.pop()], 1)
            read = x.shape[1]
            x = block(x)
        return self.head(x)
