"""The encoder–decoder Transformer (Vaswani et al. 2017).

Place in the course: Transformer. The encoder reads the whole source at once; the decoder writes the
target word by word, looking at what it has written and at the encoder's output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shinso.models.transformer_writing import Writing
from shinso.nn.dropout import ByteDropout
from shinso.nn.positions import LearnedPositions, SinusoidalPositions
from shinso.nn.transformer_block import Activation, Norm, TransformerBlock
from shinso.nn.unpadded import Unpadded
from shinso.settings import setting

Positions = Literal["sinusoidal", "learned", "rotary"]


@final
class Transformer(nn.Module):
    """Embeddings, a stack of encoder blocks, a stack of decoder blocks, scores over the vocabulary.

    The embedding is scaled by √width, and the output layer shares the target's embedding where
    ``tied`` (section 3.4). With ``shared`` both languages have one vocabulary and one embedding.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its vocabularies follow from the data."""

        width: int = setting(128, "length of the vectors between layers")
        heads: int = setting(4, "heads of each attention")
        inner: int = setting(256, "units between the two layers of a feed-forward network")
        encoder_layers: int = setting(4, "blocks of the encoder")
        decoder_layers: int = setting(4, "blocks of the decoder")
        norm: Norm = setting("pre", "normalize before or after each sublayer")
        positions: Positions = setting("sinusoidal", "how a step knows its place")
        capacity: int = setting(512, "positions learnt, with positions=learned")
        activation: Activation = setting("relu", "of the feed-forward networks")
        dropout: float = setting(0.1, "share of units dropped in training")
        attention_dropout: float = setting(0.0, "share of attention weights dropped in training")
        tied: bool = setting(True, "the output layer is the target's embedding")
        eps: float = setting(1e-5, "added to the variance in layer normalization")

        def __post_init__(self) -> None:
            for name in ("width", "heads", "inner", "encoder_layers", "decoder_layers", "capacity"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if self.width % self.heads:
                raise ValueError(f"heads is {self.heads}; give a divisor of width, {self.width}")
            if self.positions == "rotary" and self.width % (2 * self.heads):
                raise ValueError(
                    f"heads is {self.heads}; rotary positions turn pairs of numbers in each head, so "
                    f"give a divisor of half the width, {self.width // 2}"
                )
            for name in ("dropout", "attention_dropout"):
                if not 0 <= getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to below 1")

        def unread(self) -> dict[str, str]:
            learned = self.positions == "learned"
            return {} if learned else {"capacity": f"positions={self.positions}"}

    def __init__(
        self, config: Config, *, num_source: int, num_target: int, shared: bool = False
    ) -> None:
        """num_source, num_target: sizes of the vocabularies; equal where ``shared``."""
        super().__init__()
        if shared and num_source != num_target:
            raise ValueError(f"a shared vocabulary has one size; got {num_source}, {num_target}")
        self.config = config
        width = config.width
        self.target_embedding = nn.Embedding(num_target, width)
        self.source_embedding = self.target_embedding if shared else nn.Embedding(num_source, width)
        for table in dict.fromkeys((self.source_embedding, self.target_embedding)):
            nn.init.normal_(table.weight, std=width**-0.5)
        self.source_positions = self._new_positions()
        self.target_positions = self._new_positions()
        self.encoder = nn.ModuleList(
            self._new_block(cross=False) for _ in range(config.encoder_layers)
        )
        self.decoder = nn.ModuleList(
            self._new_block(cross=True) for _ in range(config.decoder_layers)
        )
        # A pre-norm stack leaves its sum unnormalized.
        pre = config.norm == "pre"
        self.encoder_norm = nn.LayerNorm(width, config.eps) if pre else nn.Identity()
        self.decoder_norm = nn.LayerNorm(width, config.eps) if pre else nn.Identity()
        self.output = nn.Linear(width, num_target, bias=False)
        if config.tied:
            self.output.weight = self.target_embedding.weight
        self.dropout = ByteDropout(config.dropout)

    @property
    def capacity(self) -> int | None:
        """Most steps of a source or a target, its sign counted; None: any number."""
        return self.config.capacity if self.config.positions == "learned" else None

    def _new_positions(self) -> nn.Module:
        match self.config.positions:
            case "sinusoidal":
                return SinusoidalPositions(self.config.width)
            case "learned":
                return LearnedPositions(self.config.capacity, self.config.width)
            case "rotary":
                return _Nowhere()

    def _new_block(self, *, cross: bool) -> TransformerBlock:
        config = self.config
        return TransformerBlock(
            config.width,
            config.heads,
            config.inner,
            cross=cross,
            norm=config.norm,
            activation=config.activation,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            rotary=config.positions == "rotary",
            eps=config.eps,
        )

    def encode(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Float[Tensor, "batch source width"]:
        """What the decoder looks at. mask: True at words, None where there is no padding."""
        x = self.dropout(self._embedded(source))
        keys = None if mask is None else mask.unsqueeze(1)
        for block in self.encoder:
            x = block(x, keys)
        return self.encoder_norm(x)

    def _embedded(self, source: Int[Tensor, "batch source"]) -> Float[Tensor, "batch source width"]:
        return self.source_positions(self.source_embedding(source) * math.sqrt(self.config.width))

    def decode(
        self,
        target: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch source width"],
        mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Float[Tensor, "batch target width"]:
        """A vector at each place of ``target`` from which the next word follows."""
        x = self.target_embedding(target) * math.sqrt(self.config.width)
        x = self.dropout(self.target_positions(x))
        keys = None if mask is None else mask.unsqueeze(1)
        for block in self.decoder:
            x = block(x, causal=True, memory=memory, memory_mask=keys)
        return self.decoder_norm(x)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None,
        target: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target width"]:
        """What ``output`` turns into scores of the word after each of ``target``.

        Behind a target's end it means nothing. Padding stands behind words, and no word looks
        ahead, so the target needs no mask.
        """
        return self.decode(target, self.encode(source, source_mask), source_mask)

    def alignment(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None,
        target: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target source"]:
        """Where the last decoder block looks before each next word, averaged over its heads."""
        memory = self.encode(source, source_mask)
        keys = None if source_mask is None else source_mask.unsqueeze(1)
        looks: list[Tensor] = []

        def watch(cross: Any, given: Any, _out: Any) -> None:
            looks.append(cross.weights(given[0], given[1], keys).mean(1))

        last: Any = self.decoder[-1]
        handle = last.cross.register_forward_hook(watch)
        try:
            self.decode(target, memory, source_mask)
        finally:
            handle.remove()
        return looks[0]

    @torch.no_grad()
    def begin(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"] | None,
        beams: int,
        steps: int,
    ) -> Writing:
        """Ready to write ``beams`` translations of each sentence, of up to ``steps`` words. ValueError
        for a network in training, which would drop units of what it reads."""
        if self.training:
            raise ValueError("the network is in training; call eval() before it writes")
        words = Unpadded(mask, len(source), source.shape[1], source.device)
        x = words.flat(self._embedded(source))
        blocks: list[Any] = list(self.encoder)
        for block in blocks:
            x = block.unpadded(x, words)
        return Writing(self, self.encoder_norm(x), words.lengths, beams, steps)


class _Nowhere(nn.Module):
    """Adds nothing: rotary positions enter in the attention."""

    def forward(self, x: Tensor, first: int = 0) -> Tensor:
        return x
