"""The two tables of word2vec (Mikolov et al. 2013a, "Efficient Estimation of Word Representations
in Vector Space"; 2013b, "Distributed Representations of Words and Phrases").

``inputs`` holds the vectors that a user gets. ``outputs`` holds a row for each word, or for each
inner node of the Huffman tree. They are buffers and no parameters: nothing is differentiated by
autograd, ``objectives.word2vec`` changes them in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.settings import setting

LANES = 8
"""Rows are filled up with zeros, which stay zeros, to a multiple of so many floats."""


@final
class Word2Vec(nn.Module):
    """Word vectors and what they are learnt against."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """cbow, tree: what the models' names decide."""

        cbow: bool = setting(False, "predict a word from the mean of its window, not each from it")
        tree: bool = setting(False, "hierarchical softmax over a Huffman tree, no drawn words")
        dim: int = setting(100, "numbers in a word's vector")
        window: int = setting(5, "largest distance of words that meet; drawn from 1 up to it")
        negative: int = setting(5, "words drawn against each centre word")
        sample: float = setting(
            1e-3, "share of the text above which a word is left out at random; 0: none is"
        )

        def __post_init__(self) -> None:
            for name in ("dim", "window", "negative"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if not 0 <= self.sample < 1:
                raise ValueError(f"sample is {self.sample}; give 0 up to below 1")

        def unread(self) -> dict[str, str]:
            return {"negative": "a Huffman tree"} if self.tree else {}

    inputs: Tensor
    outputs: Tensor

    def __init__(self, config: Config, *, num_words: int) -> None:
        super().__init__()
        self.config = config
        width = -(-config.dim // LANES) * LANES
        inputs = torch.zeros(num_words, width)
        inputs[:, : config.dim] = (torch.rand(num_words, config.dim) - 0.5) / config.dim
        self.register_buffer("inputs", inputs)
        self.register_buffer("outputs", torch.zeros(num_words - config.tree, width))

    @property
    def vectors(self) -> Float[Tensor, "word dim"]:
        return self.inputs[:, : self.config.dim]
