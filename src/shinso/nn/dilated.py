"""Dilated causal convolutions with gated residual and skip units: the body of a WaveNet.

    z_l = tanh(W_f * h_l + V_f c) ⊙ σ(W_g * h_l + V_g c)      (van den Oord et al. 2016, eq. 2, 3)
    h_{l+1} = h_l + U_l z_l,    out = Σ_l S_l z_l

where W * h_l reads h_l now and ``dilation`` samples before: a convolution of two taps that never
sees what comes later.
"""

# torch names the first parameter ctx and passes it by place.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.compiler import is_compiling
from torch.nn.functional import linear, pad

from shinso.nn.kernels.dilated_numba import dilated_backward, dilated_forward, pack_layers
from shinso.nn.threads import in_parts


def dilations_of(layers: int, largest: int) -> tuple[int, ...]:
    """1, 2, 4 … ``largest``, then again from 1, until there are ``layers`` of them."""
    cycle = [2**power for power in range(largest.bit_length())]
    return tuple(cycle[layer % len(cycle)] for layer in range(layers))


@final
class GatedDilatedStack(nn.Module):
    """Layers of width R that read a series and give the sum of their skips, S wide.

    past, now: the two taps, (layer, 2 R, R), rows [filter; gate]. bias: (layer, 2 R), to which
    ``condition`` adds. residual: (layer − 1, R, R): nothing reads what the last layer would add.
    skip: (layer, S, R). Differs: no bias in residual and skip; the next gate's bias, and whatever
    reads the skips, say the same.

    float32 on the CPU runs on compiled kernels, everything else on torch's operations.
    """

    def __init__(self, width: int, skips: int, dilations: Sequence[int]) -> None:
        """Raises ValueError where there is no layer or a dilation is below 1."""
        super().__init__()
        if not dilations or min(dilations) < 1:
            raise ValueError(f"dilations is {tuple(dilations)}; give one or more, each at least 1")
        self.width, self.skips, self.dilations = width, skips, tuple(dilations)
        layers = len(self.dilations)

        def drawn(*shape: int, inputs: int, gain: float = 1.0) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * gain * inputs**-0.5)

        self.past = drawn(layers, 2 * width, width, inputs=2 * width)
        self.now = drawn(layers, 2 * width, width, inputs=2 * width)
        self.bias = nn.Parameter(torch.zeros(layers, 2 * width))
        # What comes out of a gate is small; sums over layers keep their size whatever the depth.
        self.residual = drawn(layers - 1, width, width, inputs=layers * width, gain=2.0)
        self.skip = drawn(layers, skips, width, inputs=layers * width, gain=2.0)

    @property
    def receptive_field(self) -> int:
        """How many samples, the present one included, an output can depend on: 1 + Σ dilations."""
        return 1 + sum(self.dilations)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        condition: Float[Tensor, "layer batch gate"] | None = None,
    ) -> Float[Tensor, "batch time skip"]:
        """The skips' sum at every sample. What lies before the first sample reads as zero in every
        layer. condition: V c, added to the gates of a whole sequence (global conditioning)."""
        bias = self.bias.unsqueeze(1).expand(-1, x.shape[0], -1)
        if condition is not None:
            bias = bias + condition
        everyone = (x, bias, self.past, self.now, self.residual, self.skip)
        if not x.numel() or is_compiling() or any(_needs_torch(one) for one in everyone):
            return self._by_torch(x, bias)
        result = _Stack.apply(*everyone, self.dilations, torch.is_grad_enabled())
        assert isinstance(result, Tensor)
        return result

    def _by_torch(self, x: Tensor, bias: Tensor) -> Tensor:
        total = x.new_zeros(())
        for layer, dilation in enumerate(self.dilations):
            before = pad(x, (0, 0, dilation, 0))[:, : x.shape[1]]
            gates = linear(x, self.now[layer]) + linear(before, self.past[layer])
            first, second = (gates + bias[layer].unsqueeze(1)).chunk(2, dim=-1)
            z = torch.tanh(first) * torch.sigmoid(second)
            total = total + linear(z, self.skip[layer])
            if layer + 1 < len(self.dilations):
                x = x + linear(z, self.residual[layer])
        return total


def _needs_torch(tensor: Tensor) -> bool:
    automatic = torch.is_autocast_enabled(tensor.device.type)
    return tensor.device.type != "cpu" or tensor.dtype != torch.float32 or automatic


class _Stack(Function):
    """The whole stack on the compiled kernels. Its memory is kept from step to step."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        bias: Tensor,
        past: Tensor,
        now: Tensor,
        residual: Tensor,
        skip: Tensor,
        dilations: tuple[int, ...],
        learns: bool,
    ) -> Tensor:
        batch, time, width = x.shape
        layers, rows, bias = len(dilations), batch * time, bias.contiguous()
        kept = (rows, 2 * width) if learns else (1, 1)
        memory, (inputs, gates) = _borrow(x, [(layers, rows, width), (layers, *kept)])
        inputs[0] = x.reshape(rows, width)
        out = x.new_zeros(rows, skip.shape[1])
        packed = [
            pack_layers(_array(one.transpose(1, 2)), f"dilated {number}")
            for number, one in enumerate((past, now, residual, skip))
        ]
        arrays = (*packed, inputs.numpy(), gates.numpy(), learns, out.numpy())

        def run(lo: int, hi: int) -> None:
            dilated_forward(lo, hi, time, np.array(dilations), _array(bias), *arrays)

        in_parts(run, batch, _operations(rows, past, now, residual, skip))
        if learns:
            ctx.save_for_backward(past, now, residual, skip)
            ctx.dilations, ctx.time, ctx.kept = dilations, time, (memory, inputs, gates)
        else:
            _give_back(memory)
        return out.view(batch, time, -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("this graph's memory was given back; run the forward pass again")
        weights = ctx.saved_tensors
        memory, inputs, gates = ctx.kept
        layers, rows, width = inputs.shape
        time = ctx.time
        batch = rows // time
        more, (dx,) = _borrow(inputs, [(layers, rows, width)])
        dx.zero_()
        d_bias = np.zeros((layers, batch, 2 * width), np.float32)
        packed = [
            pack_layers(_array(one), f"dilated back {number}") for number, one in enumerate(weights)
        ]
        given = (np.array(ctx.dilations), *packed, inputs.numpy(), gates.numpy())
        flat = (_array(error.reshape(rows, -1)), np.zeros(width, np.float32))

        def run(lo: int, hi: int) -> list[np.ndarray]:
            to = [np.zeros(tuple(one.shape), np.float32) for one in weights]
            dilated_backward(lo, hi, time, *given, *flat, dx.numpy(), d_bias, *to)
            return to

        parts = in_parts(run, batch, 2 * _operations(rows, *weights))
        gradients = [torch.from_numpy(sum(one)) for one in zip(*parts, strict=True)]
        d_input = dx[0].view(batch, time, width).clone()
        _give_back(more)
        if _give_back(memory):
            ctx.kept = None
        return d_input, torch.from_numpy(d_bias), *gradients, None, None


def _operations(rows: int, *weights: Tensor) -> int:
    return 2 * rows * sum(one.numel() for one in weights)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


_free: list[Tensor] = []
_KEPT = 2  # a forward pass's memory and a backward pass's
_SMALLEST = 1 << 18  # numbers below which fresh memory costs nothing


def _borrow(like: Tensor, shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, list[Tensor]]:
    """Memory of any content for tensors of these shapes, and the tensors.

    Fresh memory of this size comes from the operating system page by page, at a third of a training
    step's time; so what was given back is used again.
    """
    sizes = [prod(shape) for shape in shapes]
    needed = sum(sizes)
    memory = next((one for one in _free if needed <= one.numel() <= 4 * needed), None)
    if memory is None:
        memory = like.new_empty(needed)
    else:
        _free[:] = [one for one in _free if one is not memory]
    pieces = memory[:needed].split(sizes)
    return memory, [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def _give_back(memory: Tensor) -> bool:
    """Whether it was taken: who gave it must not read it again."""
    if memory.numel() < _SMALLEST:
        return False
    _free[:] = [memory, *_free][:_KEPT]
    return True
