"""A network like VGG (Simonyan & Zisserman 2015, https://arxiv.org/abs/1409.1556), the one SSD was
first built on: 3×3 convolutions, sides halved by pooling between the stages.

Differs: batch normalization behind each convolution, as in torchvision's ``vgg11_bn``, and stages
of 1, 1, 2, 2, 2 convolutions; without it, a network this deep hardly learns from a few hundred
images. No dense layers: it is there for its feature maps.
"""

from __future__ import annotations

from torch import nn

from shinso.models.image_parts import initialize, scaled
from shinso.nn.conv import Convolution
from shinso.nn.norm import BatchNorm

STAGES = ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))
"""Channels and convolutions of each stage (table 1, configuration A); stage k has stride 2^k."""


def vgg_stages(num_channels: int, width: float) -> list[tuple[nn.Module, int]]:
    """The stages in order, each with the number of channels that leave it."""
    found: list[tuple[nn.Module, int]] = []
    channels = num_channels
    for number, (out, count) in enumerate(STAGES):
        out = scaled(out, width)
        # A side of odd length keeps its last pixel, as strided convolutions do.
        layers: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True)] if number else []
        for _ in range(count):
            layers += [Convolution(channels, out, 3), BatchNorm(out), nn.ReLU(inplace=True)]
            channels = out
        found.append((nn.Sequential(*layers), channels))
        initialize(found[-1][0])
    return found
