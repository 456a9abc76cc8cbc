"""BERT: a Transformer encoder that reads both ways (Devlin et al. 2019).

``Bert`` gives a vector for each piece and one for the whole; heads on top of it guess hidden pieces
and following sentences, name a sentence's class, or tag its words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.dense import Dense
from shinso.nn.dropout import ByteDropout
from shinso.nn.mean_of_steps import mean_of_steps
from shinso.nn.output_loss import output_loss
from shinso.nn.portable import wanted
from shinso.nn.transformer_block import TransformerBlock
from shinso.settings import setting

START = 0.02  # deviation of all matrices at the start
EPS = 1e-12


@dataclass(frozen=True, kw_only=True)
class BertSize:
    """How large a network is; the defaults are those of "mini" (Turc et al. 2019)."""

    width: int = setting(256, "numbers in a piece's vector")
    layers: int = setting(4, "Transformer blocks")
    heads: int = setting(4, "attention heads a block")
    inner: int = setting(1024, "units of the small network in a block")
    positions: int = setting(128, "longest text, in pieces")
    dropout: float = setting(0.1, "share of units dropped in training")

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads", "inner"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.positions < 8:
            raise ValueError(f"positions is {self.positions}; give at least 8")
        if self.width % self.heads:
            raise ValueError(f"heads is {self.heads}; give a divisor of the width, {self.width}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give 0 up to below 1")


@final
class Bert(nn.Module):
    """Embeddings of pieces, positions and sentences; blocks; the first vector once more."""

    def __init__(
        self, size: BertSize, *, num_pieces: int, num_types: int = 2, pooled: bool = True
    ) -> None:
        """pooled: whether the whole text's vector is wanted too."""
        super().__init__()
        self.size = size
        self.pieces = nn.Embedding(num_pieces, size.width)
        self.positions = nn.Embedding(size.positions, size.width)
        self.types = nn.Embedding(num_types, size.width)
        self.norm = nn.LayerNorm(size.width, EPS)
        self.dropout = ByteDropout(size.dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                size.width, size.heads, size.inner, norm="post", activation="gelu",
                dropout=size.dropout, attention_dropout=size.dropout, eps=EPS,
            )
            for _ in range(size.layers)
        )  # fmt: skip
        self.pool = nn.Linear(size.width, size.width) if pooled else None
        self.apply(_start)

    def forward(
        self,
        pieces: Int[Tensor, "batch time"],
        types: Int[Tensor, "batch time"],
        there: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch time width"]:
        """types: 0 in the first sentence, 1 in the second. there: False behind a text's end.

        ValueError for a text longer than the positions.
        """
        time = pieces.shape[1]
        if time > self.size.positions:
            raise ValueError(
                f"a text has {time} pieces; {self.size.positions} positions are learnt"
            )
        x = self.pieces(pieces) + self.types(types) + self.positions.weight[:time]
        x = self.dropout(self.norm(x))
        # Whether any piece is missing is a question that an exported graph cannot ask.
        mask = there[:, None, :] if wanted() or not bool(there.all()) else None
        for block in self.blocks:
            x = block(x, mask)
        return x

    def whole(self, states: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch width"]:
        """The text's vector: tanh(W x_[CLS] + b)."""
        if self.pool is None:
            raise ValueError("this network has no vector of the whole; make it with pooled=True")
        return self.pool(states[:, 0]).tanh()


def _start(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=START)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


@final
class BertPretraining(nn.Module):
    """Guesses pieces that were hidden, and whether the second sentence follows the first."""

    @dataclass(frozen=True, kw_only=True)
    class Config(BertSize):
        pass

    def __init__(self, config: Config, *, num_pieces: int, next_sentence: bool) -> None:
        super().__init__()
        self.bert = Bert(config, num_pieces=num_pieces, pooled=next_sentence)
        self.transform = Dense(config.width, config.width)
        self.transform_norm = nn.LayerNorm(config.width, EPS)
        self.bias = nn.Parameter(torch.zeros(num_pieces))
        self.follows = nn.Linear(config.width, 2) if next_sentence else None
        self.transform.apply(_start)
        if self.follows is not None:
            self.follows.apply(_start)

    def forward(
        self,
        pieces: Int[Tensor, "batch time"],
        types: Int[Tensor, "batch time"],
        there: Bool[Tensor, "batch time"],
    ) -> tuple[Tensor, ...]:
        """Scores of every piece at every place (batch, time, piece) and, where it is asked, whether
        the second sentence follows (batch, 2). Training and evaluation ask for hidden places alone,
        which is cheaper."""
        states = self.bert(pieces, types, there)
        scores = self.scores(states)
        return (
            (scores,) if self.follows is None else (scores, self.follows(self.bert.whole(states)))
        )

    def hidden_loss(
        self, states: Float[Tensor, "hidden width"], labels: Int[Tensor, " hidden"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Cross entropy of the hidden pieces in nats, to learn from and to report. Its matrix is
        that of the embeddings."""
        return output_loss(self._guess(states), self.bert.pieces.weight, self.bias, labels)

    def scores(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch piece"]:
        return F.linear(self._guess(states), self.bert.pieces.weight, self.bias)

    def _guess(self, states: Tensor) -> Tensor:
        return self.transform_norm(F.gelu(self.transform(states)))


@final
class BertClassifier(nn.Module):
    """Names the class of a sentence or of a pair of sentences.

    pooling: the first piece's vector, as in the paper, has learnt to stand for the text where
    pre-training asked for the next sentence; the mean needs no such lesson (Reimers & Gurevych 2019).
    """

    @dataclass(frozen=True, kw_only=True)
    class Config(BertSize):
        pooling: Literal["first", "mean"] = setting(
            "first", "what stands for the text: its first piece's vector, or the mean of all"
        )

    def __init__(self, config: Config, *, num_pieces: int, num_classes: int) -> None:
        super().__init__()
        self.bert = Bert(config, num_pieces=num_pieces, pooled=config.pooling == "first")
        self.dropout = ByteDropout(config.dropout)
        self.head = nn.Linear(config.width, num_classes)
        self.head.apply(_start)

    def forward(
        self,
        pieces: Int[Tensor, "batch time"],
        types: Int[Tensor, "batch time"],
        there: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch class"]:
        """Scores of the classes."""
        states = self.bert(pieces, types, there)
        whole = mean_of_steps(states, there) if self.bert.pool is None else self.bert.whole(states)
        return self.head(self.dropout(whole))


@final
class BertTagger(nn.Module):
    """Tags each word by the vector of its first piece."""

    @dataclass(frozen=True, kw_only=True)
    class Config(BertSize):
        pass

    def __init__(self, config: Config, *, num_pieces: int, num_tags: int) -> None:
        super().__init__()
        self.bert = Bert(config, num_pieces=num_pieces, pooled=False)
        self.dropout = ByteDropout(config.dropout)
        self.head = nn.Linear(config.width, num_tags)
        self.head.apply(_start)

    def forward(
        self,
        pieces: Int[Tensor, "batch time"],
        types: Int[Tensor, "batch time"],
        there: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch time tag"]:
        """Scores of the tags at every piece."""
        return self.head(self.dropout(self.bert(pieces, types, there)))
