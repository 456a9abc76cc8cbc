"""MobileNet V3, large and small (Howard et al. 2019, https://arxiv.org/abs/1905.02244).

Place in the course: inverted residuals whose sizes a search chose, with a gate for each channel
(squeeze and excitation, Hu et al. 2018) and the activation x · relu6(x + 3) / 6.

Names in the state dict are timm's (``mobilenetv3_large_100``). Differs: sides of small images are
halved less often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import divisible, halvings_for, initialize, last_strides
from shinso.models.mobilenet_v2 import InvertedResidual, LinearSeparable
from shinso.nn.conv import Convolution, Pointwise
from shinso.nn.joints import PositionMean
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

Row = tuple[int, float, int, bool, bool, bool]
"""kernel side, expansion (0: none), channels, gate, hard swish, whether it halves the sides"""
LARGE: tuple[tuple[Row, ...], ...] = (  # table 1
    ((3, 0, 16, False, False, False),),
    ((3, 4, 24, False, False, True), (3, 3, 24, False, False, False)),
    ((5, 3, 40, True, False, True), *((5, 3, 40, True, False, False),) * 2),
    (
        (3, 6, 80, False, True, True),
        (3, 2.5, 80, False, True, False),
        *((3, 2.3, 80, False, True, False),) * 2,
    ),
    ((3, 6, 112, True, True, False),) * 2,
    ((5, 6, 160, True, True, True), *((5, 6, 160, True, True, False),) * 2),
)
SMALL: tuple[tuple[Row, ...], ...] = (  # table 2
    ((3, 0, 16, True, False, True),),
    ((3, 4.5, 24, False, False, True), (3, 3.67, 24, False, False, False)),
    ((5, 4, 40, True, True, True), *((5, 6, 40, True, True, False),) * 2),
    ((5, 3, 48, True, True, False),) * 2,
    ((5, 6, 96, True, True, True), *((5, 6, 96, True, True, False),) * 2),
)
MOST_HALVINGS = 5


class ChannelGate(nn.Module):
    """Squeeze and excitation: each channel times σ̂(W₂ relu(W₁ mean(x))), σ̂ piecewise linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = divisible(channels / 4)
        self.conv_reduce = Pointwise(channels, narrow, bias=True)
        self.act1 = nn.ReLU(inplace=True)
        self.conv_expand = Pointwise(narrow, channels, bias=True)
        self.gate = nn.Hardsigmoid()

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        squeezed = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.conv_expand(self.act1(self.conv_reduce(squeezed))))


class LastConvolution(nn.Module):
    """Pointwise, normalized, hard swish: the last block."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = Pointwise(channels, out)
        self.bn1 = BatchNorm(out)
        self.act1 = nn.Hardswish(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out height width"]:
        return self.act1(self.bn1(self.conv(x)))


@final
class MobileNetV3(nn.Module):
    """A full convolution, searched blocks, mean over positions, two linear layers (section 5.1: the
    first of them, once a convolution, stands behind the mean, where it costs 1 / 49)."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        size: Literal["large", "small"] = setting("large", "which of the two searched networks")
        width: float = setting(1.0, "what the paper's channels are multiplied with")
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
        large = config.size == "large"
        wanted = config.halvings
        if wanted < 0:
            wanted = halvings_for(image_px, MOST_HALVINGS)
        stem, *halving = last_strides(MOST_HALVINGS, wanted)
        channels = divisible(16 * config.width)
        self.conv_stem = Convolution(num_channels, channels, 3, stride=stem)
        self.bn1 = BatchNorm(channels)
        self.act1 = nn.Hardswish(inplace=True)
        waiting = iter(halving)
        stages = []
        for rows in LARGE if large else SMALL:
            blocks = []
            for row in rows:
                stride = next(waiting) if row[-1] else 1
                block, channels = _block(row, channels, stride, config.width)
                blocks.append(block)
            stages.append(nn.Sequential(*blocks))
        out = divisible((960 if large else 576) * config.width)
        stages.append(nn.Sequential(LastConvolution(channels, out)))
        self.blocks = nn.Sequential(*stages)
        last = 1280 if large else 1024
        if config.width > 1:
            last = divisible(last * config.width)
        self.global_pool = PositionMean()
        self.conv_head = Pointwise(out, last, bias=True)
        self.act2 = nn.Hardswish(inplace=True)
        self.classifier = nn.Linear(last, num_classes)
        initialize(self)

    @property
    def head(self) -> str:
        """The name of the layer whose size is the number of classes."""
        return "classifier"

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts from the pixels on, as fine-tuning freezes them; names of one part by commas."""
        stages = (f"blocks.{stage}" for stage in range(len(self.blocks)))
        return ("conv_stem,bn1", *stages, "conv_head")

    def features(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch feature new_height new_width"]:
        """What the last block says at each position."""
        return self.blocks(self.act1(self.bn1(self.conv_stem(x))))

    def answer(
        self, maps: Float[Tensor, "batch feature height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores from the features of all positions."""
        pooled = self.global_pool(maps)[:, :, None, None]
        return self.classifier(self.act2(self.conv_head(pooled)).flatten(1))

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax."""
        return self.answer(self.features(x))


def _block(row: Row, channels: int, stride: int, width: float) -> tuple[nn.Module, int]:
    """A block of the table, and how many channels leave it."""
    size, expansion, out, gated, swish, _halves = row
    out = divisible(out * width)
    act = nn.Hardswish if swish else nn.ReLU
    gate = {"gate": ChannelGate} if gated else {}
    if not expansion:
        return LinearSeparable(channels, out, stride=stride, act=act, **gate), out
    wide = divisible(channels * expansion)
    block = InvertedResidual(channels, wide, out, size=size, stride=stride, act=act, **gate)
    return block, out
