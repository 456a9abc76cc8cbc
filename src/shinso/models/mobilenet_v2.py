"""MobileNet V2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381): inverted residuals.

Place in the course: what became of depthwise separable convolutions. A block widens, filters each
channel, and narrows again without an activation, since a ReLU would lose what few channels hold.

Names in the state dict are timm's (``mobilenetv2_100``). Differs: sides of small images are halved
less often.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import divisible, halvings_for, initialize, last_strides
from shinso.nn.conv import Convolution, Depthwise, Pointwise
from shinso.nn.joints import Addition, PositionMean
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

STAGES = (
    # expansion t, channels c, blocks n, whether the first one halves the sides (table 2)
    (6, 24, 2, True),
    (6, 32, 3, True),
    (6, 64, 4, True),
    (6, 96, 3, False),
    (6, 160, 3, True),
    (6, 320, 1, False),
)
MOST_HALVINGS = 5
LAST = 1280


class LinearSeparable(nn.Module):
    """The first block, which does not widen: depthwise, gate, pointwise without an activation."""

    def __init__(
        self,
        channels: int,
        out: int,
        *,
        stride: int,
        act: type[nn.Module],
        gate: Callable[[int], nn.Module] = lambda _channels: nn.Identity(),
    ) -> None:
        """gate: made for the number of channels between the two convolutions."""
        super().__init__()
        self.conv_dw = Depthwise(channels, 3, stride=stride)
        self.bn1 = BatchNorm(channels)
        self.act1 = act(inplace=True)
        self.se = gate(channels)
        self.conv_pw = Pointwise(channels, out)
        self.bn2 = BatchNorm(out)
        self.add = Addition() if stride == 1 and channels == out else None

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        y = self.se(self.act1(self.bn1(self.conv_dw(x))))
        y = self.bn2(self.conv_pw(y))
        return y if self.add is None else self.add(y, x)


class InvertedResidual(nn.Module):
    """Pointwise to ``wide`` channels, depthwise, gate, pointwise back; added to x where it fits."""

    def __init__(
        self,
        channels: int,
        wide: int,
        out: int,
        *,
        size: int = 3,
        stride: int,
        act: type[nn.Module],
        gate: Callable[[int], nn.Module] = lambda _channels: nn.Identity(),
    ) -> None:
        super().__init__()
        self.conv_pw = Pointwise(channels, wide)
        self.bn1 = BatchNorm(wide)
        self.act1 = act(inplace=True)
        self.conv_dw = Depthwise(wide, size, stride=stride)
        self.bn2 = BatchNorm(wide)
        self.act2 = act(inplace=True)
        self.se = gate(wide)
        self.conv_pwl = Pointwise(wide, out)
        self.bn3 = BatchNorm(out)
        self.add = Addition() if stride == 1 and channels == out else None

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        y = self.act1(self.bn1(self.conv_pw(x)))
        y = self.se(self.act2(self.bn2(self.conv_dw(y))))
        y = self.bn3(self.conv_pwl(y))
        return y if self.add is None else self.add(y, x)


@final
class MobileNetV2(nn.Module):
    """A full convolution, 17 blocks, a pointwise convolution, mean over positions, a linear layer."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

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
        wanted = config.halvings
        if wanted < 0:
            wanted = halvings_for(image_px, MOST_HALVINGS)
        stem, *halving = last_strides(MOST_HALVINGS, wanted)
        channels = divisible(32 * config.width)
        self.conv_stem = Convolution(num_channels, channels, 3, stride=stem)
        self.bn1 = BatchNorm(channels)
        self.act1 = nn.ReLU6(inplace=True)
        out = divisible(16 * config.width)
        stages = [nn.Sequential(LinearSeparable(channels, out, stride=1, act=nn.ReLU6))]
        channels = out
        waiting = iter(halving)
        for expansion, out, count, halves in STAGES:
            out = divisible(out * config.width)
            blocks = []
            for number in range(count):
                stride = next(waiting) if halves and number == 0 else 1
                blocks.append(
                    InvertedResidual(
                        channels, channels * expansion, out, stride=stride, act=nn.ReLU6
                    )
                )
                channels = out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        # A narrower network keeps its last layer's width (section 6.1 of the paper).
        last = max(LAST, divisible(LAST * config.width)) if config.width > 1 else LAST
        self.conv_head = Pointwise(channels, last)
        self.bn2 = BatchNorm(last)
        self.act2 = nn.ReLU6(inplace=True)
        self.global_pool = PositionMean()
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
        return ("conv_stem,bn1", *stages, "conv_head,bn2")

    def features(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch feature new_height new_width"]:
        """What the last convolution says at each position."""
        x = self.blocks(self.act1(self.bn1(self.conv_stem(x))))
        return self.act2(self.bn2(self.conv_head(x)))

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
