"""Recurrent encoder–decoder, with and without attention.

Place in the course: Seq2Seq and attention. The encoder reads the source from both ends. Without
attention its two last states are all that the decoder ever sees of it, one vector whatever the
sentence's length (Cho et al. 2014; Sutskever, Vinyals & Le 2014); with attention the decoder looks
back at every word (Bahdanau, Cho & Bengio 2015; Luong, Pham & Manning 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from shinso.nn import GRU, LSTM
from shinso.nn.attention import AdditiveAttention, MultiplicativeAttention
from shinso.nn.dense import Dense
from shinso.nn.dropout import ByteDropout
from shinso.settings import setting

State = tuple[Tensor, ...]
"""h, and for an LSTM c: each (layers, rows, hidden)."""
CELLS = {"gru": GRU, "lstm": LSTM}


@dataclass
class Source:
    """What a decoder sees of a batch of sources. keys: of the memory, for its attention."""

    memory: Float[Tensor, "sentence source memory"]
    mask: Bool[Tensor, "sentence 1 source"] | None
    summary: Float[Tensor, "sentence memory"]
    keys: Tensor | None

    def take(self, sentences: Int[Tensor, " kept"]) -> Source:
        """These sentences alone."""
        parts = (self.memory, self.mask, self.summary, self.keys)
        return Source(*(None if one is None else one.index_select(0, sentences) for one in parts))  # pyright: ignore[reportArgumentType]


@final
class Seq2Seq(nn.Module):
    """With e_t the last word's vector, s_t the decoder's state and c_t the context:

        none:      s_t = f([e_t; c], s_{t−1})                         c the encoder's last states
        bahdanau:  c_t = attention(s_{t−1}),  s_t = f([e_t; c_t], s_{t−1})
        luong:     s_t = f(e_t, s_{t−1}),     c_t = attention(s_t)
        all:       scores = W tanh(V [s_t; c_t; e_t])

    Differs from Luong: c_t is not fed into the next step, so that with the true words given all
    steps are one call of the compiled recurrent layer.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its vocabularies follow from the data."""

        attention: Literal["none", "bahdanau", "luong"] = setting("luong", "how it looks back")
        cell: Literal["gru", "lstm"] = setting("gru", "recurrent cell")
        embedding: int = setting(128, "length of a word's vector, and of the last layer")
        hidden: int = setting(256, "units of a layer and direction")
        encoder_layers: int = setting(1, "layers of the encoder")
        decoder_layers: int = setting(1, "layers of the decoder")
        dropout: float = setting(0.2, "share of units dropped in training")
        tied: bool = setting(True, "the output layer is the target's embedding")

        def __post_init__(self) -> None:
            for name in ("embedding", "hidden", "encoder_layers", "decoder_layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_source: int, num_target: int, shared: bool = False
    ) -> None:
        """num_source, num_target: sizes of the vocabularies; equal where ``shared``."""
        super().__init__()
        if shared and num_source != num_target:
            raise ValueError(f"a shared vocabulary has one size; got {num_source}, {num_target}")
        self.config = config
        width, hidden, memory = config.embedding, config.hidden, 2 * config.hidden
        self.target_embedding = nn.Embedding(num_target, width)
        self.source_embedding = self.target_embedding if shared else nn.Embedding(num_source, width)
        for table in dict.fromkeys((self.source_embedding, self.target_embedding)):
            nn.init.normal_(table.weight, std=width**-0.5)
        recurrent = CELLS[config.cell]
        self.encoder = recurrent(
            width, hidden, config.encoder_layers, batch_first=True, bidirectional=True
        )
        states = 2 if config.cell == "lstm" else 1
        self.start = nn.Linear(memory, states * config.decoder_layers * hidden)
        self.attention = {
            "none": lambda: None,
            "bahdanau": lambda: AdditiveAttention(hidden, memory, hidden),
            "luong": lambda: MultiplicativeAttention(hidden, memory),
        }[config.attention]()
        seen = width if config.attention == "luong" else width + memory
        self.decoder = recurrent(seen, hidden, config.decoder_layers, batch_first=True)
        self.readout = Dense(hidden + memory + width, width)
        self.output = nn.Linear(width, num_target)
        if config.tied:
            self.output.weight = self.target_embedding.weight
        self.dropout = ByteDropout(config.dropout)

    def encode(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Source:
        """What the decoder sees. mask: True at words, None where there is no padding."""
        vectors = self._vectors(self.source_embedding, source)
        if mask is None:
            memory, last = self.encoder(vectors)
        else:
            packed = pack_padded_sequence(
                vectors, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
            )
            states, last = self.encoder(packed)
            memory, _ = pad_packed_sequence(states, batch_first=True, total_length=source.shape[1])
        h = last[0] if isinstance(last, tuple) else last
        summary = torch.cat([h[-2], h[-1]], -1)
        keys = None if self.attention is None else self.attention.keys(memory)
        return Source(memory, None if mask is None else mask.unsqueeze(1), summary, keys)

    def _vectors(self, table: nn.Embedding, words: Tensor) -> Tensor:
        # A tied table is drawn small, for the scores; a recurrent layer learns from vectors of 1.
        return self.dropout(table(words) * math.sqrt(self.config.embedding))

    def start_state(self, summary: Float[Tensor, "sentence memory"]) -> State:
        """The decoder's state before the first word: tanh(W summary)."""
        layers, hidden = self.config.decoder_layers, self.config.hidden
        first = torch.tanh(self.start(summary)).view(summary.shape[0], -1, layers, hidden)
        return tuple(part.contiguous() for part in first.permute(1, 2, 0, 3))

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None,
        target: Int[Tensor, "batch target"],
        own_share: float = 0.0,
    ) -> Float[Tensor, "batch target embedding"]:
        """What ``output`` turns into scores of the word after each of ``target``.

        own_share: at this share of steps and sentences the decoder reads the word that it found
        likeliest itself instead of the true one (scheduled sampling, Bengio et al. 2015).
        """
        seen = self.encode(source, source_mask)
        return self._written(seen, target, own_share)[0]

    def alignment(
        self,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None,
        target: Int[Tensor, "batch target"],
    ) -> Float[Tensor, "batch target source"] | None:
        """Where the decoder looks before each next word; None without attention."""
        return self._written(self.encode(source, source_mask), target, 0.0)[1]

    def _written(
        self, seen: Source, target: Tensor, own_share: float
    ) -> tuple[Tensor, Tensor | None]:
        state = self.start_state(seen.summary)
        if own_share == 0 and self.config.attention != "bahdanau":
            vectors = self._vectors(self.target_embedding, target)
            out, _state, weights = self._steps(seen, vectors, state)
            return out, weights
        outs, looks = [], []
        words = target[:, 0]
        for place in range(target.shape[1]):
            if place:
                words = target[:, place]
            if place and own_share:
                with torch.no_grad():
                    guess = self.output(outs[-1][:, 0]).argmax(-1)
                words = torch.where(
                    torch.rand(len(words), device=words.device) < own_share, guess, words
                )
            vectors = self._vectors(self.target_embedding, words).unsqueeze(1)
            out, state, weights = self._steps(seen, vectors, state)
            outs.append(out)
            if weights is not None:
                looks.append(weights)
        return torch.cat(outs, 1), torch.cat(looks, 1) if looks else None

    def _steps(
        self, seen: Source, vectors: Float[Tensor, "rows steps embedding"], state: State
    ) -> tuple[Tensor, State, Tensor | None]:
        """One step or, where the context does not enter the state, many: the last layer, the state
        and the attention's weights. Rows are sentences, each with all of its beams in turn."""
        rows, steps = vectors.shape[:2]
        sentences = seen.memory.shape[0]
        beams = rows // sentences
        weights = None
        if self.config.attention == "luong":
            states, state = self._recur(vectors, state)
            context, weights = self._look(seen, states.reshape(sentences, beams * steps, -1))
            context = context.reshape(rows, steps, -1)
        else:
            if self.config.attention == "none":
                each = seen.summary.repeat_interleave(beams, 0).unsqueeze(1)
                context = each.expand(rows, steps, -1)
            else:
                last = state[0][-1].view(sentences, beams, -1)
                context, weights = self._look(seen, last)
                context = context.reshape(rows, 1, -1)
            states, state = self._recur(torch.cat([vectors, context], -1), state)
        out = torch.tanh(self.readout(torch.cat([states, context, vectors], -1)))
        return self.dropout(out), state, weights

    def _look(self, seen: Source, queries: Tensor) -> tuple[Tensor, Tensor]:
        assert self.attention is not None
        assert seen.keys is not None
        return self.attention(queries, seen.keys, seen.memory, seen.mask)

    def _recur(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        y, last = self.decoder(x, state if len(state) == 2 else state[0])
        return y, last if isinstance(last, tuple) else (last,)

    def begin(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"] | None,
        beams: int,
        steps: int,
    ) -> Writing:
        """Ready to write ``beams`` translations of each sentence; ``steps`` is no limit here."""
        seen = self.encode(source, mask)
        state = self.start_state(seen.summary)
        return Writing(self, seen, tuple(s.repeat_interleave(beams, 1) for s in state), beams)


class Writing:
    """Translations of a batch on their way: one new word a step for each of them."""

    def __init__(self, model: Seq2Seq, seen: Source, state: State, beams: int) -> None:
        self.model = model
        self.seen = seen
        self.state = state
        self.beams = beams

    def step(
        self, words: Int[Tensor, "sentence beam"]
    ) -> Float[Tensor, "sentence beam vocabulary"]:
        """Scores of the next word, after ``words`` were written."""
        vectors = self.model._vectors(self.model.target_embedding, words.reshape(-1, 1))
        out, self.state, _weights = self.model._steps(self.seen, vectors, self.state)
        return self.model.output(out).view(*words.shape, -1)

    def take(self, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept beam"]) -> None:
        """Go on with these sentences (None: all), and in each with these of its beams."""
        kept = torch.arange(len(beams), device=beams.device) if sentences is None else sentences
        rows = (kept.unsqueeze(1) * self.beams + beams).reshape(-1)
        self.beams = beams.shape[1]
        self.state = tuple(part.index_select(1, rows) for part in self.state)
        if sentences is not None:
            self.seen = self.seen.take(kept)
