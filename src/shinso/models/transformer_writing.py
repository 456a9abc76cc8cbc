"""A Transformer's decoder, one new word at a time, for many translations at once.

The same numbers as the decoder's blocks give, without what a block needs only for training or for
many steps: for one step of a small network that is half of the time. The keys and values of the
source are held once a sentence and not once a translation: the beams of a sentence look at it
together, as queries side by side.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from shinso.nn.attention import KeyValueCache
from shinso.nn.dense import FixedDense
from shinso.nn.positions import rotate
from shinso.nn.transformer_block import BlockCache, TransformerBlock


class Writing:
    """Translations of a batch on their way: one new word a step for each of them."""

    def __init__(
        self,
        model: Any,
        caches: list[BlockCache],
        mask: Bool[Tensor, "sentence source"] | None,
        beams: int,
    ) -> None:
        """model: a Transformer. caches: of its decoder's blocks, with the memory in them."""
        self.model = model
        self.scale = math.sqrt(model.config.width)
        self.blocks = [
            _BlockStep(block, cache) for block, cache in zip(model.decoder, caches, strict=True)
        ]
        self.mask = None if mask is None else mask[:, None, None, :]
        self.beams = beams
        self.output = FixedDense(model.output.weight)

    def step(
        self, words: Int[Tensor, "sentence beam"]
    ) -> Float[Tensor, "sentence beam vocabulary"]:
        """Scores of the next word, after ``words`` were written."""
        model = self.model
        first = self.blocks[0].own.length
        x = F.embedding(words.reshape(-1, 1), model.target_embedding.weight) * self.scale
        x = model.target_positions(x, first).squeeze(1)
        for block in self.blocks:
            x = block.step(x, self.mask, self.beams)
        return self.output(model.decoder_norm(x)).view(*words.shape, -1)

    def take(self, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept beam"]) -> None:
        """Go on with these sentences (None: all), and in each with these of its beams."""
        kept = torch.arange(len(beams), device=beams.device) if sentences is None else sentences
        rows = (kept.unsqueeze(1) * self.beams + beams).reshape(-1)
        self.beams = beams.shape[1]
        for block in self.blocks:
            block.own.take(rows)
            if sentences is not None:
                block.key, block.value = block.key[sentences], block.value[sentences]
        if sentences is not None and self.mask is not None:
            self.mask = self.mask[sentences]


class _BlockStep:
    """One decoder block with its weights at hand."""

    def __init__(self, block: TransformerBlock, cache: BlockCache) -> None:
        cross, cross_norm = block.cross, block.cross_norm
        if cross is None or cross_norm is None or cache.memory is None:
            raise ValueError("a decoder's block looks at a memory; make it with cross=True")
        own, network = block.attention, block.network
        self.own: KeyValueCache = cache.own
        self.key, self.value = cache.memory
        self.pre = block.norm_first
        self.rotary = own.rotary
        self.heads = own.heads
        self.three, self.out, self.query, self.cross_out, self.up, self.down = (
            FixedDense(layer.weight, layer.bias)
            for layer in (
                own.query_key_value, own.out, cross.query, cross.out, network.up, network.down
            )
        )  # fmt: skip
        self.activation = network.activation
        self.norms = [
            (norm.normalized_shape, norm.weight, norm.bias, norm.eps)
            for norm in (block.attention_norm, cross_norm, block.network_norm)
        ]

    def step(
        self, x: Float[Tensor, "row width"], mask: Tensor | None, beams: int
    ) -> Float[Tensor, "row width"]:
        """The block's answer to one new step of each row."""
        rows, width = x.shape
        size = width // self.heads
        first, second, third = self.norms
        start = F.layer_norm(x, *first) if self.pre else x
        three = self.three(start).view(rows, 3, self.heads, 1, size)
        query, key, value = three.unbind(1)
        if self.rotary:
            place = self.own.length
            query, key = rotate(query, place), rotate(key, place)
        keys, values = self.own.append(key, value)
        seen = F.scaled_dot_product_attention(query, keys, values).reshape(rows, width)
        x = x + self.out(seen)
        if not self.pre:
            x = F.layer_norm(x, *first)
        start = F.layer_norm(x, *second) if self.pre else x
        query = self.query(start).view(-1, beams, self.heads, size).transpose(1, 2)
        seen = F.scaled_dot_product_attention(query, self.key, self.value, mask)
        x = x + self.cross_out(seen.transpose(1, 2).reshape(rows, width))
        if not self.pre:
            x = F.layer_norm(x, *second)
        start = F.layer_norm(x, *third) if self.pre else x
        x = x + self.down(self.activation(self.up(start)))
        return x if self.pre else F.layer_norm(x, *third)
