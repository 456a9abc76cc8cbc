"""Residual networks (He et al. 2016, "Deep Residual Learning", https://arxiv.org/abs/1512.03385).

Place in the course: the network that MobileNet and DenseNet are compared with. Two forms: that of
ImageNet with 18, 34, 50, 101 or 152 layers, four stages, and that of CIFAR with 6n + 2 layers,
three stages and shortcuts without parameters.

Names in the state dict are those of timm and torchvision, so published weights fit as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import initialize, scaled
from shinso.nn.conv import Convolution
from shinso.nn.joints import Addition, PaddedShortcut, PositionMean
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

IMAGENET = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of each stage; from 50 layers on they are bottlenecks (table 1)."""
Stem = Literal["auto", "pixels", "halved", "imagenet"]
SMALL_PX = 64


def projection(channels: int, out: int, stride: int) -> nn.Module:
    """A 1×1 convolution with normalization: option B."""
    return nn.Sequential(Convolution(channels, out, 1, stride=stride), BatchNorm(out))


class BasicBlock(nn.Module):
    """y = relu(x + F(x)), F of two 3×3 convolutions."""

    expansion = 1

    def __init__(
        self, channels: int, width: int, stride: int, downsample: nn.Module | None
    ) -> None:
        super().__init__()
        self.conv1 = Convolution(channels, width, 3, stride=stride)
        self.bn1 = BatchNorm(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = Convolution(width, width, 3)
        self.bn2 = BatchNorm(width)
        self.downsample = downsample
        self.add = Addition()
        self.act2 = nn.ReLU(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        kept = x if self.downsample is None else self.downsample(x)
        y = self.act1(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.act2(self.add(y, kept))


class Bottleneck(nn.Module):
    """y = relu(x + F(x)), F of 1×1, 3×3 and 1×1 convolutions, the last to four times the width.

    Differs: the stride is that of the 3×3 convolution, as in all well-known implementations.
    """

    expansion = 4

    def __init__(
        self, channels: int, width: int, stride: int, downsample: nn.Module | None
    ) -> None:
        super().__init__()
        out = width * self.expansion
        self.conv1 = Convolution(channels, width, 1)
        self.bn1 = BatchNorm(width)
        self.act1 = nn.ReLU(inplace=True)
        self.conv2 = Convolution(width, width, 3, stride=stride)
        self.bn2 = BatchNorm(width)
        self.act2 = nn.ReLU(inplace=True)
        self.conv3 = Convolution(width, out, 1)
        self.bn3 = BatchNorm(out)
        self.downsample = downsample
        self.add = Addition()
        self.act3 = nn.ReLU(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        kept = x if self.downsample is None else self.downsample(x)
        y = self.act1(self.bn1(self.conv1(x)))
        y = self.act2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.act3(self.add(y, kept))


@final
class ResNet(nn.Module):
    """Stem, stages of residual blocks, mean over positions, one linear layer."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        depth: int = setting(
            20, "layers: 18, 34, 50, 101 or 152 in the form of ImageNet, 6n + 2 in that of CIFAR"
        )
        width: float = setting(1.0, "what the paper's channels are multiplied with")
        stem: Stem = setting(
            "auto",
            "first layers: 3×3 (pixels), 3×3 with stride 2 (halved), 7×7 with stride 2 and pooling "
            "(imagenet)",
        )

        def __post_init__(self) -> None:
            if self.depth not in IMAGENET and (self.depth < 8 or (self.depth - 2) % 6):
                raise ValueError(
                    f"depth is {self.depth}; give one of {', '.join(map(str, IMAGENET))}, or 6n + 2: "
                    "8, 14, 20, 32, 44, 56, 110"
                )
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        """image_px: the shorter side of the images, which decides on the stem where it is auto."""
        super().__init__()
        self.config = config
        imagenet = config.depth in IMAGENET
        first = scaled(64 if imagenet else 16, config.width)
        stem = config.stem
        if stem == "auto":
            stem = "imagenet" if imagenet and image_px > SMALL_PX else "pixels"
        size, stride = {"pixels": (3, 1), "halved": (3, 2), "imagenet": (7, 2)}[stem]
        self.conv1 = Convolution(num_channels, first, size, stride=stride)
        self.bn1 = BatchNorm(first)
        self.act1 = nn.ReLU(inplace=True)
        pooled = stem == "imagenet"
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else nn.Identity()
        blocks = IMAGENET.get(config.depth, ((config.depth - 2) // 6,) * 3)
        block = Bottleneck if config.depth in IMAGENET and config.depth >= 50 else BasicBlock
        channels = first
        for stage, count in enumerate(blocks, 1):
            width = first * 2 ** (stage - 1)
            layer, channels = _stage(
                block, channels, width, count, 1 if stage == 1 else 2, padded=not imagenet
            )
            self.add_module(f"layer{stage}", layer)
        self.stages = [f"layer{stage}" for stage in range(1, len(blocks) + 1)]
        self.global_pool = PositionMean()
        self.fc = nn.Linear(channels, num_classes)
        initialize(self)
        for module in self.modules():
            # Each block begins as the identity (Goyal et al. 2017, section 5.1).
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    @property
    def head(self) -> str:
        """The name of the layer whose size is the number of classes."""
        return "fc"

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts from the pixels on, as fine-tuning freezes them; names of one part by commas."""
        return ("conv1,bn1", *self.stages)

    def features(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch feature new_height new_width"]:
        """What the last stage says at each position."""
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = self.get_submodule(name)(x)
        return x

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax."""
        return self.answer(self.features(x))

    def answer(
        self, maps: Float[Tensor, "batch feature height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores from the features of all positions."""
        return self.fc(self.global_pool(maps))


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    channels: int,
    width: int,
    count: int,
    stride: int,
    *,
    padded: bool,
) -> tuple[nn.Module, int]:
    """``count`` blocks, the first of which takes the stride; and how many channels leave them."""
    out = width * block.expansion
    shortcut = (
        partial(PaddedShortcut, out - channels, stride)
        if padded
        else partial(projection, channels, out, stride)
    )
    needed = stride != 1 or channels != out
    blocks = [block(channels, width, stride, shortcut() if needed else None)]
    blocks += [block(out, width, 1, None) for _ in range(1, count)]
    return nn.Sequential(*blocks), out
