"""A Transformer's decoder, one new word at a time, for many translations at once.

The same numbers as the decoder's blocks give, without what a block needs only for training or for
many steps: for one step of a small network that is more than half of the time. Keys and values stay
where they were first written: those of the source once a sentence, for all its beams, and those of a
past that beams have in common once. Where a sentence leaves, or a beam takes another's place, only
lists of places change.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.attention import attend_places
from shinso.nn.dense import FixedDense, compiled
from shinso.nn.positions import rotate, turns_at
from shinso.nn.threads import in_parts
from shinso.nn.transformer_block import TransformerBlock


class Writing:
    """Translations of a batch on their way: one new word a step for each of them."""

    def __init__(
        self,
        model: Any,
        memory: Float[Tensor, "place width"],
        lengths: Int[Tensor, " sentence"],
        beams: int,
        steps: int,
    ) -> None:
        """model: a Transformer. memory: the encoder's output at the words of all sentences, one
        after another; lengths: how many belong to each."""
        self.model = model
        self.scale = math.sqrt(model.config.width)
        self.beams = beams
        rows, longest = len(lengths) * beams, int(lengths.max())
        self.blocks = _Blocks(model, memory, rows * steps)
        starts = torch.cumsum(lengths, 0) - lengths
        source = starts.unsqueeze(1) + torch.arange(longest, device=lengths.device)
        self.source = Looks(*(part.repeat_interleave(beams, 0) for part in (source, lengths)))
        self.past = Looks(lengths.new_empty(rows, steps), lengths.new_zeros(rows))
        self.written = self.taken = 0  # steps, and places that they took in all
        self.output = _fixed(model.output)

    @torch.no_grad()
    def step(
        self, words: Int[Tensor, "sentence beam"]
    ) -> Float[Tensor, "sentence beam vocabulary"]:
        """Scores of the next word, after ``words`` were written."""
        model, rows = self.model, words.numel()
        x = F.embedding(words.reshape(-1, 1), model.target_embedding.weight) * self.scale
        x = model.target_positions(x, self.written).squeeze(1)
        new = torch.arange(self.taken, self.taken + rows, device=words.device)
        self.past.places[:, self.written] = new
        self.past.counts.add_(1)
        x = self.blocks.step(x, self.written, self.taken, self.past, self.source)
        self.written, self.taken = self.written + 1, self.taken + rows
        return self.output(model.decoder_norm(x)).view(*words.shape, -1)

    def take(self, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept beam"]) -> None:
        """Go on with these sentences (None: all), and in each with these of its beams."""
        kept = torch.arange(len(beams), device=beams.device) if sentences is None else sentences
        rows = (kept.unsqueeze(1) * self.beams + beams).reshape(-1)
        self.beams = beams.shape[1]
        self.past, self.source = self.past.take(rows), self.source.take(rows)


class Looks(NamedTuple):
    """Each row looks at the first so many of its places."""

    places: Int[Tensor, "row most"]
    counts: Int[Tensor, " row"]

    def take(self, rows: Int[Tensor, " kept"]) -> Looks:
        return Looks(self.places.index_select(0, rows), self.counts.index_select(0, rows))


class _BlockStep:
    """One decoder block with its weights at hand, and the keys and values that it looks at."""

    def __init__(
        self, block: TransformerBlock, memory: Float[Tensor, "place width"], capacity: int
    ) -> None:
        """capacity: steps of all rows together."""
        cross, cross_norm = block.cross, block.cross_norm
        if cross is None or cross_norm is None:
            raise ValueError("a decoder's block looks at a memory; make it with cross=True")
        own, network = block.attention, block.network
        self.memory = cross.key_value(memory)
        self.own = memory.new_empty(capacity, 2 * memory.shape[1])
        self.pre = block.norm_first
        self.rotary = own.rotary
        self.heads, self.cross_heads = own.heads, cross.heads
        layers = own.query_key_value, own.out, cross.query, cross.out, network.up, network.down
        self.layers = [_fixed(layer) for layer in layers]
        self.activation = network.activation
        self.norms = [
            (norm.normalized_shape, norm.weight, norm.bias, norm.eps)
            for norm in (block.attention_norm, cross_norm, block.network_norm)
        ]

    def step(
        self, x: Float[Tensor, "row width"], written: int, new: int, own: Looks, source: Looks
    ) -> Float[Tensor, "row width"]:
        """The block's answer to one new step of each row. written: steps before it. new: place of
        the first row's keys and values, behind which the others' come. own, source: what each row
        may look at."""
        rows, width = x.shape
        first, second, third = self.norms
        three_of, out_of, query_of, cross_of, up, down = self.layers
        three = three_of(F.layer_norm(x, *first) if self.pre else x)
        query, keys, values = three.chunk(3, -1)
        if self.rotary:
            query, keys = (
                rotate(one.reshape(rows, self.heads, 1, -1), written).reshape(rows, width)
                for one in (query, keys)
            )
        self.own[new : new + rows] = torch.cat([keys, values], -1)
        x = x + out_of(attend_places(query, self.own, *own, self.heads))
        if not self.pre:
            x = F.layer_norm(x, *first)
        query = query_of(F.layer_norm(x, *second) if self.pre else x)
        x = x + cross_of(attend_places(query, self.memory, *source, self.cross_heads))
        if not self.pre:
            x = F.layer_norm(x, *second)
        start = F.layer_norm(x, *third) if self.pre else x
        x = x + down(self.activation(up(start)))
        return x if self.pre else F.layer_norm(x, *third)


def _fixed(layer: nn.Linear) -> FixedDense | nn.Linear:
    """The layer's product; the layer itself where something is done to its inputs, as in an 8-bit
    network."""
    return layer if layer._forward_pre_hooks else FixedDense(layer.weight, layer.bias)


def _can_be_compiled(block: _BlockStep) -> bool:
    layers = [layer for layer in block.layers if isinstance(layer, FixedDense)]
    given = [one for layer in layers for one in (layer.weight, layer.bias) if one is not None]
    given += [one for _, gain, bias, _ in block.norms for one in (gain, bias) if one is not None]
    return (
        len(layers) == len(block.layers)
        and len(given) == 2 * (len(layers) + len(block.norms))
        and len({norm[3] for norm in block.norms}) == 1
        and block.activation in (F.relu, F.gelu)
        and compiled(block.memory, *given, pays=True)
    )


class _Blocks:
    """The decoder's blocks one after another: as compiled calls where they can be."""

    def __init__(self, model: Any, memory: Float[Tensor, "place width"], capacity: int) -> None:
        self.blocks = [_BlockStep(block, memory, capacity) for block in model.decoder]
        first = self.blocks[0]
        alike = {(b.rotary, heads) for b in self.blocks for heads in (b.heads, b.cross_heads)}
        self.compiled = len(alike) == 1 and all(_can_be_compiled(block) for block in self.blocks)
        if not self.compiled:
            return
        self.fixed = [
            [one for one in block.layers if isinstance(one, FixedDense)] for block in self.blocks
        ]
        weights = [layer.weight for layers in self.fixed for layer in layers]
        self.operations = 2 * sum(weight.numel() for weight in weights)
        self.largest = max(len(weight) for weight in weights)
        self.size = memory.shape[1] // first.heads if first.rotary else 0
        self.hows = [
            (b.pre, b.activation is F.gelu, b.heads, np.float32(b.norms[0][3])) for b in self.blocks
        ]
        norms = [[torch.stack([gain, bias]) for _, gain, bias, _ in b.norms] for b in self.blocks]
        self.norms = [torch.stack(three).numpy() for three in norms]
        self.memories = [(block.own.numpy(), block.memory.numpy()) for block in self.blocks]
        self.layers: list[Any] = []
        self.packed = False

    def step(
        self, x: Float[Tensor, "row width"], written: int, new: int, own: Looks, source: Looks
    ) -> Float[Tensor, "row width"]:
        """As ``_BlockStep.step``, through all blocks; x may be overwritten."""
        if not self.compiled:
            own = Looks(own.places[:, : written + 1], own.counts)
            for block in self.blocks:
                x = block.step(x, written, new, own, source)
            return x
        from shinso.nn.kernels.decoder_numba import block_step
        from shinso.nn.kernels.scratch import scratch

        x = x.contiguous()
        rows, width = x.shape
        if not self.layers or (FixedDense.worth_packing(rows) and not self.packed):
            self.layers = [tuple(one.arrays(rows) for one in layers) for layers in self.fixed]
            self.packed = FixedDense.worth_packing(rows)
        turns = turns_at(written, self.size).numpy() if self.size else _NOWHERE
        given, looks = x.numpy(), [part.numpy() for part in (*own, *source)]
        most = max(own.places.shape[1], source.places.shape[1])

        def run(lo: int, hi: int) -> None:
            some, (past, counts, places, lengths) = given[lo:hi], (part[lo:hi] for part in looks)
            room = (
                scratch("weights", most), scratch("room", (hi - lo) * self.largest),
                scratch("answer", hi - lo, width),
            )  # fmt: skip
            for how, norms, layers, (kept, memory) in zip(
                self.hows, self.norms, self.layers, self.memories, strict=True
            ):
                block_step(
                    some, *how, norms, turns, layers, kept, new + lo, past, counts, memory,
                    places, lengths, *room,
                )  # fmt: skip

        in_parts(run, rows, rows * self.operations)
        return x


_NOWHERE = np.empty(0, np.float32)
