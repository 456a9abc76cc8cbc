"""Linear layers on the compiled kernels, on the CPU.

On AMD's processors with vectors of 512 bits the library behind torch's product uses half of them
only; the kernels of the recurrent layers use all. Elsewhere this is ``torch.nn.Linear``.
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
    FEATURES,
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

# By what the processor is (sse4a: AMD's alone) and not by a race, so that a run repeats itself. On
# Intel's the kernels took 1.0 to 1.8 times the library's time.
KERNELS_PAY = LANES == 16 and "+sse4a" in FEATURES

_FEWEST = 32  # rows below which packing the weights costs more than it brings
_FEWEST_FIXED = 4  # the same where they stay: a row or two only wait for the weights to be read
# Of weights that stay, packed ones; the library packs at each call. On the processors where it is the
# faster of the two, that costs it more than it gains until there are so many rows.
_MOST_FIXED = 64
_NO_PANELS = np.empty((0, 0, 0), np.float32)


@final
class Dense(nn.Linear):
    """y = x Wᵀ + b with the weights, names and beginning of ``torch.nn.Linear``."""

    def forward(self, input: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:  # noqa: A002
        # Rows are asked for last: an exporter would make a condition of the question.
        if not compiled(input, self.weight):
            return linear(input, self.weight, self.bias)
        rows = input.numel() // max(self.in_features, 1)
        if rows < _FEWEST:
            return linear(input, self.weight, self.bias)
        flat = input.reshape(rows, self.in_features)
        bias = self.bias if self.bias is not None else self.weight.new_zeros(self.out_features)
        result = _Affine.apply(flat, self.weight, bias)
        assert isinstance(result, Tensor)
        return result.view(*input.shape[:-1], self.out_features)


@final
class Packed:
    """Weights in the order in which the kernels read them. Where ``compiled`` says yes."""

    def __init__(self, panels: np.ndarray, added: np.ndarray) -> None:
        self.panels, self._added = panels, added

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor | None, name: str | None) -> Packed:
        """For x Wᵀ + b. name: of the thread's scratch memory that holds them until its next use; None
        for memory of their own."""
        added = weight.new_zeros(len(weight)) if bias is None else bias
        return cls(pack_transposed(_array(weight), name), _array(added))

    @classmethod
    def of_transposed(cls, weight: Tensor, name: str) -> Packed:
        """For x W."""
        return cls(pack(_array(weight), name), np.zeros(weight.shape[1], np.float32))

    def rows(self, x: Float[Tensor, "row in"], out: Float[Tensor, "row out"]) -> None:
        """All rows of ``out``, in this thread."""
        affine(_array(x), 0, self.panels, self._added, out.numpy(), 0, len(x))


@final
class FixedDense:
    """y = x Wᵀ + b again and again with the same weights, packed when they are first worth it; without
    gradients."""

    def __init__(
        self, weight: Float[Tensor, "out in"], bias: Float[Tensor, " out"] | None = None
    ) -> None:
        self.weight, self.bias = weight.detach(), None if bias is None else bias.detach()
        self._packed: Packed | None = None

    @staticmethod
    def worth_packing(rows: int) -> bool:
        """A row or two only wait for the weights to be read, which packing would do once more."""
        return rows >= _FEWEST_FIXED

    def arrays(self, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, panels and bias for a kernel of so many rows; no panels where the rows are few."""
        if self.worth_packing(rows):
            self._pack()
        panels = _NO_PANELS if self._packed is None else self._packed.panels
        bias = self.weight.new_zeros(len(self.weight)) if self.bias is None else self.bias
        return _array(self.weight), panels, _array(bias)

    def _pack(self) -> Packed:
        if self._packed is None:
            self._packed = Packed.of(self.weight, self.bias, None)
        return self._packed

    def __call__(self, x: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        few = LANES == 16 and len(x) <= _MOST_FIXED
        if not self.worth_packing(len(x)) or not compiled(x, self.weight, pays=few or KERNELS_PAY):
            return linear(x, self.weight, self.bias)
        packed = self._pack()
        out = x.new_empty(len(x), len(self.weight))
        in_parts(
            lambda lo, hi: packed.rows(x[lo:hi], out[lo:hi]),
            len(x),
            2 * len(x) * self.weight.numel(),
        )
        return out


def compiled(*tensors: Tensor, pays: bool | None = None) -> bool:
    """Whether the kernels compute with these, and faster than the library does (``pays``, where the
    caller knows). Tensors of another class, such as one spread over several workers, are the
    library's."""
    return (
        (KERNELS_PAY if pays is None else pays)
        and not torch.is_autocast_enabled("cpu")
        and not is_compiling()
        and all(
            type(one) in (Tensor, nn.Parameter)
            and one.device.type == "cpu"
            and one.dtype == torch.float32
            for one in tensors
        )
    )


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
            _add_weight_gradient(lo, hi, given[0], given[1], d_weight, d_bias)
            return d_weight, d_bias

        parts = in_parts(run, len(x), 4 * len(x) * weight.numel())
        d_weight, d_bias = (torch.from_numpy(sum(one)) for one in zip(*parts, strict=True))
        return d_x, d_weight, d_bias


def add_weight_gradient(
    x: Float[Tensor, "row in"],
    error: Float[Tensor, "row out"],
    d_weight: Float[Tensor, "out in"],
    d_bias: Float[Tensor, " out"] | None,
) -> None:
    """d_weight += errorᵀ x and d_bias += Σ error, in place, where ``compiled`` says yes."""
    sums = np.zeros(len(d_weight), np.float32) if d_bias is None else d_bias.numpy()
    _add_weight_gradient(0, len(x), _array(x), _array(error), d_weight.numpy(), sums)


def _add_weight_gradient(
    lo: int, hi: int, x: np.ndarray, error: np.ndarray, d_weight: np.ndarray, d_bias: np.ndarray
) -> None:
    outputs, inputs = d_weight.shape
    strips = scratch("dense strips", (DEPTH + PAD) * -(-outputs // STRIP) * STRIP)
    panels = panels_of("dense panels", DEPTH, inputs).reshape(-1)
    weight_gradient(lo, hi, x, error, strips, panels, d_weight, d_bias)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
