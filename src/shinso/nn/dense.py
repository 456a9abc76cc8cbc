"""A linear layer on the compiled kernels, for wide batches on the CPU.

On processors with vectors of 512 bits the library behind torch's product may use half of them only;
the kernels of the recurrent layers use all. Where they do not apply this is ``torch.nn.Linear``.
"""

# torch names the first parameter ctx and passes it by place.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.compiler import is_compiling
from torch.nn.functional import linear

from shinso.nn.kernels.dense_numba import DEPTH, weight_gradient
from shinso.nn.kernels.matrix_numba import (
    LANES,
    PAD,
    STRIP,
    affine,
    pack,
    pack_transposed,
    panels_of,
)
from shinso.nn.kernels.scratch import scratch
from shinso.nn.threads import in_parts

_FEWEST = 32  # rows below which packing the weights costs more than it brings


@final
class Dense(nn.Linear):
    """y = x Wᵀ + b with the weights, names and beginning of ``torch.nn.Linear``."""

    def forward(self, input: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:  # noqa: A002
        rows = input.numel() // max(self.in_features, 1)
        if rows < _FEWEST or not _applies(input, self.weight):
            return linear(input, self.weight, self.bias)
        flat = input.reshape(rows, self.in_features)
        bias = self.bias if self.bias is not None else self.weight.new_zeros(self.out_features)
        result = _Affine.apply(flat, self.weight, bias)
        assert isinstance(result, Tensor)
        return result.view(*input.shape[:-1], self.out_features)


def _applies(x: Tensor, weight: Tensor) -> bool:
    here = all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (x, weight))
    return here and LANES == 16 and not torch.is_autocast_enabled("cpu") and not is_compiling()


class _Affine(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        x = x.contiguous()
        out = x.new_empty(len(x), len(weight))
        packed = pack_transposed(_array(weight), "dense")
        arrays = (_array(x), _array(bias), out.numpy())

        def run(lo: int, hi: int) -> None:
            affine(arrays[0], lo, packed, arrays[1], arrays[2], lo, hi - lo)

        in_parts(run, len(x), 2 * len(x) * weight.numel())
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        outputs, inputs = weight.shape
        error = error.contiguous()
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        packed = pack(_array(weight), "dense back") if d_x is not None else None
        given = (_array(x), _array(error), np.zeros(inputs, np.float32))

        def run(lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
            if d_x is not None:
                affine(given[1], lo, packed, given[2], d_x.numpy(), lo, hi - lo)
            d_weight = np.zeros((outputs, inputs), np.float32)
            d_bias = np.zeros(outputs, np.float32)
            strips = scratch("dense strips", (DEPTH + PAD) * -(-outputs // STRIP) * STRIP)
            panels = panels_of("dense panels", DEPTH, inputs).reshape(-1)
            weight_gradient(lo, hi, given[0], given[1], strips, panels, d_weight, d_bias)
            return d_weight, d_bias

        parts = in_parts(run, len(x), 4 * len(x) * weight.numel())
        d_weight, d_bias = (torch.from_numpy(sum(one)) for one in zip(*parts, strict=True))
        return d_x, d_weight, d_bias


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
