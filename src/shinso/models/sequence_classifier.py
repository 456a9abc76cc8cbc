"""A recurrent network that reads a whole series and answers with one class.

Place in the course: recurrent and bidirectional networks used for sequence classification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from shinso.nn import GRU, LSTM, RNN
from shinso.nn.mean_of_steps import mean_of_steps
from shinso.settings import setting

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


@final
class SequenceClassifier(nn.Module):
    """Recurrent layers over a padded series, pooled over its real steps, then one linear layer.

    ``last`` takes the final state of each direction: of the backward one that is the state at the
    first step, after it has read everything.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        cell: Literal["rnn", "lstm", "gru"] = setting("gru", "recurrent cell")
        bidirectional: bool = setting(False, "read from both ends")
        hidden: int = setting(64, "units a layer and direction")
        layers: int = setting(1, "recurrent layers")
        dropout: float = setting(0.1, "share of pooled units dropped in training")
        pool: Literal["last", "mean", "max"] = setting("last", "how steps become one vector")

        def __post_init__(self) -> None:
            for name in ("hidden", "layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(self, config: Config, *, num_channels: int, num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.recurrent = CELLS[config.cell](
            num_channels,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=config.bidirectional,
        )
        self.dropout = nn.Dropout(config.dropout)
        width = config.hidden * (2 if config.bidirectional else 1)
        self.head = nn.Linear(width, num_classes)

    def forward(
        self, values: Float[Tensor, "batch time channel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax. What stands behind a series' length is never read."""
        packed = pack_padded_sequence(values, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(packed)
        if self.config.pool == "last":
            final_state = state[0] if isinstance(state, tuple) else state
            directions = 2 if self.config.bidirectional else 1
            pooled = torch.cat(list(final_state[-directions:]), dim=-1)
        else:
            states, _ = pad_packed_sequence(outputs, batch_first=True)
            real = torch.arange(states.shape[1], device=states.device) < lengths.to(
                states.device
            ).unsqueeze(1)
            if self.config.pool == "mean":
                pooled = mean_of_steps(states, real)
            else:
                pooled = states.masked_fill(~real.unsqueeze(-1), -torch.inf).amax(1)
        return self.head(self.dropout(pooled))
