"""The cross entropy of a large vocabulary, estimated from some of its tokens.

Most of a small language model's time goes into the scores of all tokens. In training a few hundred,
drawn by their frequency, say nearly as much.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sampled_cross_entropy(
    h: Float[Tensor, "row hidden"],
    weight: Float[Tensor, "token hidden"],
    bias: Float[Tensor, " token"],
    target: Int[Tensor, " row"],
    drawn: Int[Tensor, " sample"],
    shares: Float[Tensor, " token"],
) -> Float[Tensor, ""]:
    """−1/rows Σ_r log softmax(W h_r + b)[target_r] in nats, the softmax's sum estimated from
    ``drawn`` tokens, which all rows share (Jean et al. 2015, section 3.1).

    shares: chance q of each token to be drawn. A drawn score loses log(k q), how often its token is
    expected among the k drawn, so that frequent ones do not count more; a row's own token counts
    once, and not again where it is drawn. As k grows the estimate comes to the whole loss.
    """
    own = (h * weight[target]).sum(dim=1) + bias[target]
    expected = torch.log(len(drawn) * shares[drawn])
    others = torch.addmm(bias[drawn] - expected, h, weight[drawn].T)
    others = others.masked_fill(drawn == target[:, None], float("-inf"))
    everything = torch.cat([own[:, None], others], dim=1)
    return (torch.logsumexp(everything, dim=1) - own).mean()
