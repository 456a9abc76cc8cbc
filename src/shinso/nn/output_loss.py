"""The last layer over a vocabulary and its cross entropy, together.

In a small network of a few thousand subwords this is most of a training step. Done apart, the
scores of all words are written, read and differentiated several times; done in blocks of rows that
stay in the processor's cache, with the gradient taken while they are there, it costs little more
than its matrix products.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function

_BLOCK = 2**19  # scores at a time: 2 MB in float32


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

    Differentiable once, in hidden, weight and bias. The second value has no gradient.
    """
    return _OutputLoss.apply(hidden, weight, bias, labels, smoothing)  # pyright: ignore[reportReturnType]


class _OutputLoss(Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor,
        smoothing: float,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        words, vocabulary = len(hidden), len(weight)
        wants = torch.is_grad_enabled() or any(ctx.needs_input_grad)
        d_hidden = torch.empty_like(hidden) if wants else None
        d_weight = torch.zeros_like(weight) if wants else None
        d_bias = torch.zeros_like(bias) if wants and bias is not None else None
        nll = hidden.new_zeros(())
        spread = hidden.new_zeros(())
        rows = max(1, _BLOCK // vocabulary)
        for first in range(0, words, rows):
            part = hidden[first : first + rows]
            right = labels[first : first + rows].unsqueeze(1)
            scores = part @ weight.t() if bias is None else torch.addmm(bias, part, weight.t())
            log_p = scores.log_softmax(-1)
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
            torch.mm(gradient, weight, out=d_hidden[first : first + rows])
            d_weight.addmm_(gradient.t(), part)
            if d_bias is not None:
                d_bias += gradient.sum(0)
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
