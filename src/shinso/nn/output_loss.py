"""The last layer over a vocabulary and its cross entropy, together.

In a small network of a few thousand subwords this is most of a training step. Done apart, the
scores of all words are written, read and differentiated several times; done in blocks of rows that
stay in the processor's cache, with the gradient taken while they are there, it costs little more
than its matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function

from shinso.nn.dense import Packed, add_weight_gradient, compiled
from shinso.nn.threads import in_parts

_BLOCK = 2**19  # scores at a time: 2 MB in float32
_MIXED_BLOCK = 2**21
"""Where products are cheap (matrix units for bfloat16), what is added to the weights' gradient after
each block costs more than scores that leave the nearest cache: beside ``_BLOCK`` 1.0, 0.75 and 0.83 of
the time for 4,000, 8,000 and 10,000 words."""


def output_loss(
    hidden: Float[Tensor, "word width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    labels: Int[Tensor, " word"],
    smoothing: float = 0.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The smoothed cross entropy to learn from, and −log p(label) to report; means in nats.

    With p = softmax(hidden W^T + b) and V words (Szegedy et al. 2016, section 7):

        loss = −(1 − ε) log p(label) − ε/V Σ_v log p(v)

    Differentiable once, in hidden, weight and bias. The second value has no gradient. Under automatic
    mixed precision the products are of the lower type, all else is of the weights'.
    """
    return _OutputLoss.apply(hidden, weight, bias, labels, smoothing)  # pyright: ignore[reportReturnType]


class _OutputLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor,
        smoothing: float,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        wants = torch.is_grad_enabled() or any(ctx.needs_input_grad)
        d_hidden = torch.empty_like(hidden) if wants else None
        fast = compiled(hidden, weight)
        products = (_Compiled if fast else _Library)(weight, bias)
        device = hidden.device.type
        if torch.is_autocast_enabled(device):
            products = _Mixed(weight, bias, torch.get_autocast_dtype(device))

        def run(lo: int, hi: int) -> _Sums:
            return _summed(hidden, labels, smoothing, products, d_hidden, lo, hi)

        words = len(hidden)
        with torch.autocast(device, enabled=False):  # which product is of which type is said above
            # torch's own products share themselves among threads.
            parts = in_parts(run, words, 6 * words * weight.numel()) if fast else [run(0, words)]
        nll, spread, d_weight, d_bias = (_total(one) for one in zip(*parts, strict=True))
        assert nll is not None
        assert spread is not None
        ctx.save_for_backward(d_hidden, d_weight, d_bias)
        ctx.words = words
        loss = ((1 - smoothing) * nll + smoothing * spread) / words
        nll = nll / words
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_weight, d_bias = ctx.saved_tensors
        scale = gradients[0] / ctx.words
        return (
            d_hidden * scale,
            d_weight * scale,
            None if d_bias is None else d_bias * scale,
            None,
            None,
        )


class _Sums(NamedTuple):
    """Over some of the rows: −log p(label), the mean of all words' −log p, and their gradients."""

    nll: Tensor
    spread: Tensor
    d_weight: Tensor | None
    d_bias: Tensor | None


def _total(parts: Sequence[Tensor | None]) -> Tensor | None:
    total = parts[0]
    for part in parts[1:]:
        total = part if total is None or part is None else total + part
    return total


def _summed(
    hidden: Tensor, labels: Tensor, smoothing: float, products: _Library | _Compiled | _Mixed,
    d_hidden: Tensor | None, lo: int, hi: int,
) -> _Sums:  # fmt: skip
    """Rows lo … hi-1; their gradient goes into d_hidden, where that is wanted."""
    weight, bias = products.weight, products.bias
    vocabulary = len(weight)
    nll, spread = weight.new_zeros(()), weight.new_zeros(())
    d_weight = None if d_hidden is None else torch.zeros_like(weight)
    d_bias = None if d_hidden is None or bias is None else torch.zeros_like(bias)
    block = _MIXED_BLOCK if isinstance(products, _Mixed) else _BLOCK
    rows = max(1, block // vocabulary)
    for first in range(lo, hi, rows):
        last = min(first + rows, hi)
        part = hidden[first:last]
        right = labels[first:last].unsqueeze(1)
        log_p = products.scores(part).log_softmax(-1)
        nll -= log_p.gather(1, right).sum()
        if smoothing:
            spread -= log_p.sum() / vocabulary
        if d_hidden is None or d_weight is None:
            continue
        # d loss / d scores = (p − (1 − ε) onehot − ε/V) / words
        gradient = log_p.exp_()
        gradient.scatter_add_(1, right, gradient.new_full(right.shape, smoothing - 1))
        if smoothing:
            gradient -= smoothing / vocabulary
        products.back(part, gradient, d_hidden[first:last], d_weight, d_bias)
    return _Sums(nll, spread, d_weight, d_bias)


class _Library:
    """The three products of a block of rows by torch."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def scores(self, part: Tensor) -> Tensor:
        weight, bias = self.weight.t(), self.bias
        return part @ weight if bias is None else torch.addmm(bias, part, weight)

    def back(
        self, part: Tensor, gradient: Tensor, d_part: Tensor, d_weight: Tensor,
        d_bias: Tensor | None,
    ) -> None:  # fmt: skip
        """Set d_part; add to the others."""
        torch.mm(gradient, self.weight, out=d_part)
        d_weight.addmm_(gradient.t(), part)
        if d_bias is not None:
            d_bias += gradient.sum(0)


class _Mixed:
    """The same products in a type of fewer bits."""

    def __init__(self, weight: Tensor, bias: Tensor | None, low: torch.dtype) -> None:
        self.weight, self.bias, self._low = weight, bias, weight.to(low)

    def scores(self, part: Tensor) -> Tensor:
        scores = (part.to(self._low.dtype) @ self._low.t()).to(self.weight.dtype)
        return scores if self.bias is None else scores + self.bias

    def back(
        self, part: Tensor, gradient: Tensor, d_part: Tensor, d_weight: Tensor,
        d_bias: Tensor | None,
    ) -> None:  # fmt: skip
        """Set d_part; add to the others."""
        low = gradient.to(self._low.dtype)
        d_part.copy_(low @ self._low)
        d_weight += low.t() @ part.to(self._low.dtype)
        if d_bias is not None:
            d_bias += gradient.sum(0)


class _Compiled:
    """The same on the kernels of ``shinso.nn.dense``, which pack the weights once for all blocks."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self._forth = Packed.of(weight, bias, "scores")
        self._back = Packed.of_transposed(weight, "scores back")

    def scores(self, part: Tensor) -> Tensor:
        scores = part.new_empty(len(part), len(self.weight))
        self._forth.rows(part, scores)
        return scores

    def back(
        self, part: Tensor, gradient: Tensor, d_part: Tensor, d_weight: Tensor,
        d_bias: Tensor | None,
    ) -> None:  # fmt: skip
        self._back.rows(gradient, d_part)
        add_weight_gradient(part, gradient, d_weight, d_bias)
