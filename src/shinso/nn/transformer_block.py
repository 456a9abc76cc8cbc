"""One layer of a Transformer: attention, perhaps to a second sequence, and a small network.

The same block is an encoder's (no causal mask), a language model's (causal) and a decoder's
(causal, ``cross=True``).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.attention import CrossAttention, KeyValueCache, SelfAttention
from shinso.nn.dense import Dense
from shinso.nn.dropout import ByteDropout
from shinso.nn.unpadded import Unpadded

Activation = Literal["relu", "gelu"]
Norm = Literal["pre", "post"]
ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class FeedForward(nn.Module):
    """act(x W_1 + b_1) W_2 + b_2 at each position by itself (Vaswani et al. 2017, eq. 2)."""

    def __init__(self, width: int, inner: int, activation: Activation = "relu") -> None:
        super().__init__()
        self.up = Dense(width, inner)
        self.down = Dense(inner, width)
        self.activation = ACTIVATIONS[activation]
        for layer in (self.up, self.down):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        inner = self.up(x)
        if self.activation is F.relu and torch.is_inference_mode_enabled():
            return self.down(inner.relu_())  # the widest of all: no second one is made of it
        return self.down(self.activation(inner))


class TransformerBlock(nn.Module):
    """Sublayers with residual connections and layer normalization.

    post (Vaswani et al. 2017):       x ← norm(x + drop(sublayer(x)))
    pre (Xiong et al. 2020):          x ← x + drop(sublayer(norm(x))); a last norm comes after the
                                      last block, which is its owner's business
    """

    def __init__(
        self,
        width: int,
        heads: int,
        inner: int,
        *,
        cross: bool = False,
        norm: Norm = "pre",
        activation: Activation = "relu",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        rotary: bool = False,
        eps: float = 1e-5,
    ) -> None:
        """inner: width between the two layers of the feed-forward network. eps: of the norms."""
        super().__init__()
        self.norm_first = norm == "pre"
        self.attention = SelfAttention(width, heads, dropout=attention_dropout, rotary=rotary)
        self.attention_norm = nn.LayerNorm(width, eps)
        self.cross = CrossAttention(width, heads, dropout=attention_dropout) if cross else None
        self.cross_norm = nn.LayerNorm(width, eps) if cross else None
        self.network = FeedForward(width, inner, activation)
        self.network_norm = nn.LayerNorm(width, eps)
        self.dropout = ByteDropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        mask: Bool[Tensor, "#batch #time keys"] | None = None,
        *,
        causal: bool = False,
        memory: Float[Tensor, "batch keys width"] | None = None,
        memory_mask: Bool[Tensor, "#batch #time memory_keys"] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """mask, memory_mask: True where may be looked. memory: what a ``cross`` block looks at. cache:
        of the attention to itself, with the steps before these."""
        start = self.attention_norm(x) if self.norm_first else x
        x = x + self.dropout(self.attention(start, mask, causal=causal, cache=cache))
        x = x if self.norm_first else self.attention_norm(x)
        if self.cross is not None and self.cross_norm is not None:
            if memory is None:
                raise ValueError("this block looks at a second sequence; give memory")
            start = self.cross_norm(x) if self.norm_first else x
            known = self.cross.keys_and_values(memory)
            x = x + self.dropout(self.cross(start, known, memory_mask))
            x = x if self.norm_first else self.cross_norm(x)
        return self._at_each_step(x)

    def unpadded(
        self, x: Float[Tensor, "step width"], steps: Unpadded
    ) -> Float[Tensor, "step width"]:
        """``forward`` of a padded batch, its real steps alone. For an encoder after training."""
        x = x + self.attention.unpadded(self.attention_norm(x) if self.norm_first else x, steps)
        return self._at_each_step(x if self.norm_first else self.attention_norm(x))

    def _at_each_step(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        start = self.network_norm(x) if self.norm_first else x
        x = x + self.dropout(self.network(start))
        return x if self.norm_first else self.network_norm(x)

    def new_cache(self, batch: int, capacity: int, like: Tensor) -> KeyValueCache:
        """An empty cache for ``capacity`` steps."""
        heads = self.attention.heads
        size = self.attention.out.in_features // heads
        return KeyValueCache.empty(batch, heads, capacity, size, like)
