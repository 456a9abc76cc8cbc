"""What the segmentation networks of the course share: the unit of two convolutions, stepping up to
a larger map, and sides that are no multiple of a network's stride.

A segmenter is called with images of any size and gives class scores of every pixel. Its ``stride``
is how many pixels one position of its smallest map covers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.conv import Convolution, Transposed
from shinso.nn.norm import BatchNorm
from shinso.nn.portable import wanted

Up = Literal["transposed", "bilinear"]


def unit(channels: int, out: int, size: int = 3, *, dilation: int = 1) -> nn.Sequential:
    """Convolution, normalization, ReLU."""
    return nn.Sequential(
        Convolution(channels, out, size, dilation=dilation), BatchNorm(out), nn.ReLU(inplace=True)
    )


def units(channels: int, out: int, count: int) -> nn.Sequential:
    """``count`` units one after the other."""
    return nn.Sequential(*[unit(out if i else channels, out) for i in range(count)])


class Bilinear(nn.Module):
    """Sides become ``factor`` times as long without a weight."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel new_height new_width"]:
        return F.interpolate(x, scale_factor=self.factor, mode="bilinear", align_corners=False)


def doubled(channels: int, out: int, how: Up) -> nn.Module:
    """A step to twice the side: learnt by a transposed convolution, or bilinear and mixed by 1×1."""
    if how == "transposed":
        return Transposed(channels, out, 2, bias=True)
    # Mixing channels before enlarging them is four times cheaper, and the two commute.
    return nn.Sequential(Convolution(channels, out, 1, bias=True), Bilinear(2))


def enlarging(classes: int, factor: int) -> Transposed:
    """A transposed convolution that begins as bilinear interpolation and learns from there, each
    class from its own scores (Long et al. 2015, section 3.3)."""
    layer = Transposed(classes, classes, factor)
    side = layer.kernel_size[0]
    distance = (torch.arange(side) - (side - 1) / 2).abs() / factor
    line = (1 - distance).clamp(min=0)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(classes), range(classes)] = line[:, None] * line
    return layer


def aligned(
    network: Callable[[Tensor], Tensor],
    images: Float[Tensor, "batch channel height width"],
    stride: int,
) -> Float[Tensor, "batch class height width"]:
    """``network`` on images filled up with zeros, the mean colour, at the right and below to
    multiples of ``stride``; its scores cut back to their size."""
    height, width = images.shape[2:]
    below, right = -height % stride, -width % stride
    if below or right or wanted():  # a file has one course for every size
        images = F.pad(images, (0, right, 0, below))
    return network(images)[:, :, :height, :width]


def begun(network: nn.Module, heads: Sequence[nn.Module]) -> None:
    """Weights as the image networks begin, those of the last layers small: every pixel then begins
    with nearly equal shares of all classes."""
    from shinso.models.image_parts import initialize

    initialize(network)
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            # Each output pixel gets (k / stride)² · N_in terms.
            taps = (module.kernel_size[0] // module.stride[0]) ** 2 * module.in_channels
            nn.init.normal_(module.weight, 0.0, (1 / taps) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for head in heads:
        for module in head.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.01)
