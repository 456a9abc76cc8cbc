"""Convolutions of the course: depthwise, pointwise, separable, dilated, transposed.

PyTorch's kernels compute them; what stands here says which numbers of groups, padding and dilation
make which, and what it costs. State dicts are those of ``torch.nn.Conv2d``.
"""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from shinso.nn.norm import BatchNorm


class Convolution(nn.Conv2d):
    """A convolution that keeps the size at stride 1; size: side of its kernel (k), odd. No bias
    unless asked for: the normalization behind it has one.

    Multiply–adds of one output position: k² · N_in · N_out / groups.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        if size % 2 == 0:
            raise ValueError(f"size is {size}; give an odd one, which has a middle")
        padding = dilation * (size // 2)
        super().__init__(
            channels, out, size, stride, padding, dilation=dilation, groups=groups, bias=bias
        )


@final
class Depthwise(Convolution):
    """Each channel by its own kernel, none sees another: k² · N (Howard et al. 2017, eq. 3)."""

    def __init__(self, channels: int, size: int, *, stride: int = 1) -> None:
        super().__init__(channels, channels, size, stride=stride, groups=channels)


@final
class Pointwise(Convolution):
    """Each position by itself, all channels mixed: N_in · N_out."""

    def __init__(self, channels: int, out: int, *, bias: bool = False) -> None:
        super().__init__(channels, out, 1, bias=bias)


@final
class Dilated(Convolution):
    """A kernel whose taps lie ``dilation`` pixels apart: it sees dilation · (k − 1) + 1 pixels a
    side for the price of k (Yu & Koltun 2016, eq. 2)."""

    def __init__(self, channels: int, out: int, size: int, *, dilation: int) -> None:
        super().__init__(channels, out, size, dilation=dilation)

    @property
    def sees_px(self) -> int:
        """Side of the square of input pixels that one output position depends on."""
        return self.dilation[0] * (self.kernel_size[0] - 1) + 1


@final
class Transposed(nn.ConvTranspose2d):
    """Sides become ``factor`` times as long; the gradient of a convolution of that stride.

    The kernel is twice the factor (three times an odd one, which then has a middle), so that each
    output pixel gets equally many terms and no checkerboard appears (Odena et al. 2016).
    """

    def __init__(self, channels: int, out: int, factor: int, *, bias: bool = False) -> None:
        if factor < 2:
            raise ValueError(f"factor is {factor}; give at least 2")
        # (n − 1) · factor − 2 · padding + size = n · factor
        size = factor * (2 + factor % 2)
        padding = (size - factor) // 2
        super().__init__(channels, out, size, factor, padding, bias=bias)


class DepthwiseSeparable(nn.Module):
    """Depthwise, then pointwise, each normalized: k² · N_in + N_in · N_out instead of
    k² · N_in · N_out, a share of 1/N_out + 1/k² (Howard et al. 2017, section 3.1).

    act: what follows each normalization.
    """

    def __init__(
        self, channels: int, out: int, size: int = 3, *, stride: int = 1, act: type[nn.Module]
    ) -> None:
        super().__init__()
        self.conv_dw = Depthwise(channels, size, stride=stride)
        self.bn1 = BatchNorm(channels)
        self.act1 = act(inplace=True)
        self.conv_pw = Pointwise(channels, out)
        self.bn2 = BatchNorm(out)
        self.act2 = act(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out new_height new_width"]:
        x = self.act1(self.bn1(self.conv_dw(x)))
        return self.act2(self.bn2(self.conv_pw(x)))
