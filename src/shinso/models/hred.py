"""HRED and VHRED: the next turn of a dialogue from all turns before it.

I. V. Serban et al. 2016, "Building End-To-End Dialogue Systems Using Generative Hierarchical Neural
Network Models" (arXiv:1507.04808); Serban et al. 2017, "A Hierarchical Latent Variable
Encoder-Decoder Model for Generating Dialogues" (arXiv:1605.06069). Place in the course: day 3.

    u_n = encoder(turn n),   c_n = context(u_n, c_{n−1}),   turn n + 1 ~ decoder(c_n, z)
    z ~ p(z | c_n) = N(μ(c_n), σ²(c_n)),   q(z | c_n, u_{n+1}) in training          (VHRED, eq. 4–6)

``seq2seq`` has the same parameters and begins the context anew at every turn, which it reads twice:
it knows the last turn alone. Differs: GRUs throughout; one-way encoder; the condition is added to every
input word and, as what is talked of decides which words are likely, to every state before the softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from shinso.nn import GRU
from shinso.nn.dense import Dense
from shinso.nn.output_loss import output_loss
from shinso.settings import setting

UNKNOWN_ID = 1


class Gaussian(NamedTuple):
    """A diagonal normal distribution of each turn's latent variable."""

    mean: Float[Tensor, "answer latent"]
    log_variance: Float[Tensor, "answer latent"]

    def draw(self, noise: Tensor) -> Tensor:
        return self.mean + noise * torch.exp(0.5 * self.log_variance)

    def kl_to(self, other: Gaussian) -> Float[Tensor, " answer"]:
        """KL(self ‖ other) in nats, summed over the latent variable."""
        apart = (self.mean - other.mean) ** 2 + self.log_variance.exp()
        ratio = apart * torch.exp(-other.log_variance)
        return 0.5 * (ratio - 1 + other.log_variance - self.log_variance).sum(-1)


class Seen(NamedTuple):
    """What is known of every answer: its words, its context, its own encoding."""

    words: Int[Tensor, "answer word"]
    lengths: Int[Tensor, " answer"]
    context: Float[Tensor, "answer context"]
    encoded: Float[Tensor, "answer hidden"]


@final
class HRED(nn.Module):
    """Turn encoder, context encoder, decoder; with a latent variable for each turn in VHRED."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the vocabulary follows from the data."""

        kind: Literal["hred", "vhred", "seq2seq"] = setting("hred", "which network")
        embedding: int = setting(96, "numbers of a word's vector")
        hidden: int = setting(160, "units of the turn encoder and of the decoder")
        context: int = setting(160, "units of the context encoder")
        latent: int = setting(32, "numbers of the latent variable (vhred only)")
        dropout: float = setting(0.2, "share of units dropped before the softmax in training")
        word_dropout: float = setting(0.0, "share of the decoder's input words hidden in training")

        def __post_init__(self) -> None:
            for name in ("embedding", "hidden", "context", "latent"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            for name in ("dropout", "word_dropout"):
                if not 0 <= getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give a share below 1")

    def __init__(self, config: Config, *, num_words: int, end: int) -> None:
        """end: number of the sign that ends a turn; the decoder begins with it too."""
        super().__init__()
        self.config, self.end = config, end
        self.embed = nn.Embedding(num_words, config.embedding)
        nn.init.normal_(self.embed.weight, std=0.1)
        self.encoder = GRU(config.embedding, config.hidden, batch_first=True)
        self.context = GRU(config.hidden, config.context, batch_first=True)
        self.latent = config.kind == "vhred"
        condition = config.context + (config.latent if self.latent else 0)
        if self.latent:
            self.prior = _gaussian(config.context, config.hidden, config.latent)
            self.posterior = _gaussian(config.context + config.hidden, config.hidden, config.latent)
        self.begin = Dense(condition, config.hidden)
        self.inform = Dense(condition, config.embedding)
        self.to_output = Dense(condition, config.hidden, bias=False)
        self.decoder = GRU(config.embedding, config.hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Dense(config.hidden, num_words)

    @torch.no_grad()
    def begin_as(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the weights of an equal network, or of an HRED for a VHRED: the columns that read
        the latent variable are 0 then, so that it begins as the HRED that it was."""
        own = self.state_dict()
        for name, value in own.items():
            given = weights.get(name)
            if given is None:
                assert name.startswith(("prior.", "posterior.")), name
                continue
            value.zero_()
            value[..., : given.shape[-1]].copy_(given)

    def read(
        self,
        words: Int[Tensor, "turn word"],
        lengths: Int[Tensor, " turn"],
        turns: Int[Tensor, " dialogue"],
    ) -> Seen:
        """Every turn but a dialogue's first as an answer, with the context of those before it.
        turns: how many of the rows belong to each dialogue."""
        encoded = self._encoded(words, lengths)
        starts = torch.cumsum(turns, 0) - turns
        position = torch.arange(len(encoded)) - torch.repeat_interleave(starts, turns)
        answers = (position > 0).nonzero().flatten()
        before = encoded[answers - 1]
        if self.config.kind == "seq2seq":
            contexts = self.context(_twice(before))[0][:, -1]
        else:
            pieces = before.split((turns - 1).tolist())
            packed = nn.utils.rnn.pack_sequence(list(pieces), enforce_sorted=False)
            padded, counts = pad_packed_sequence(self.context(packed)[0], batch_first=True)
            contexts = torch.cat(
                [one[:count] for one, count in zip(padded, counts.tolist(), strict=True)]
            )
        return Seen(words[answers], lengths[answers], contexts, encoded[answers])

    def prior_of(self, context: Float[Tensor, "answer context"]) -> Gaussian:
        return _halved(self.prior(context))

    def posterior_of(self, seen: Seen) -> Gaussian:
        return _halved(self.posterior(torch.cat([seen.context, seen.encoded], dim=-1)))

    def forward(
        self, seen: Seen, z: Float[Tensor, "answer latent"] | None
    ) -> Float[Tensor, " answer"]:
        """−ln p(answer | context, z) of each answer, in nats over its words and its end sign."""
        states, wanted = self._states(seen, z)
        nats = nn.functional.cross_entropy(self.head(states.data), wanted, reduction="none")
        return pad_packed_sequence(states._replace(data=nats), batch_first=True)[0].sum(1)

    def sum_of_nats(
        self, seen: Seen, z: Float[Tensor, "answer latent"] | None
    ) -> Float[Tensor, ""]:
        """The same of all answers together: to learn from, as the scores of no word are kept."""
        states, wanted = self._states(seen, z)
        return output_loss(states.data, self.head.weight, self.head.bias, wanted)[0] * len(wanted)

    def _states(self, seen: Seen, z: Tensor | None) -> tuple[PackedSequence, Tensor]:
        """The decoder's state before each word of the answers, and these words."""
        told = self._condition(seen.context, z)
        given = seen.words.roll(1, dims=1)
        given[:, 0] = self.end
        if self.training and self.config.word_dropout:
            hidden = torch.rand(given.shape, device=given.device) < self.config.word_dropout
            hidden[:, 0] = False
            given = given.masked_fill(hidden, UNKNOWN_ID)
        inputs = self.embed(given) + self.inform(told).unsqueeze(1)
        packed = pack_padded_sequence(inputs, seen.lengths, batch_first=True, enforce_sorted=False)
        states = self.decoder(packed, torch.tanh(self.begin(told)).unsqueeze(0))[0]
        answer = torch.arange(len(told), device=told.device).unsqueeze(1).expand_as(seen.words)
        wanted, rows = (
            pack_padded_sequence(one, seen.lengths, batch_first=True, enforce_sorted=False).data
            for one in (seen.words, answer)
        )
        outputs = states.data + self.to_output(told)[rows]
        return states._replace(data=self.dropout(outputs)), wanted

    def _encoded(
        self, words: Int[Tensor, "turn word"], lengths: Int[Tensor, " turn"]
    ) -> Float[Tensor, "turn hidden"]:
        packed = pack_padded_sequence(
            self.embed(words), lengths, batch_first=True, enforce_sorted=False
        )
        return self.encoder(packed)[1][0]

    def _condition(self, context: Tensor, z: Tensor | None) -> Tensor:
        if self.latent != (z is not None):
            raise ValueError(
                f"z is {'given' if z is not None else 'missing'}; a network with a latent variable "
                "needs it, one without takes none"
            )
        return context if z is None else torch.cat([context, z], dim=-1)

    @torch.no_grad()
    def context_of(self, turns: list[list[int]]) -> Float[Tensor, "1 context"]:
        """Of a dialogue that waits for its next turn."""
        lengths = torch.tensor([len(turn) for turn in turns])
        words = torch.zeros(len(turns), int(lengths.max()), dtype=torch.long)
        for row, turn in enumerate(turns):
            words[row, : len(turn)] = torch.tensor(turn)
        encoded = self._encoded(words, lengths)
        alone = self.config.kind == "seq2seq"
        return self.context(_twice(encoded[-1:]) if alone else encoded.unsqueeze(0))[0][:, -1]

    @torch.no_grad()
    def say(
        self,
        context: Float[Tensor, "answer context"],
        *,
        most_words: int,
        temperature: float,
        generator: torch.Generator,
    ) -> list[list[int]]:
        """A turn for each context, word by word. temperature: 0 takes the likeliest word. The
        latent variable is drawn from the prior whatever the temperature."""
        z = None
        if self.latent:
            prior = self.prior_of(context)
            z = prior.draw(torch.randn(prior.mean.shape, generator=generator).to(context))
        told = self._condition(context, z)
        state, extra = torch.tanh(self.begin(told)).unsqueeze(0), self.inform(told)
        leaning = self.to_output(told)
        word = torch.full((len(context),), self.end, device=context.device)
        said: list[Tensor] = []
        for _step in range(most_words):
            out, state = self.decoder((self.embed(word) + extra).unsqueeze(1), state)
            scores = self.head(out[:, 0] + leaning)
            scores[:, :2] = -torch.inf  # padding and the unknown word are nothing to say
            if temperature > 0:
                chances = (scores / temperature).softmax(-1).cpu()
                word = torch.multinomial(chances, 1, generator=generator)[:, 0].to(context.device)
            else:
                word = scores.argmax(-1)
            said.append(word)
            if bool((torch.stack(said) == self.end).any(0).all()):
                break
        rows = torch.stack(said, dim=1).tolist()
        return [row[: row.index(self.end)] if self.end in row else row for row in rows]


def _twice(encoded: Float[Tensor, "turn hidden"]) -> Float[Tensor, "turn 2 hidden"]:
    """A turn after itself: so all weights of the context encoder have work where no turn was before."""
    return encoded.unsqueeze(1).expand(-1, 2, -1).contiguous()


def _gaussian(inputs: int, hidden: int, latent: int) -> nn.Sequential:
    return nn.Sequential(Dense(inputs, hidden), nn.Tanh(), Dense(hidden, 2 * latent))


def _halved(both: Tensor) -> Gaussian:
    mean, log_variance = both.chunk(2, dim=-1)
    return Gaussian(mean, log_variance.clamp(-10.0, 10.0))
