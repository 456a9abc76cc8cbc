"""DenseNet (Huang et al. 2017, https://arxiv.org/abs/1608.06993).

Place in the course: every layer reads the outputs of all earlier ones, x_l = H_l([x_0, …, x_{l−1}]).
Two forms: that of ImageNet with 121, 161, 169, 201 or 264 layers, and that of CIFAR with L layers of
growth rate k, with bottleneck and compression (BC) or without.

Names in the state dict are timm's and torchvision's, so published weights fit as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from shinso.models.image_parts import initialize, scaled
from shinso.nn.conv import Convolution, Pointwise
from shinso.nn.joints import PositionMean
from shinso.nn.norm import BatchNorm
from shinso.settings import setting

IMAGENET = {
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
    264: (6, 12, 64, 48),
}
"""Layers of each block (table 1); 161 is the published one of growth rate 48."""
SMALL_PX = 64
BOTTLENECK = 4


class DenseLayer(nn.Module):
    """H_l: normalization, ReLU, 3×3 convolution to k channels; a bottleneck has the same with a 1×1
    convolution to 4k channels before it."""

    def __init__(
        self, channels: int, growth: int, *, bottleneck: bool, dropout: float, frugal: bool
    ) -> None:
        super().__init__()
        self.bottleneck, self.dropout, self.frugal = bottleneck, dropout, frugal
        self.norm1 = BatchNorm(channels)
        self.relu1 = nn.ReLU(inplace=True)
        if bottleneck:
            self.conv1 = Pointwise(channels, BOTTLENECK * growth)
            self.norm2 = BatchNorm(BOTTLENECK * growth)
            self.relu2 = nn.ReLU(inplace=True)
            self.conv2 = Convolution(BOTTLENECK * growth, growth, 3)
        else:
            self.conv1 = Convolution(channels, growth, 3)

    def _first(self, *earlier: Tensor) -> Tensor:
        """The part whose inputs are many: kept outputs would grow with the square of the depth."""
        return self.conv1(self.relu1(self.norm1(torch.cat(earlier, 1))))

    def forward(self, earlier: list[Any]) -> Float[Tensor, "batch growth height width"]:
        """earlier: outputs of all layers before, (batch, channel, height, width) each."""
        if self.frugal and self.training and torch.is_grad_enabled():
            # Normalization would see the batch twice: the recomputation must not move its means.
            x = checkpoint(_once_counted(self, self._first), *earlier, use_reentrant=False)
            assert isinstance(x, Tensor)
        else:
            x = self._first(*earlier)
        if self.bottleneck:
            x = self.conv2(self.relu2(self.norm2(x)))
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def _once_counted(layer: DenseLayer, compute: Any) -> Any:
    """``compute``, whose calls after the first leave the running means of ``norm1`` alone."""
    calls = 0

    def run(*earlier: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        norm = layer.norm1
        kept = norm.momentum
        counted = norm.num_batches_tracked.clone()
        try:
            norm.momentum = kept if calls == 1 else 0.0
            return compute(*earlier)
        finally:
            norm.momentum = kept
            if calls > 1:
                norm.num_batches_tracked.copy_(counted)

    return run


class DenseBlock(nn.Module):
    """Layers that each read everything before them; k0 + l · k channels after l of them."""

    def __init__(
        self,
        count: int,
        channels: int,
        growth: int,
        *,
        bottleneck: bool,
        dropout: float,
        frugal: bool,
    ) -> None:
        super().__init__()
        self.count = count
        for number in range(count):
            layer = DenseLayer(
                channels + number * growth, growth,
                bottleneck=bottleneck, dropout=dropout, frugal=frugal,
            )  # fmt: skip
            self.add_module(f"denselayer{number + 1}", layer)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch more height width"]:
        earlier = [x]
        for number in range(self.count):
            earlier.append(getattr(self, f"denselayer{number + 1}")(earlier))
        return torch.cat(earlier, 1)


class Transition(nn.Module):
    """Between blocks: normalization, ReLU, 1×1 convolution to θ times the channels, mean of 2×2."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm = BatchNorm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = Pointwise(channels, out)
        self.pool = nn.AvgPool2d(2)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        return self.pool(self.conv(self.relu(self.norm(x))))


@final
class DenseNet(nn.Module):
    """Stem, dense blocks with transitions between them, mean over positions, one linear layer."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        depth: int = setting(
            40,
            "layers: 121, 161, 169, 201 or 264 in the form of ImageNet; in that of CIFAR 3n + 4, or "
            "6n + 4 with a bottleneck",
        )
        growth_rate: int = setting(0, "channels each layer adds (k); 0: the paper's")
        width: float = setting(1.0, "what the growth rate is multiplied with")
        bottleneck: bool = setting(False, "bottleneck and compression (BC) in the form of CIFAR")
        dropout: float = setting(0.0, "share of each layer's outputs dropped in training")
        frugal: bool = setting(
            False,
            "compute concatenations again going backward: less memory, more time",
        )

        def __post_init__(self) -> None:
            unit = 6 if self.bottleneck else 3
            if self.depth not in IMAGENET and (self.depth < unit + 4 or (self.depth - 4) % unit):
                raise ValueError(
                    f"depth is {self.depth}; give one of {', '.join(map(str, IMAGENET))}, or "
                    f"{unit}n + 4, such as {unit * 6 + 4} or {unit * 16 + 4}"
                )
            if not self.width > 0:
                raise ValueError(f"width is {self.width}; give a number above 0")
            if self.growth_rate < 0:
                raise ValueError(f"growth_rate is {self.growth_rate}; give 0 or more")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        super().__init__()
        self.config = config
        imagenet = config.depth in IMAGENET
        compressed = imagenet or config.bottleneck
        growth = config.growth_rate or (12 if not imagenet else 48 if config.depth == 161 else 32)
        growth = scaled(growth, config.width)
        per_block = (config.depth - 4) // (6 if config.bottleneck else 3)
        counts = IMAGENET.get(config.depth, (per_block,) * 3)
        channels = 2 * growth if compressed else scaled(16, config.width)
        layers: dict[str, nn.Module] = {}
        halved = imagenet and image_px > SMALL_PX
        size, stride = (7, 2) if halved else (3, 1)
        layers["conv0"] = Convolution(num_channels, channels, size, stride=stride)
        if imagenet:
            layers["norm0"] = BatchNorm(channels)
            layers["relu0"] = nn.ReLU(inplace=True)
        if halved:
            layers["pool0"] = nn.MaxPool2d(3, stride=2, padding=1)
        for number, count in enumerate(counts, 1):
            layers[f"denseblock{number}"] = DenseBlock(
                count, channels, growth,
                bottleneck=compressed, dropout=config.dropout, frugal=config.frugal,
            )  # fmt: skip
            channels += count * growth
            if number < len(counts):
                out = channels // 2 if compressed else channels
                layers[f"transition{number}"] = Transition(channels, out)
                channels = out
        layers["norm5"] = BatchNorm(channels)
        self.features = nn.Sequential()
        for name, layer in layers.items():
            self.features.add_module(name, layer)
        self.relu = nn.ReLU()
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
        names = [f"features.{name}" for name, _layer in self.features.named_children()]
        stem = [name for name in names if name.endswith("0") and "block" not in name]
        return (",".join(stem), *(name for name in names if name not in stem))

    def answer(
        self, maps: Float[Tensor, "batch feature height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores from the features of all positions."""
        return self.classifier(self.global_pool(self.relu(maps)))

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax."""
        return self.answer(self.features(x))
