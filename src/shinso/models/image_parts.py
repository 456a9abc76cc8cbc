"""What the image networks of the course share: numbers of channels, strides, how weights begin."""

from __future__ import annotations

from torch import nn

SMALLEST_PX = 4


def scaled(channels: int, width: float) -> int:
    """Channels times the width multiplier, at least 1."""
    return max(1, round(channels * width))


def divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor``, at least one of them and never less than 0.9 of
    ``channels`` (as in the reference implementations of MobileNet V2 and V3)."""
    found = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * channels else found


def halvings_for(image_px: int, most: int) -> int:
    """How often sides can be halved so that at least four pixels remain, up to ``most``."""
    count = 0
    while count < most and -(-image_px // 2 ** (count + 1)) >= SMALLEST_PX:
        count += 1
    return count


def last_strides(count: int, wanted: int) -> list[int]:
    """Strides of ``count`` places of which the last ``wanted`` halve the sides."""
    return [1] * (count - wanted) + [2] * wanted


def initialize(network: nn.Module) -> None:
    """Weights of convolutions normal with variance 2 / fan-out (He et al. 2015), a linear layer's
    normal with deviation 0.01, biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # fan-out of one group: what a depthwise convolution's output really depends on.
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, 0.0, (2 * module.groups / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
