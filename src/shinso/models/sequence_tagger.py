"""A recurrent network that gives each token of a sentence a tag.

Place in the course: bidirectional networks, which belong where a label depends on what comes later
(Schuster & Paliwal 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from shinso.models.sequence_classifier import CELLS
from shinso.settings import setting


@final
class SequenceTagger(nn.Module):
    """Word vectors, recurrent layers over them, one linear layer at each step."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        cell: Literal["rnn", "lstm", "gru"] = setting("lstm", "recurrent cell")
        bidirectional: bool = setting(True, "read from both ends")
        embedding: int = setting(64, "length of a word's vector")
        hidden: int = setting(64, "units a layer and direction")
        layers: int = setting(1, "recurrent layers")
        dropout: float = setting(0.3, "share of vectors' and states' units dropped in training")

        def __post_init__(self) -> None:
            for name in ("embedding", "hidden", "layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(self, config: Config, *, num_words: int, num_tags: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(num_words, config.embedding)
        self.dropout = nn.Dropout(config.dropout)
        self.recurrent = CELLS[config.cell](
            config.embedding,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=config.bidirectional,
        )
        width = config.hidden * (2 if config.bidirectional else 1)
        self.head = nn.Linear(width, num_tags)

    def forward(
        self, tokens: Int[Tensor, "batch time"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch time tag"]:
        """Tag scores before softmax; behind a sentence's length they mean nothing."""
        vectors = self.dropout(self.embedding(tokens))
        packed = pack_padded_sequence(
            vectors, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.recurrent(packed)[0], batch_first=True, total_length=tokens.shape[1]
        )
        return self.head(self.dropout(states))
