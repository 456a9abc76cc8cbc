"""Attention: what to look at, as a weighted mean of what is there.

Additive attention (Bahdanau, Cho & Bengio 2015), multiplicative attention (Luong, Pham & Manning
2015) and the multi-head attention of the Transformer (Vaswani et al. 2017). A mask is True where a
query may look. A query that may look nowhere gets zeros from the multi-head layers, not NaN.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.dense import Dense
from shinso.nn.portable import wanted
from shinso.nn.positions import rotate
from shinso.nn.unpadded import Unpadded

# A processor's backward pass through torch's kernel takes 1.2 to 2.6 times as long in bfloat16 as in
# float32 for up to so many keys, and less beyond; with dropout they take the same time.
_FEW_KEYS = 256


def attend(
    query: Float[Tensor, "*batch queries size"],
    key: Float[Tensor, "*batch keys size"],
    value: Float[Tensor, "*batch keys width"],
    mask: Bool[Tensor, "*#batch #queries keys"] | None = None,
    *,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch queries width"]:
    """softmax(Q K^T / √size) V (Vaswani et al. 2017, eq. 1), by torch's fused kernel.

    causal: query i sees keys up to i, counted so that the last query sees the last key.
    """
    queries, keys = query.shape[-2], key.shape[-2]
    if causal and (wanted() or (queries > 1 and (mask is not None or queries != keys))):
        # The kernel's own causal mask is aligned to the first key and takes no other beside it; an
        # exported graph has it written out, since it cannot ask how many queries there are.
        past = causal_mask(queries, keys, query.device)
        mask = past if mask is None else mask & past
        causal = False
    if _learns_in_half(query) and not dropout and keys <= _FEW_KEYS:
        with torch.autocast("cpu", enabled=False):
            wide = (query.float(), key.float(), value.float())
            return F.scaled_dot_product_attention(*wide, mask, is_causal=causal and queries > 1).to(
                query.dtype
            )
    return F.scaled_dot_product_attention(
        query, key, value, mask, dropout_p=dropout, is_causal=causal and queries > 1
    )


def _learns_in_half(query: Tensor) -> bool:
    return query.dtype == torch.bfloat16 and query.device.type == "cpu" and query.requires_grad


def attend_places(
    query: Float[Tensor, "row width"],
    memory: Float[Tensor, "place both"],
    places: Int[Tensor, "row most"],
    counts: Int[Tensor, " row"],
    heads: int,
) -> Float[Tensor, "row width"]:
    """``attend`` for one query a row, whose keys and values lie anywhere in ``memory``: keys, and
    values right behind them. A row looks at the first so many of its places; at none, it gets 0."""
    rows, most = places.shape
    seen = torch.arange(most, device=query.device) < counts.unsqueeze(1)
    found = memory[places.where(seen, 0)].view(rows, most, 2, heads, -1)
    keys, values = found.permute(2, 0, 3, 1, 4)
    return attend(query.view(rows, heads, 1, -1), keys, values, seen[:, None, None]).flatten(1)


def causal_mask(
    queries: int | torch.SymInt, keys: int | torch.SymInt, device: torch.device | None = None
) -> Bool[Tensor, "queries keys"]:
    """Which of the last ``queries`` of ``keys`` steps may see which: itself and all before it."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def attention_weights(
    query: Float[Tensor, "*batch queries size"],
    key: Float[Tensor, "*batch keys size"],
    mask: Bool[Tensor, "*#batch #queries keys"] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """The weights that ``attend`` averages with, for those who want to see them."""
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return masked_softmax(scores, mask)


def masked_softmax(
    scores: Float[Tensor, "*batch queries keys"],
    mask: Bool[Tensor, "*#batch #queries keys"] | None,
) -> Float[Tensor, "*batch queries keys"]:
    """Softmax over the keys that may be seen; zeros for a query that may see none."""
    if mask is None:
        return scores.softmax(-1)
    hidden = ~mask
    weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
    return weights.masked_fill(hidden, 0.0)


class KeyValueCache:
    """Keys and values of the steps so far, in memory that is taken once.

    Decoding step t then costs t products instead of t².
    """

    def __init__(
        self,
        keys: Float[Tensor, "batch heads capacity size"],
        values: Float[Tensor, "batch heads capacity size"],
        length: int = 0,
    ) -> None:
        self.keys = keys
        self.values = values
        self.length = length

    @classmethod
    def empty(cls, batch: int, heads: int, capacity: int, size: int, like: Tensor) -> KeyValueCache:
        """Room for ``capacity`` steps, of the dtype and on the device of ``like``."""
        shape = (batch, heads, capacity, size)
        return cls(like.new_empty(shape), like.new_empty(shape))

    def append(
        self,
        key: Float[Tensor, "batch heads steps size"],
        value: Float[Tensor, "batch heads steps size"],
    ) -> tuple[Float[Tensor, "batch heads length size"], Float[Tensor, "batch heads length size"]]:
        """All keys and values, the new ones included. ValueError where there is no more room."""
        end = self.length + key.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"the cache holds {self.keys.shape[2]} steps; {end} are needed")
        self.keys[:, :, self.length : end] = key
        self.values[:, :, self.length : end] = value
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


def split_heads(
    x: Float[Tensor, "batch time width"], heads: int
) -> Float[Tensor, "batch heads time size"]:
    """One slice of the width for each head."""
    batch, time, width = x.shape
    return x.view(batch, time, heads, width // heads).transpose(1, 2)


def join_heads(x: Float[Tensor, "batch heads time size"]) -> Float[Tensor, "batch time width"]:
    """What ``split_heads`` split."""
    batch, heads, time, size = x.shape
    return x.transpose(1, 2).reshape(batch, time, heads * size)


def check_heads(width: int, heads: int) -> None:
    """ValueError where the width cannot be shared among the heads."""
    if heads < 1 or width % heads:
        raise ValueError(f"heads is {heads}; give a divisor of the width, {width}")


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself (Vaswani et al. 2017, section 3.2.2):

        head_i = attend(x W_i^Q, x W_i^K, x W_i^V),  out = [head_1; …; head_h] W^O

    The three projections are one matrix product. dropout: of the attention weights. rotary: turn
    queries and keys by their positions (Su et al. 2021) instead of adding positions to x.
    """

    def __init__(
        self, width: int, heads: int, *, bias: bool = True, dropout: float = 0.0,
        rotary: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.dropout = dropout
        self.rotary = rotary
        self.query_key_value = Dense(width, 3 * width, bias)
        self.out = Dense(width, width, bias)
        for third in self.query_key_value.weight.detach().chunk(3):
            nn.init.xavier_uniform_(third)
        nn.init.xavier_uniform_(self.out.weight)
        if bias:
            nn.init.zeros_(self.query_key_value.bias)
            nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        mask: Bool[Tensor, "#batch #time keys"] | None = None,
        *,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """cache: the steps before these; these are added to it."""
        query, key, value = self._heads_of(
            self.query_key_value(x), 0 if cache is None else cache.length
        )
        if cache is not None:
            key, value = cache.append(key, value)
        dropout = self.dropout if self.training else 0.0
        seen = _for_heads(mask)
        return self.out(join_heads(attend(query, key, value, seen, causal=causal, dropout=dropout)))

    def unpadded(
        self, x: Float[Tensor, "step width"], steps: Unpadded
    ) -> Float[Tensor, "step width"]:
        """``forward`` of a padded batch, its real steps alone. For use after training."""
        query, key, value = self._heads_of(steps.padded(self.query_key_value(x)), 0)
        seen = None if steps.mask is None else steps.mask[:, None, None]
        return self.out(steps.flat(join_heads(attend(query, key, value, seen))))

    def weights(
        self,
        x: Float[Tensor, "batch time width"],
        mask: Bool[Tensor, "#batch #time time"] | None = None,
        *,
        causal: bool = False,
    ) -> Float[Tensor, "batch heads time time"]:
        """Where each head of each step looks."""
        query, key, _value = self._heads_of(self.query_key_value(x), 0)
        if causal:
            past = causal_mask(x.shape[1], x.shape[1], x.device)
            mask = past if mask is None else mask & past
        return attention_weights(query, key, _for_heads(mask))

    def _heads_of(self, projected: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        parts = projected.chunk(3, -1)
        query, key, value = (split_heads(part, self.heads) for part in parts)
        if self.rotary:
            query, key = rotate(query, first), rotate(key, first)
        return query, key, value


def _for_heads(mask: Tensor | None) -> Tensor | None:
    """The same mask for all heads of a batch; a mask without a batch is for all anyway."""
    return mask.unsqueeze(1) if mask is not None and mask.dim() == 3 else mask


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence to another, such as a decoder's to the encoder's output.

    memory_width: of the sequence looked at, ``width`` where it is not given.
    """

    def __init__(
        self, width: int, heads: int, *, memory_width: int | None = None, bias: bool = True,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.dropout = dropout
        self.query = Dense(width, width, bias)
        self.key_value = Dense(memory_width or width, 2 * width, bias)
        self.out = Dense(width, width, bias)
        for weight in (
            self.query.weight,
            *self.key_value.weight.detach().chunk(2),
            self.out.weight,
        ):
            nn.init.xavier_uniform_(weight)
        if bias:
            for layer in (self.query, self.key_value, self.out):
                nn.init.zeros_(layer.bias)

    def keys_and_values(
        self, memory: Float[Tensor, "batch keys memory"]
    ) -> tuple[Float[Tensor, "batch heads keys size"], Float[Tensor, "batch heads keys size"]]:
        """What a decoder needs of ``memory`` at every step, computed once."""
        key, value = self.key_value(memory).chunk(2, -1)
        return split_heads(key, self.heads), split_heads(value, self.heads)

    def forward(
        self,
        x: Float[Tensor, "batch queries width"],
        memory: tuple[
            Float[Tensor, "batch heads keys size"], Float[Tensor, "batch heads keys size"]
        ],
        mask: Bool[Tensor, "#batch #queries keys"] | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """memory: of ``keys_and_values``."""
        query = split_heads(self.query(x), self.heads)
        dropout = self.dropout if self.training else 0.0
        return self.out(join_heads(attend(query, *memory, _for_heads(mask), dropout=dropout)))

    def weights(
        self,
        x: Float[Tensor, "batch queries width"],
        memory: tuple[
            Float[Tensor, "batch heads keys size"], Float[Tensor, "batch heads keys size"]
        ],
        mask: Bool[Tensor, "#batch #queries keys"] | None = None,
    ) -> Float[Tensor, "batch heads queries keys"]:
        """Where each head of each query looks."""
        query = split_heads(self.query(x), self.heads)
        return attention_weights(query, memory[0], _for_heads(mask))


class AdditiveAttention(nn.Module):
    """Attention by a small network (Bahdanau, Cho & Bengio 2015, appendix A.1.2):

    e_ij = v^T tanh(W s_i + U h_j),  α_i = softmax(e_i),  c_i = Σ_j α_ij h_j
    """

    def __init__(self, query_width: int, memory_width: int, width: int) -> None:
        super().__init__()
        self.query = Dense(query_width, width, bias=False)
        self.key = Dense(memory_width, width)
        self.energy = nn.Linear(width, 1, bias=False)

    def keys(self, memory: Float[Tensor, "batch keys memory"]) -> Float[Tensor, "batch keys width"]:
        """U h_j, which no query changes."""
        return self.key(memory)

    def forward(
        self,
        query: Float[Tensor, "batch queries query"],
        keys: Float[Tensor, "batch keys width"],
        memory: Float[Tensor, "batch keys memory"],
        mask: Bool[Tensor, "#batch #queries keys"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries memory"], Float[Tensor, "batch queries keys"]]:
        """The context of each query, and its weights."""
        both = torch.tanh(self.query(query).unsqueeze(2) + keys.unsqueeze(1))
        weights = masked_softmax(self.energy(both).squeeze(-1), mask)
        return weights @ memory, weights


class MultiplicativeAttention(nn.Module):
    """Attention by products (Luong, Pham & Manning 2015, eq. 8):

    general:  e_ij = s_i^T W h_j        dot:  e_ij = s_i^T h_j
    """

    def __init__(
        self, query_width: int, memory_width: int, score: Literal["general", "dot"] = "general"
    ) -> None:
        super().__init__()
        if score == "dot" and query_width != memory_width:
            raise ValueError(
                f"dot compares vectors of {query_width} and {memory_width}; make them equal, or "
                "choose general"
            )
        self.key = (
            Dense(memory_width, query_width, bias=False) if score == "general" else nn.Identity()
        )

    def keys(self, memory: Float[Tensor, "batch keys memory"]) -> Float[Tensor, "batch keys query"]:
        """W h_j, which no query changes."""
        return self.key(memory)

    def forward(
        self,
        query: Float[Tensor, "batch queries query"],
        keys: Float[Tensor, "batch keys query"],
        memory: Float[Tensor, "batch keys memory"],
        mask: Bool[Tensor, "#batch #queries keys"] | None = None,
    ) -> tuple[Float[Tensor, "batch queries memory"], Float[Tensor, "batch queries keys"]]:
        """The context of each query, and its weights."""
        weights = masked_softmax(query @ keys.transpose(1, 2), mask)
        return weights @ memory, weights
