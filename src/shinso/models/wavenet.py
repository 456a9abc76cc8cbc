"""WaveNet: every sample of a sound from all that came before it.

A. van den Oord et al. 2016, "WaveNet: A Generative Model for Raw Audio" (arXiv:1609.03499).
Place in the course: day 4, WaveNet.

    p(x) = Π_t p(x_t | x_1 … x_{t−1})                                                  (eq. 1)

Differs: inputs are looked up in a table (8-bit classes) or scaled by a line (16-bit values)
instead of passing a first convolution; see ``nn.dilated`` for the layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.nn.functional import embedding, pad, relu

from shinso.nn.dilated import GatedDilatedStack, dilations_of
from shinso.settings import setting

CLASSES = 256
SILENCE = 128
"""The µ-law class of 0."""


@final
class WaveNet(nn.Module):
    """Class scores (µ-law) or a mixture of logistics for each sample, given the ones before."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; how many labels there are follows from the data."""

        output: Literal["mulaw", "logistics"] = setting("mulaw", "what a sample is drawn from")
        layers: int = setting(20, "dilated layers")
        largest_dilation: int = setting(512, "dilations double up to this, then begin anew at 1")
        width: int = setting(32, "residual channels")
        skips: int = setting(64, "skip channels")
        components: int = setting(10, "logistic distributions in the mixture (logistics only)")

        def __post_init__(self) -> None:
            for name in ("layers", "largest_dilation", "components"):
                if getattr(self, name) < 1:
                    raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
            if self.largest_dilation & (self.largest_dilation - 1):
                raise ValueError(
                    f"largest_dilation is {self.largest_dilation}; give a power of two"
                )
            for name in ("width", "skips"):
                if getattr(self, name) < 4 or getattr(self, name) % 4:
                    raise ValueError(f"{name} is {getattr(self, name)}; give a multiple of 4")

    def __init__(self, config: Config, *, num_labels: int = 0, num_classes: int = CLASSES) -> None:
        """num_labels: 0 for a network without global conditioning. num_classes: of µ-law."""
        super().__init__()
        self.config = config
        dilations = dilations_of(config.layers, config.largest_dilation)
        self.stack = GatedDilatedStack(config.width, config.skips, dilations)
        gates = 2 * config.width
        self.condition = nn.Embedding(num_labels, config.layers * gates) if num_labels else None
        if self.condition is not None:
            nn.init.normal_(self.condition.weight, std=0.1)
        self.mixture = config.output == "logistics"
        outputs = 3 * config.components if self.mixture else num_classes
        self.num_classes = num_classes
        rows = torch.randn(2, config.width) if self.mixture else _waves(num_classes, config.width)
        self.embed = nn.Parameter(rows)
        self.skip_bias = nn.Parameter(torch.zeros(config.skips))
        self.hidden = nn.Linear(config.skips, config.skips)
        self.head = nn.Linear(config.skips, outputs)
        if self.mixture:
            _spread_out(self.head, config.components)

    @property
    def receptive_field(self) -> int:
        """How many earlier samples the distribution of one can depend on."""
        return self.stack.receptive_field

    @property
    def start(self) -> float:
        """What is read before the first sample: silence."""
        return 0.0 if self.mixture else float(self.num_classes // 2)

    def forward(
        self, samples: Shaped[Tensor, "batch time"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time output"]:
        """At each sample, what is known of it from those before: class scores before softmax, or
        components' scores, means and log scales. samples: classes, or values from −1 to 1.

        Raises ValueError where the network has labels and none are given, or the other way round.
        """
        before = pad(samples[:, :-1], (1, 0), value=self.start)
        return self.scores(before, labels)

    def scores(
        self, before: Shaped[Tensor, "batch time"], labels: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch time output"]:
        """What follows each of the samples ``before``."""
        skips = self.stack(self._embedded(before), self._conditioned(labels))
        return self.head(relu(self.hidden(relu(skips + self.skip_bias))))

    def _embedded(self, samples: Tensor) -> Float[Tensor, "batch time width"]:
        if self.mixture:
            slope, offset = self.embed
            return samples.unsqueeze(-1) * slope + offset
        return embedding(samples.long(), self.embed)

    def _conditioned(self, labels: Tensor | None) -> Float[Tensor, "layer batch gate"] | None:
        if (labels is None) != (self.condition is None):
            raise ValueError(
                f"labels is {'missing' if labels is None else 'given'}; a network with global "
                "conditioning needs them, one without takes none"
            )
        if labels is None or self.condition is None:
            return None
        return self.condition(labels).view(labels.shape[0], self.config.layers, -1).transpose(0, 1)


def _waves(num_classes: int, width: int) -> Float[Tensor, "class width"]:
    """Cosines over the loudness scale, from slow to fast: neighbouring classes begin alike, whose
    likeness a table of random rows would first have to learn."""
    speeds = torch.logspace(0, math.log10(max(num_classes / 8, 2)), width)
    phases = 2 * math.pi * torch.rand(width)
    scale = torch.linspace(-1, 1, num_classes)
    return math.sqrt(2) * torch.cos(scale[:, None] * speeds + phases)


def _spread_out(head: nn.Linear, components: int) -> None:
    """Begin with logistics side by side over the range, each as wide as its share."""
    with torch.no_grad():
        head.weight *= 0.1
        head.bias[:components] = 0.0
        head.bias[components : 2 * components] = torch.linspace(-0.3, 0.3, components)
        head.bias[2 * components :] = -3.0
