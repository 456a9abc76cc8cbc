"""What joins convolutions without weights of its own: additions, shortcuts, means of positions.

They are layers, so that whoever reads a network's layers in order finds them, and so that what they
read can be rounded: between two integer convolutions they then stay integer too.
"""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


@final
class Addition(nn.Module):
    """x + y."""

    def forward(self, x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> Tensor:
        return x + y


@final
class PaddedShortcut(nn.Module):
    """Pixels a stride apart, and zeros for the channels that are new: option A of a residual
    network's shortcuts (He et al. 2016, section 3.3)."""

    def __init__(self, new_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = new_channels, stride

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch new_channel new_height new_width"]:
        kept = x[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, 0, self.new_channels))


@final
class PositionMean(nn.Module):
    """Each channel's mean over all positions (global average pooling)."""

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel"]:
        return x.mean((2, 3))
