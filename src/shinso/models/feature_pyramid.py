"""Feature maps at several strides, from the networks of the course: what detectors look at.

A classifier halves its sides stage by stage. A detector reads several stages: fine ones for small
objects, coarse ones for large. Beyond the last stage further convolutions halve on (Liu et al.
2016, figure 2). A top-down way lends the fine maps what the coarse ones know (Lin et al. 2017,
"Feature Pyramid Networks", https://arxiv.org/abs/1612.03144).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.models.image_parts import initialize
from shinso.models.mobilenet_v1 import MobileNetV1
from shinso.models.mobilenet_v2 import MobileNetV2
from shinso.models.resnet import ResNet
from shinso.models.vgg import vgg_stages
from shinso.nn.conv import Convolution
from shinso.nn.joints import Addition
from shinso.nn.norm import BatchNorm

Backbone = Literal["resnet", "vgg", "mobilenet-v1", "mobilenet-v2"]
RESNET_DEPTH = 18
EXTRA = 128
"""Channels of a stage beyond the backbone's, at width 1 (SSD: 256)."""


def check_levels(width: float, strides: Sequence[int]) -> None:
    """ValueError where there can be no such pyramid."""
    if not width > 0:
        raise ValueError(f"width is {width}; give a number above 0")
    if not strides or any(one < 2 or one & (one - 1) for one in strides):
        raise ValueError(f"strides is {strides}; give powers of 2, such as 8,16,32")


def stages_of(
    backbone: Backbone, num_channels: int, width: float
) -> list[tuple[int, nn.Module, int]]:
    """(stride, layers, channels) of each stage of a network, in order; its classifier is left out."""
    fixed = {"num_channels": num_channels, "num_classes": 1, "image_px": 1024}
    if backbone == "vgg":
        return [
            (2**number, layers, channels)
            for number, (layers, channels) in enumerate(vgg_stages(num_channels, width))
        ]
    if backbone == "resnet":
        network = ResNet(ResNet.Config(depth=RESNET_DEPTH, width=width, stem="imagenet"), **fixed)
        stem = nn.Sequential(network.conv1, network.bn1, network.act1)
        first = nn.Sequential(network.maxpool, network.get_submodule("layer1"))
        layers = [first, *(network.get_submodule(f"layer{number}") for number in (2, 3, 4))]
        stages = [stem, *layers]
        widths = [network.conv1.out_channels * 2**number for number in (0, 0, 1, 2, 3)]
        return [(2 ** (n + 1), s, c) for n, (s, c) in enumerate(zip(stages, widths, strict=True))]
    if backbone == "mobilenet-v1":
        return _mobile_stages(MobileNetV1(MobileNetV1.Config(width=width, halvings=5), **fixed))
    return _mobile_stages(MobileNetV2(MobileNetV2.Config(width=width, halvings=5), **fixed))


def _mobile_stages(network: MobileNetV1 | MobileNetV2) -> list[tuple[int, nn.Module, int]]:
    """Blocks joined so that each stage begins where sides are halved."""
    stem: nn.Module = nn.Sequential(network.conv_stem, network.bn1, network.act1)
    found: list[tuple[int, list[nn.Module], int]] = []
    joined: list[nn.Module] = [stem]
    stride, channels = 2, network.conv_stem.out_channels
    for block in network.blocks:
        convolutions = [one for one in block.modules() if isinstance(one, nn.Conv2d)]
        if any(one.stride == (2, 2) for one in convolutions):
            found.append((stride, joined, channels))
            stride, joined = stride * 2, []
        joined.append(block)
        channels = convolutions[-1].out_channels
    found.append((stride, joined, channels))
    return [(stride, nn.Sequential(*layers), channels) for stride, layers, channels in found]


@final
class FeaturePyramid(nn.Module):
    """An image becomes one feature map for each of ``strides``, the finest first.

    channels: of each map.
    """

    def __init__(
        self,
        backbone: Backbone,
        strides: Sequence[int],
        *,
        num_channels: int,
        width: float,
        top_down: int = 0,
    ) -> None:
        """top_down: channels of all maps, where coarse ones are added to finer ones; 0: they are
        not. ValueError for strides that are no rising powers of 2 which the backbone has."""
        super().__init__()
        stages = stages_of(backbone, num_channels, width)
        known = [stride for stride, _layers, _channels in stages]
        if list(strides) != sorted(set(strides)) or any(
            s & (s - 1) or s < known[0] for s in strides
        ):
            raise ValueError(
                f"strides is {','.join(map(str, strides))}; give rising powers of 2, such as 8,16,32"
            )
        if known[-1] < strides[0]:
            raise ValueError(f"strides begins with {strides[0]}; give at most {known[-1]}")
        self.strides = tuple(strides)
        # Stages that no map needs would never learn.
        used = [one for one in stages if one[0] <= strides[-1]]
        channels = used[-1][2]
        stride = used[-1][0]
        extra = max(8, round(EXTRA * width))
        while stride < strides[-1]:
            stride *= 2
            layers = nn.Sequential(
                Convolution(channels, extra, 3, stride=2), BatchNorm(extra), nn.ReLU(inplace=True)
            )
            initialize(layers)
            channels = extra
            used.append((stride, layers, channels))
        self.stages = nn.ModuleList(layers for _stride, layers, _channels in used)
        self.stage_strides = [stride for stride, _layers, _channels in used]
        widths = {stride: channels for stride, _layers, channels in used}
        self.channels = [widths[stride] for stride in strides]
        self.down = _TopDown(self.channels, top_down) if top_down else None
        if top_down:
            self.channels = [top_down] * len(strides)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        maps = []
        x = images
        for stride, stage in zip(self.stage_strides, self.stages, strict=True):
            x = stage(x)
            if stride in self.strides:
                maps.append(x)
        return maps if self.down is None else self.down(maps)


class _TopDown(nn.Module):
    """P_k = conv3×3(lateral(C_k) + up(P'_{k+1})), P' being what is added (figure 3)."""

    def __init__(self, channels: Sequence[int], out: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(Convolution(one, out, 1), BatchNorm(out)) for one in channels
        )
        self.add = nn.ModuleList(Addition() for _ in channels[1:])
        self.smooth = nn.ModuleList(
            nn.Sequential(Convolution(out, out, 3), BatchNorm(out), nn.ReLU(inplace=True))
            for _ in channels
        )
        initialize(self)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        own = [lateral(one) for lateral, one in zip(self.lateral, maps, strict=True)]
        for level in range(len(own) - 2, -1, -1):
            above = F.interpolate(own[level + 1], size=own[level].shape[2:], mode="nearest")
            own[level] = self.add[level](own[level], above)
        return [smooth(one) for smooth, one in zip(self.smooth, own, strict=True)]
