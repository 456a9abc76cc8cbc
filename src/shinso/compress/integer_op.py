"""Operators that stand in an exported graph for ONNX's operators of whole numbers."""

import torch
from torch import Tensor


@torch.library.custom_op("shinso::rounded", mutates_args=())
def rounded(x: Tensor, scale: float, zero: int) -> Tensor:
    """x on the grid of unsigned 8-bit numbers: s (clamp(round(x / s) + z, 0, 255) − z)."""
    return ((torch.round(x / scale) + zero).clamp(0, 255) - zero) * scale


@rounded.register_fake
def _(x: Tensor, scale: float, zero: int) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("shinso::stored", mutates_args=())
def stored(numbers: Tensor, scale: Tensor) -> Tensor:
    """A weight from its 8-bit numbers and the scale of each row, or one of all."""
    shaped = scale if scale.dim() == 0 else scale.view(-1, *[1] * (numbers.dim() - 1))
    return numbers.float() * shaped


@stored.register_fake
def _(numbers: Tensor, scale: Tensor) -> Tensor:
    return numbers.new_empty(numbers.shape, dtype=torch.float32)


@torch.library.custom_op("shinso::integer_linear", mutates_args=())
def linear(
    x: Tensor, x_scale: float, x_zero: int, numbers: Tensor, scale: Tensor, bias: Tensor | None
) -> Tensor:
    """x Wᵀ + b of x rounded to 8-bit numbers. numbers: Wᵀ (in, out) in 8 bits; scale: of x times that
    of W, one or one an output."""
    whole = (torch.round(x / x_scale) + x_zero).clamp(0, 255) - x_zero
    y = (whole @ numbers.float()) * scale
    return y if bias is None else y + bias


@linear.register_fake
def _(
    x: Tensor, x_scale: float, x_zero: int, numbers: Tensor, scale: Tensor, bias: Tensor | None
) -> Tensor:
    return x.new_empty(*x.shape[:-1], numbers.shape[1])


@torch.library.custom_op("shinso::integer_padded_shortcut", mutates_args=())
def padded_shortcut(x: Tensor, scale: float, zero: int, new_channels: int, stride: int) -> Tensor:
    """What ``nn.joints.PaddedShortcut`` answers to x on a grid, as ``rounded`` gives it."""
    kept = rounded(x, scale, zero)[:, :, ::stride, ::stride]
    return torch.nn.functional.pad(kept, (0, 0, 0, 0, 0, new_channels))


@padded_shortcut.register_fake
def _(x: Tensor, scale: float, zero: int, new_channels: int, stride: int) -> Tensor:
    batch, channels, *sides = x.shape
    return x.new_empty(batch, channels + new_channels, *(-(-side // stride) for side in sides))


@torch.library.custom_op("shinso::integer_position_mean", mutates_args=())
def position_mean(x: Tensor, scale: float, zero: int) -> Tensor:
    """What ``nn.joints.PositionMean`` answers to x on a grid, as ``rounded`` gives it."""
    return rounded(x, scale, zero).mean((2, 3))


@position_mean.register_fake
def _(x: Tensor, scale: float, zero: int) -> Tensor:
    return x.new_empty(x.shape[:2])
