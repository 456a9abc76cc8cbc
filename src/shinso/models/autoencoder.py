"""Autoencoder and variational autoencoder: a narrow code from which the input is said again.

D. P. Kingma and M. Welling 2014, "Auto-Encoding Variational Bayes" (arXiv:1312.6114); Y. Burda et al.
2016, "Importance Weighted Autoencoders" (arXiv:1509.00519), whose dense network this is. Place in the
course: day 3, seq2seq (autoencoder and VAE).

    q(z|x) = N(μ(x), diag σ²(x)),    p(z) = N(0, I),    p(x|z) = decoder's likelihood of x

Pixels that are 0 or 1 have a Bernoulli likelihood, all else a Gaussian one whose variance, one for
each value, is learned.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from shinso.nn.dense import Dense
from shinso.settings import setting

Kind = Literal["autoencoder", "vae", "iwae"]
SMALLEST_LOG_VARIANCE = -12.0


class _Latent(nn.Module, ABC):
    """What dense and convolutional networks share: the code's distribution and the likelihood.

    binary: whether values are 0 or 1. shape: of one sample, without the batch.
    """

    def __init__(self, kind: Kind, shape: tuple[int, ...], *, binary: bool) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.shape, self.binary = shape, binary
        noise = torch.zeros(shape)
        self.noise = None if binary else nn.Parameter(noise)

    @property
    def variational(self) -> bool:
        return self.kind != "autoencoder"

    def forward(self, x: Float[Tensor, "batch *shape"]) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and log variance of the code (batch, latent), and the mean of what is said of the mean
        code (batch, value)."""
        mean, log_variance = self.encode(x)
        return mean, log_variance, self.mean_of(self.decode(mean))

    @abstractmethod
    def encode(
        self, x: Float[Tensor, "batch *shape"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log variance of the code; of an autoencoder, whose code is a point, the log
        variance is −∞."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*n batch latent"]) -> Float[Tensor, "*n batch value"]:
        """Logits, or means."""

    def log_likelihood(
        self, x: Float[Tensor, "batch value"], said: Float[Tensor, "*n batch value"]
    ) -> Float[Tensor, "*n batch"]:
        """ln p(x|z) in nats, summed over a sample's values. said: logits, or means."""
        if self.noise is None:
            return (x * said - softplus(said)).sum(-1)
        log_variance = self.noise.flatten().clamp(min=SMALLEST_LOG_VARIANCE)
        square = (x - said) ** 2 * torch.exp(-log_variance)
        return -0.5 * (square + log_variance + math.log(2 * math.pi)).sum(-1)

    def mean_of(self, said: Tensor) -> Tensor:
        """The likelihood's mean: chances of white, or the values themselves."""
        return said.sigmoid() if self.binary else said


@final
class DenseAutoencoder(_Latent):
    """x → tanh layers → code → the same layers the other way round → x."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; what it reads follows from the data."""

        kind: Kind = setting("vae", "which network")
        hidden: tuple[int, ...] = setting((200, 200), "units of the encoder's layers")

        def __post_init__(self) -> None:
            if not self.hidden or min(self.hidden) < 1:
                raise ValueError(
                    f"hidden is {self.hidden}; give one or more layers, such as 200,200"
                )

    def __init__(
        self,
        config: Config,
        *,
        shape: tuple[int, ...],
        binary: bool,
        latent: int,
        start: Float[Tensor, " value"] | None = None,
    ) -> None:
        """latent: numbers in the code. start: what an untrained decoder says whatever the code: the train part's mean, as logits
        where values are 0 or 1."""
        super().__init__(config.kind, shape, binary=binary)
        self.config = config
        size = math.prod(shape)
        self.encoder = _tanh_layers([size, *config.hidden])
        self.code = Dense(config.hidden[-1], latent * (2 if self.variational else 1))
        backwards = [latent, *reversed(config.hidden)]
        self.decoder = _tanh_layers(backwards)
        self.out = Dense(backwards[-1], size)
        if start is not None:
            with torch.no_grad():
                self.out.bias.copy_(start)

    def encode(
        self, x: Float[Tensor, "batch *shape"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log variance of the code; of an autoencoder, whose code is a point, the log
        variance is −∞."""
        return _halves(self.code(self.encoder(x.flatten(1))), self.variational)

    def decode(self, z: Float[Tensor, "*n batch latent"]) -> Float[Tensor, "*n batch value"]:
        """Logits, or means."""
        return self.out(self.decoder(z))


@final
class ConvAutoencoder(_Latent):
    """Images: convolutions of stride 2 → code → transposed convolutions (Radford et al. 2016, with
    ReLU and without batch normalization)."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Settings of the network; channels and size follow from the data."""

        kind: Kind = setting("vae", "which network")
        width: int = setting(32, "channels of the first convolution; the second has twice as many")

        def __post_init__(self) -> None:
            if self.width < 1:
                raise ValueError(f"width is {self.width}; give at least 1")

    def __init__(
        self,
        config: Config,
        *,
        shape: tuple[int, ...],
        binary: bool,
        latent: int,
        start: Float[Tensor, " value"] | None = None,
    ) -> None:
        """Raises ValueError where a sample is no image of at least 4 × 4 pixels."""
        super().__init__(config.kind, shape, binary=binary)
        if len(shape) != 3 or min(shape[1:]) < 4:
            raise ValueError(
                f"shape is {shape}; this network reads images of at least 4 × 4 pixels"
            )
        self.config = config
        channels, height, width = shape
        first, second = config.width, 2 * config.width
        # Sizes round up to a multiple of 4 on the way in, and are cut to their own on the way out.
        self.small = (second, -(-height // 4), -(-width // 4))
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, first, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, 2, 1),
            nn.ReLU(),
        )
        flat = math.prod(self.small)
        self.code = Dense(flat, latent * (2 if self.variational else 1))
        self.spread = Dense(latent, flat)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(second, first, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(first, channels, 4, 2, 1),
        )  # fmt: skip
        beginning = torch.zeros(shape) if start is None else start.view(shape).clone()
        self.out = nn.Parameter(beginning)

    def encode(
        self, x: Float[Tensor, "batch *shape"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """As of ``DenseAutoencoder``."""
        _, height, width = self.small
        below, right = 4 * height - x.shape[-2], 4 * width - x.shape[-1]
        padded = nn.functional.pad(x, (0, right, 0, below))
        return _halves(self.code(self.encoder(padded).flatten(1)), self.variational)

    def decode(self, z: Float[Tensor, "*n batch latent"]) -> Float[Tensor, "*n batch value"]:
        """Logits, or means."""
        small = relu(self.spread(z)).view(-1, *self.small)
        said = self.decoder(small)[..., : self.shape[1], : self.shape[2]] + self.out
        return said.reshape(*z.shape[:-1], -1)


def _halves(code: Tensor, variational: bool) -> tuple[Tensor, Tensor]:
    if not variational:
        return code, torch.full_like(code, -math.inf)
    mean, log_variance = code.chunk(2, dim=-1)
    # Beyond these a code says nothing more, but its exponential might no longer be a number.
    return mean, log_variance.clamp(-15.0, 10.0)


def _tanh_layers(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        dense = Dense(inputs, outputs)
        nn.init.xavier_uniform_(dense.weight)
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.Tanh()]
    return nn.Sequential(*layers)
