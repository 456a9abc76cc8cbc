"""A Transformer that says which token comes next (Radford et al. 2018; norms before the sublayers,
as in Radford et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shinso.nn.attention import KeyValueCache
from shinso.nn.dropout import ByteDropout
from shinso.nn.output_loss import output_loss
from shinso.nn.transformer_block import TransformerBlock
from shinso.settings import setting

State = list[tuple[Tensor, ...]]
"""The tokens so far, of which the last ``context`` count; (batch, time)."""
ROOM = 64
"""Tokens that are written before the last ``context`` are read again."""


@final
class TransformerLanguageModel(nn.Module):
    """Embeddings with rotary positions, causal blocks, scores of the next token."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        width: int = setting(128, "numbers in a token's vector")
        layers: int = setting(4, "Transformer blocks")
        heads: int = setting(4, "attention heads a block")
        inner: int = setting(512, "units of the small network in a block")
        context: int = setting(256, "earlier tokens that are read again when a text goes on")
        dropout: float = setting(0.1, "share of units dropped in training")

        def __post_init__(self) -> None:
            for name in ("width", "layers", "heads", "inner", "context"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if self.width % (2 * self.heads):
                raise ValueError(
                    f"heads is {self.heads}; give a divisor of half the width, {self.width // 2}"
                )
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give 0 up to below 1")

    def __init__(self, config: Config, *, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(num_tokens, config.width)
        self.dropout = ByteDropout(config.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                config.width, config.heads, config.inner, activation="gelu",
                dropout=config.dropout, attention_dropout=config.dropout, rotary=True,
            )
            for _ in range(config.layers)
        )  # fmt: skip
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, num_tokens)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        self.head.weight = self.embedding.weight

    def forward(
        self, tokens: Int[Tensor, "batch time"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch time width"], State]:
        """States of the last block. In training a window stands alone; otherwise the tokens before
        it are read again and none of its first ones is without context."""
        time = tokens.shape[1]
        known = tokens
        if state and not self.training:
            known = torch.cat([state[0][0][:, -self.config.context :], tokens], dim=1)
        x = self.begin(known)
        for block in self.blocks:
            x = self.through(block, x)
        return self.end(x[:, -time:]), [] if self.training else [(known,)]

    @property
    def begins_with(self) -> Sequence[nn.Module]:
        return [self.embedding, self.dropout]

    @property
    def ends_with(self) -> Sequence[nn.Module]:
        return [self.norm, self.head]

    def begin(self, given: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time width"]:
        """What the first block reads of tokens."""
        return self.dropout(self.embedding(given) * self.config.width**0.5)

    def through(
        self, block: nn.Module, x: Float[Tensor, "batch time width"]
    ) -> Float[Tensor, "batch time width"]:
        """What the next block reads."""
        return block(x, causal=True)

    def end(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        """The states, of what the last block gives."""
        return self.norm(x)

    def between(self, given: Int[Tensor, "batch time"]) -> tuple[int, ...]:
        """The shape of what blocks pass on."""
        return (*given.shape, self.config.width)

    def loss(
        self, h: Float[Tensor, "batch time width"], targets: Int[Tensor, "batch time"]
    ) -> Float[Tensor, ""]:
        """Nats a token."""
        return output_loss(h.flatten(0, 1), self.head.weight, self.head.bias, targets.flatten())[0]

    def scores(self, h: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch token"]:
        return self.head(h)

    def continuation(self) -> Continuation:
        """A text to be read and written bit by bit."""
        return Continuation(self)


class Continuation:
    """A text that goes on: each call reads what is new and gives the state at its last token.

    Keys and values stay, so that a token costs as many products as there are tokens before it, not
    their square. A token sees at least the last ``context`` before it and at most ``ROOM`` more:
    then the last ``context`` are read anew.
    """

    def __init__(self, model: TransformerLanguageModel) -> None:
        self.model = model
        self.known: list[Tensor] = []
        self.caches: list[KeyValueCache] = []
        self.left = 0

    @torch.no_grad()
    def __call__(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch width"]:
        model = self.model
        self.known.append(tokens)
        if tokens.shape[1] > self.left:
            tokens = torch.cat(self.known, 1)[:, -model.config.context - 1 :]
            self.known, self.left = [tokens], tokens.shape[1] + ROOM
            like = model.embedding.weight
            self.caches = [
                block.new_cache(len(tokens), self.left, like)  # type: ignore[operator]
                for block in model.blocks
            ]
        self.left -= tokens.shape[1]
        x = model.begin(tokens)
        for block, cache in zip(model.blocks, self.caches, strict=True):
            x = block(x, causal=True, cache=cache)
        return model.end(x[:, -1])
