"""A dense network on pixels: the plainest classifier of images there is.

Place in the course: distillation. Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a
Neural Network", section 3: two layers of 1,200 rectified units with dropout and bounded weights
teach two layers of 800 without. https://arxiv.org/abs/1503.02531
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.models.image_parts import scaled
from shinso.nn.dense import Dense
from shinso.settings import setting


@final
class DenseClassifier(nn.Module):
    """Pixels in a row, then layers of rectified units, then one linear layer."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; the sizes of its ends follow from the data."""

        hidden: int = setting(800, "units a layer")
        layers: int = setting(2, "hidden layers")
        width: float = setting(1.0, "factor on the units of each layer")
        dropout: float = setting(0.0, "share of hidden units dropped in training")
        input_dropout: float = setting(0.0, "share of pixels dropped in training")
        max_norm: float = setting(0.0, "largest length of a unit's incoming weights; 0: no bound")

        def __post_init__(self) -> None:
            for name in ("hidden", "layers"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            for name in ("dropout", "input_dropout"):
                if not 0 <= getattr(self, name) < 1:
                    raise ValueError(
                        f"{name} is {getattr(self, name)}; give a share from 0 to below 1"
                    )
            if not 0 < self.width <= 8:
                raise ValueError(f"width is {self.width}; give a factor above 0, up to 8")
            if self.max_norm < 0:
                raise ValueError(f"max_norm is {self.max_norm}; give 0 or more")

    def __init__(
        self, config: Config, *, num_channels: int, num_classes: int, image_px: int
    ) -> None:
        """image_px: height and width of the images, which are square here."""
        super().__init__()
        self.config = config
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.image_px = image_px
        widths = [
            num_channels * image_px**2,
            *[scaled(config.hidden, config.width)] * config.layers,
        ]
        self.layers = nn.ModuleList(Dense(before, after) for before, after in pairwise(widths))
        self.head = nn.Linear(widths[-1], num_classes)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch class"]:
        """Class scores before softmax. ValueError for images that are not square, as it was made."""
        if images.shape[-2:] != (self.image_px, self.image_px):
            raise ValueError(
                f"images are {tuple(images.shape[-2:])} pixels, this network reads squares of "
                f"{self.image_px}; give --image-px"
            )
        if self.training and self.config.max_norm:
            self._bound()
        x = self.input_dropout(images.flatten(1))
        for layer in self.layers:
            x = self.dropout(torch.relu(layer(x)))
        return self.head(x)

    @torch.no_grad()
    def _bound(self) -> None:
        """Shorten each hidden unit's incoming weights to ``max_norm`` (Srivastava et al. 2014,
        section 5.1). Differs: before the step's forward pass instead of after its update."""
        for layer in self.layers:
            weight = layer.weight
            norm = weight.norm(dim=1, keepdim=True)  # pyright: ignore[reportCallIssue, reportArgumentType]
            weight.mul_((self.config.max_norm / norm).clamp(max=1.0))  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
