"""A recurrent network that forecasts the change of each channel from its last value.

Place in the course: recurrent networks, LSTM, GRU. The classic network reads a step at a time;
``segment`` > 1 reads so many rows at once and answers all segments of the future in parallel
(SegRNN, Lin et al. 2023). Differs from SegRNN: the last layer begins at zero, so that an untrained
network is persistence; the embedding is the same for all channels, with a vector for each
channel added where the decoder is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from shinso.nn import GRU, LSTM, RNN
from shinso.settings import setting

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


@final
class RecurrentForecaster(nn.Module):
    """Every channel is read by the same network (channel independence, Nie et al. 2023).

    past − last value → segments → linear, ReLU → recurrent layers → for each future segment one
    more step, asked with the segment's and the channel's vector → linear → + last value.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; look-back, horizon and channels come from task and data."""

        cell: Literal["rnn", "lstm", "gru"] = setting("gru", "recurrent cell")
        segment: int = setting(0, "rows read at once; 1: a step at a time; 0: chosen by look-back")
        hidden: int = setting(64, "units a layer")
        layers: int = setting(1, "recurrent layers")
        dropout: float = setting(0.2, "share of units dropped before the last layer in training")

        def __post_init__(self) -> None:
            for name, least in (("segment", 0), ("hidden", 2), ("layers", 1)):
                if getattr(self, name) < least:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least {least}")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self,
        config: Config,
        *,
        lookback: int,
        horizon: int,
        num_channels: int,
        num_targets: int,
        num_quantiles: int = 0,
    ) -> None:
        """num_quantiles: 0 for a point forecast. The targets are the first channels."""
        super().__init__()
        self.config = config
        self.horizon, self.num_targets, self.num_quantiles = horizon, num_targets, num_quantiles
        self.segment = config.segment or _segment_of(lookback)
        self.num_answers = -(-horizon // self.segment)
        width = config.hidden
        self.embed = nn.Linear(self.segment, width)
        self.recurrent = CELLS[config.cell](width, width, config.layers)
        self.place = nn.Parameter(torch.randn(self.num_answers, width - width // 2) * 0.3)
        self.channel = nn.Parameter(torch.randn(num_targets, width // 2) * 0.3)
        # Other channels reach a target through one vector a segment, which begins at zero.
        self.others = nn.Linear(num_channels, width, bias=False) if num_channels > 1 else None
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, self.segment * max(num_quantiles, 1))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        if self.others is not None:
            nn.init.zeros_(self.others.weight)

    def forward(
        self, past: Float[Tensor, "batch lookback channel"]
    ) -> Float[Tensor, "batch horizon target *quantile"]:
        """Forecast in the units of ``past``. Quantiles never cross: each is the one below it plus
        something that is not negative, counted from the middle one."""
        batch, targets = past.shape[0], self.num_targets
        change = past - past[:, -1:]
        pieces = self._pieces(change[..., :targets])  # piece batch target segment
        seen = relu(self._embedded(pieces, change))
        _, state = self.recurrent(seen.flatten(1, 2))
        answered = self._answers(state, batch)  # answer batch target width
        out = self.head(self.dropout(answered))
        out = out.unflatten(-1, (self.segment, -1))  # answer batch target segment quantile
        out = out.permute(1, 0, 3, 2, 4).flatten(1, 2)[:, : self.horizon]
        last = past[:, -1:, :targets]
        if not self.num_quantiles:
            return out.squeeze(-1) + last
        return _uncrossed(out) + last.unsqueeze(-1)

    def _pieces(self, change: Tensor) -> Tensor:
        """Cut into segments from the end; the first one is filled up with its first row."""
        rows = change.shape[1]
        missing = -rows % self.segment
        if missing:
            first = change[:, :1].expand(-1, missing, -1)
            change = torch.cat([first, change], dim=1)
        cut = change.unflatten(1, (-1, self.segment))  # batch piece segment target
        return cut.permute(1, 0, 3, 2)

    def _embedded(self, pieces: Tensor, change: Tensor) -> Tensor:
        embedded = self.embed(pieces)
        if self.others is None:
            return embedded
        every = pad(change.transpose(1, 2), (-change.shape[1] % self.segment, 0))
        means = every.unflatten(2, (-1, self.segment)).mean(-1)  # batch channel piece
        return embedded + self.others(means.permute(2, 0, 1)).unsqueeze(2)

    def _answers(self, state: Tensor | tuple[Tensor, Tensor], batch: int) -> Tensor:
        """One further step of the recurrent layers for each future segment, all at once."""
        answers, targets = self.num_answers, self.num_targets
        place = self.place[:, None, None].expand(-1, batch, targets, -1)
        channel = self.channel[None, None].expand(answers, batch, -1, -1)
        asked = torch.cat([place, channel], dim=-1).reshape(1, answers * batch * targets, -1)

        def for_each_answer(one: Tensor) -> Tensor:
            return one.repeat(1, answers, 1)

        if isinstance(state, tuple):
            hidden, cell = state
            outputs, _ = self.recurrent(asked, (for_each_answer(hidden), for_each_answer(cell)))
        else:
            outputs, _ = self.recurrent(asked, for_each_answer(state))
        return outputs.view(answers, batch, targets, -1)


def _segment_of(lookback: int) -> int:
    """About 14 recurrent steps whatever the look-back: 24 rows at 336, 1 below 28."""
    return max(1, min(24, lookback // 14))


def _uncrossed(out: Float[Tensor, "*any quantile"]) -> Float[Tensor, "*any quantile"]:
    middle = out.shape[-1] // 2
    steps = torch.nn.functional.softplus(out) * 0.1
    above = out[..., middle : middle + 1] + steps[..., middle + 1 :].cumsum(-1)
    below = out[..., middle : middle + 1] - steps[..., :middle].flip(-1).cumsum(-1).flip(-1)
    return torch.cat([below, out[..., middle : middle + 1], above], dim=-1)
