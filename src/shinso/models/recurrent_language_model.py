"""A recurrent network that says which token comes next.

Mikolov et al. 2010 (RNN); Zaremba et al. 2014 (LSTM, dropout between layers); Gal & Ghahramani 2016
(one dropout mask for all steps); Press & Wolf 2017 and Inan et al. 2017 (tied embeddings); Merity et
al. 2018 (dropped recurrent weights, "AWD").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn import GRU, LSTM, RNN
from shinso.nn.output_loss import output_loss
from shinso.settings import setting

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}
State = list[tuple[Tensor, ...]]
"""For each layer h, and c of an LSTM; each (1, batch, size)."""


@final
class RecurrentLanguageModel(nn.Module):
    """Embedding, recurrent layers, scores of the next token."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        cell: Literal["rnn", "lstm", "gru"] = setting("lstm", "recurrent cell")
        hidden: int = setting(200, "units a layer")
        layers: int = setting(2, "recurrent layers")
        embed: int = setting(0, "numbers in a token's embedding; 0: as many as hidden units")
        tied: bool = setting(True, "the embedding is also the matrix of the output's scores")
        dropout: float = setting(0.2, "share of units dropped before, between and after layers")
        dropout_token: float = setting(0.0, "share of tokens whose embedding is dropped")
        dropout_weight: float = setting(0.0, "share of recurrent weights dropped (AWD)")
        variational: bool = setting(True, "one dropout mask for all steps of a window")
        start: float = setting(0.1, "embeddings start uniform in plus or minus this")

        def __post_init__(self) -> None:
            for name in ("hidden", "layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if self.embed < 0:
                raise ValueError(f"embed is {self.embed}; give 0 or more")
            for name in ("dropout", "dropout_token", "dropout_weight"):
                if not 0 <= getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give 0 up to below 1")
            if self.start <= 0:
                raise ValueError(f"start is {self.start}; give more than 0")

    def __init__(self, config: Config, *, num_tokens: int) -> None:
        super().__init__()
        self.config = config
        embed = config.embed or config.hidden
        # A tied network ends in as many units as an embedding has numbers.
        sizes = [embed, *[config.hidden] * (config.layers - 1)]
        sizes.append(embed if config.tied else config.hidden)
        self.embedding = nn.Embedding(num_tokens, embed)
        self.layers = nn.ModuleList(
            CELLS[config.cell](sizes[n], sizes[n + 1], batch_first=True)
            for n in range(config.layers)
        )
        self.head = nn.Linear(sizes[-1], num_tokens)
        nn.init.uniform_(self.embedding.weight, -config.start, config.start)
        nn.init.uniform_(self.head.weight, -config.start, config.start)
        nn.init.zeros_(self.head.bias)
        if config.tied:
            self.head.weight = self.embedding.weight

    def forward(
        self, tokens: Int[Tensor, "batch time"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """States of the last layer, and the state from which the text goes on."""
        x = self._embed(tokens)
        new: State = []
        for number, layer in enumerate(self.layers):
            x = self._drop(x)
            start = None if state is None else state[number]
            x, end = self._run(layer, x, start)
            new.append(tuple(end) if isinstance(end, tuple) else (end,))
        return self._drop(x), new

    def loss(
        self, h: Float[Tensor, "batch time hidden"], targets: Int[Tensor, "batch time"]
    ) -> Float[Tensor, ""]:
        """Nats a token."""
        return output_loss(h.flatten(0, 1), self.head.weight, self.head.bias, targets.flatten())[0]

    def scores(self, h: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch token"]:
        return self.head(h)

    def continuation(self) -> Callable[[Tensor], Tensor]:
        """A text to be read and written bit by bit: each call reads what is new, (batch, time), and
        gives the state at its last token, (batch, hidden)."""
        state: State | None = None

        @torch.no_grad()
        def read(tokens: Tensor) -> Tensor:
            nonlocal state
            h, state = self(tokens, state)
            return h[:, -1]

        return read

    def _embed(self, tokens: Tensor) -> Tensor:
        share = self.config.dropout_token
        if not (self.training and share):
            return self.embedding(tokens)
        # Whole rows of the table, so that a token is dropped wherever it stands in the batch.
        kept = torch.rand(len(self.embedding.weight), 1, device=tokens.device) >= share
        return F.embedding(tokens, self.embedding.weight * (kept / (1 - share)))

    def _drop(self, x: Tensor) -> Tensor:
        share = self.config.dropout
        if not (self.training and share):
            return x
        if not self.config.variational:
            return F.dropout(x, share)
        mask = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= share
        return x * (mask / (1 - share))

    def _run(self, layer: Any, x: Tensor, start: tuple[Tensor, ...] | None) -> Any:
        given = start if start is None or self.config.cell == "lstm" else start[0]
        share = self.config.dropout_weight
        if not (self.training and share):
            return layer(x, given)
        own = layer.weight_hh_l0
        dropped = {"weight_hh_l0": F.dropout(own, share)}
        return torch.func.functional_call(layer, dropped, (x, given))
