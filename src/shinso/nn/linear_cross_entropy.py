"""The last layer of a language model and its loss as one function.

Most of a small language model's time goes into the scores of the whole vocabulary. Here they are
written once: the softmax and then the gradient take their place, so that beside the three matrix
products little is left.
"""

# torch names the first parameter ctx and passes it by place.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _LinearCrossEntropy(Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor) -> Tensor:
        scores = h @ weight.T if bias is None else torch.addmm(bias, h, weight.T)
        rows = torch.arange(len(h), device=h.device)
        scores -= scores.max(dim=1, keepdim=True).values
        own = scores[rows, target]
        sums = scores.exp_().sum(dim=1)
        loss = (sums.log() - own).mean()
        scores /= sums[:, None]  # p
        scores[rows, target] -= 1  # dL/dscores · rows = p − 1{target}
        ctx.save_for_backward(h, weight, scores)
        ctx.has_bias = bias is not None
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, d_scores = ctx.saved_tensors
        share = d_loss / len(h)
        d_h = (d_scores @ weight).mul_(share) if ctx.needs_input_grad[0] else None
        d_weight = (d_scores.T @ h).mul_(share) if ctx.needs_input_grad[1] else None
        d_bias = d_scores.sum(dim=0).mul_(share) if ctx.has_bias else None
        return d_h, d_weight, d_bias, None


def linear_cross_entropy(
    h: Float[Tensor, "row hidden"],
    weight: Float[Tensor, "token hidden"],
    bias: Float[Tensor, " token"] | None,
    target: Int[Tensor, " row"],
) -> Float[Tensor, ""]:
    """−1/rows Σ_r log softmax(W h_r + b)[target_r], in nats."""
    return _LinearCrossEntropy.apply(h, weight, bias, target)  # pyright: ignore[reportReturnType]


def sampled_cross_entropy(
    h: Float[Tensor, "row hidden"],
    weight: Float[Tensor, "token hidden"],
    bias: Float[Tensor, " token"],
    target: Int[Tensor, " row"],
    drawn: Int[Tensor, " sample"],
    shares: Float[Tensor, " token"],
) -> Float[Tensor, ""]:
    """The loss above with the softmax's sum estimated from ``drawn`` tokens, which all rows share
    (Jean et al. 2015, section 3.1). shares: chance of each token to be drawn.

    Each score loses log(k q), the logarithm of how often its token is expected among the k drawn, so
    that frequent ones do not count more often; a drawn token that is the row's own counts once. For
    training only: as k grows it comes to the loss above from below.
    """
    expected = torch.log(len(drawn) * shares)
    own = (h * weight[target]).sum(dim=1) + bias[target]
    # Its own score belongs to the sum with weight 1, as it is sure to be there.
    others = torch.addmm(bias[drawn] - expected[drawn], h, weight[drawn].T)
    others = others.masked_fill(drawn == target[:, None], float("-inf"))
    everything = torch.cat([own[:, None], others], dim=1)
    return (torch.logsumexp(everything, dim=1) - own).mean()
