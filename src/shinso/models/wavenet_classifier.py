"""A WaveNet's stack as a classifier of series: its skips, averaged over time, give the class.

Place in the course: day 4, WaveNet. After the paper's section 3.4 (speech recognition), whose stack
is followed by pooling and a classifier. Differs: one pooling over the whole series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import relu

from shinso.nn.dilated import GatedDilatedStack, dilations_of
from shinso.nn.mean_of_steps import mean_of_steps
from shinso.settings import setting


@final
class WaveNetClassifier(nn.Module):
    """Linear → dilated layers → ReLU → mean over the real steps → linear.

    Layers look back only, so that what stands behind a series' length is never read.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        layers: int = setting(6, "dilated layers; two taps each")
        largest_dilation: int = setting(512, "dilations double up to this, then begin anew at 1")
        width: int = setting(32, "residual channels")
        skips: int = setting(64, "skip channels")
        dropout: float = setting(0.1, "share of pooled units dropped in training")

        def __post_init__(self) -> None:
            for name in ("layers", "largest_dilation", "width", "skips"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if self.largest_dilation & (self.largest_dilation - 1):
                raise ValueError(
                    f"largest_dilation is {self.largest_dilation}; give a power of two"
                )
            if not 0 <= self.dropout < 1:
                raise ValueError(f"dropout is {self.dropout}; give a share from 0 to below 1")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, longest: int = 0
    ) -> None:
        """longest: steps of the longest series, beyond which no layer need look back; 0: unknown."""
        super().__init__()
        self.config = config
        dilations = dilations_of(config.layers, config.largest_dilation)
        if longest:
            dilations = tuple(one for one in dilations if one < longest) or (1,)
        self.embed = nn.Linear(num_channels, config.width)
        self.stack = GatedDilatedStack(config.width, config.skips, dilations)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.skips, num_classes)

    def forward(
        self, values: Float[Tensor, "batch time channel"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax."""
        skips = relu(self.stack(self.embed(values)))
        lengths = lengths.to(values.device)
        real = torch.arange(values.shape[1], device=values.device) < lengths.unsqueeze(1)
        return self.head(self.dropout(mean_of_steps(skips, real)))
