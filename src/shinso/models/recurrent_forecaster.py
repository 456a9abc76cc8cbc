"""A recurrent network that forecasts the change of each channel from its last value.

Place in the course: recurrent networks, LSTM, GRU. The classic network reads a step at a time;
``segment`` > 1 reads so many rows at once and answers all segments of the future in parallel
(SegRNN, Lin et al. 2023). Differs from SegRNN: all that writes the forecast begins at zero, so that
an untrained network is persistence; a linear highway runs beside it (LSTNet, Lai et al. 2018,
eq. 8); covariates and quantiles.
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
    """Every target is read by the same network (channel independence, Nie et al. 2023).

    past − last value → segments → linear, ReLU → recurrent layers → for each future segment one
    more step, asked with the segment's and the target's vector → linear → + highway + last value.

    At the first step of training only the output layer, the highway and the spread have a
    gradient other than zero; what lies behind the output layer follows from the second on.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; look-back, horizon and channels come from task and data."""

        cell: Literal["rnn", "lstm", "gru"] = setting("gru", "recurrent cell")
        segment: int = setting(0, "rows read at once; 1: a step at a time; 0: chosen by look-back")
        hidden: int = setting(64, "units a layer")
        layers: int = setting(1, "recurrent layers")
        highway: bool = setting(True, "add a linear forecast from the past to the recurrent one")
        mix: bool = setting(False, "let each target see the others too; covariates it always sees")
        dropout: float = setting(0.0, "share of units dropped before the last layer in training")

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
        """num_quantiles: 0 for a point forecast. The targets are the first channels, the others
        are covariates."""
        super().__init__()
        self.config = config
        self.horizon, self.num_targets, self.num_quantiles = horizon, num_targets, num_quantiles
        # Of a segment longer than the past or the horizon, some rows could never learn.
        self.segment = min(config.segment or _segment_of(lookback), lookback)
        self.answer_rows = min(self.segment, horizon)
        self.num_answers = -(-horizon // self.answer_rows)
        width, values = config.hidden, max(num_quantiles, 1)
        self.embed = nn.Linear(self.segment, width)
        self.recurrent = CELLS[config.cell](width, width, config.layers)
        self.place = nn.Parameter(torch.randn(self.num_answers, width - width // 2) * 0.3)
        self.channel = nn.Parameter(torch.randn(num_targets, width // 2) * 0.3)
        # Other channels reach a target through one vector a segment, which begins at zero.
        self.first_other = 0 if config.mix and num_targets > 1 else num_targets
        num_others = num_channels - self.first_other
        self.others = nn.Linear(num_others, width, bias=False) if num_others else None
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, self.answer_rows * values)
        # The last row of the differences is always zero: a weight on it could never learn.
        highway = config.highway and lookback > 1
        self.highway = nn.Linear(lookback - 1, horizon * values, bias=False) if highway else None
        spread = torch.zeros(horizon, num_targets, values)
        self.spread = nn.Parameter(spread) if num_quantiles else None
        nn.init.zeros_(self.head.bias)
        for zero in (self.others, self.head, self.highway):
            if zero is not None:
                nn.init.zeros_(zero.weight)

    def start_spread(self, spread: Float[Tensor, "horizon target quantile"]) -> None:
        """Begin with quantiles so far from the last value (see ``change_quantiles``), so that an
        untrained model says of its uncertainty what persistence says.

        Raises ValueError where the model forecasts no quantiles.
        """
        if self.spread is None:
            raise ValueError("num_quantiles is 0; a model without quantiles has no spread")
        with torch.no_grad():
            self.spread.copy_(spread)

    def forward(
        self, past: Float[Tensor, "batch lookback channel"]
    ) -> Float[Tensor, "batch horizon target *quantile"]:
        """Forecast in the units of ``past``. Quantiles never cross: they are sorted, which makes
        none of them a worse forecast (Chernozhukov, Fernández-Val & Galichon 2010)."""
        batch, targets = past.shape[0], self.num_targets
        change = past - past[:, -1:]
        pieces = self._pieces(change[..., :targets])  # piece batch target segment
        seen = relu(self._embedded(pieces, change))
        _, state = self.recurrent(seen.flatten(1, 2))
        answered = self._answers(state, batch)  # answer batch target width
        out = self.head(self.dropout(answered))
        out = out.unflatten(-1, (self.answer_rows, -1))  # answer batch target row quantile
        out = out.permute(1, 0, 3, 2, 4).flatten(1, 2)[:, : self.horizon]
        if self.highway is not None:
            straight = self.highway(change[:, :-1, :targets].transpose(1, 2))
            out = out + straight.unflatten(-1, (self.horizon, -1)).transpose(1, 2)
        future = past[:, -1:, :targets, None] + out
        if self.spread is None:
            return future.squeeze(-1)
        return (future + self.spread).sort(dim=-1).values

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
        others = change[..., self.first_other :].transpose(1, 2)
        every = pad(others, (-others.shape[2] % self.segment, 0))
        means = every.unflatten(2, (-1, self.segment)).mean(-1)  # batch channel piece
        return embedded + self.others(means.permute(2, 0, 1)).unsqueeze(2)

    def _answers(self, state: Tensor | tuple[Tensor, Tensor], batch: int | torch.SymInt) -> Tensor:
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
