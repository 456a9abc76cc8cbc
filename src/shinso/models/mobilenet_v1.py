"""MobileNet V1 and its twin of full convolutions (Howard et al. 2017, https://arxiv.org/abs/1704.04861).

Place in the course: depthwise separable convolutions and what they save. The twin has the same
layers, widths and strides, each separable pair replaced by one full 3×3 convolution (table 4).

Names in the state dict are timm's (``mobilenetv1_100``). Differs: sides of small images are halved
less often; widths are multiples of 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import divisible, halvings_for, initialize, last_strides
from shinso.nn.conv import Convolution, DepthwiseSeparable
from shinso.nn.joints import PositionMean
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

STAGES = ((64, 1), (128, 2), (256, 2), (512, 6), (1024, 2))
"""Channels and blocks of each stage (table 1)."""
MOST_HALVINGS = 5


class FullConvolution(nn.Module):
    """What a separable block replaces: one convolution, k² · N_in · N_out."""

    def __init__(
        self, channels: int, out: int, size: int = 3, *, stride: int = 1, act: type[nn.Module]
    ) -> None:
        super().__init__()
        self.conv = Convolution(channels, out, size, stride=stride)
        self.bn1 = BatchNorm(out)
        self.act1 = act(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        return self.act1(self.bn1(self.conv(x)))


@final
class MobileNetV1(nn.Module):
    """A full convolution, 13 blocks, mean over positions, one linear layer."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        separable: bool = setting(True, "depthwise separable; without, its full-convolution twin")
        width: float = setting(1.0, "what the paper's channels are multiplied with (α)")
        halvings: int = setting(
            -1, "how often sides are halved, 0 to 5; -1: as long as 4 pixels remain"
        )

        def __post_init__(self) -> None:
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")
            if not -1 <= self.halvings <= MOST_HALVINGS:
                raise ValueError(f"halvings is {self.halvings}; give 0 to {MOST_HALVINGS}, or -1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        wanted = config.halvings
        if wanted < 0:
            wanted = halvings_for(image_px, MOST_HALVINGS)
        stem, *strides = last_strides(MOST_HALVINGS, wanted)
        block = DepthwiseSeparable if config.separable else FullConvolution
        channels = divisible(32 * config.width)
        self.conv_stem = Convolution(num_channels, channels, 3, stride=stem)
        self.bn1 = BatchNorm(channels)
        self.act1 = nn.ReLU6(inplace=True)
        stages = []
        for (out, count), stride in zip(STAGES, [1, *strides], strict=True):
            out = divisible(out * config.width)
            blocks = []
            for number in range(count):
                blocks.append(
                    block(channels, out, stride=stride if number == 0 else 1, act=nn.ReLU6)
                )
                channels = out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.global_pool = PositionMean()
        self.classifier = nn.Linear(channels, num_classes)
        initialize(self)

    @property
    def head(self) -> str:
        """The name of the layer whose size is the number of classes."""
        return "classifier"

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts from the pixels on, as fine-tuning freezes them; names of one part by commas."""
        return ("conv_stem,bn1", *(f"blocks.{stage}" for stage in range(len(STAGES))))

    def features(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch feature new_height new_width"]:
        """What the last block says at each position."""
        return self.blocks(self.act1(self.bn1(self.conv_stem(x))))

    def answer(
        self, maps: Float[Tensor, "batch feature height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores from the features of all positions."""
        return self.classifier(self.global_pool(maps))

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax."""
        return self.answer(self.features(x))
