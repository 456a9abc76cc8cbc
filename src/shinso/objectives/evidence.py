"""Bounds on the likelihood of what a variational autoencoder sees, in nats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.data.unlabelled import Values


def kl_to_prior(
    mean: Float[Tensor, "*n latent"], log_variance: Float[Tensor, "*n latent"]
) -> Float[Tensor, "*n"]:
    """KL(N(μ, σ²) ‖ N(0, I)) in nats, summed over the code (Kingma & Welling 2014, app. B)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def log_normal(
    z: Float[Tensor, "*n latent"],
    mean: Tensor | float,
    log_variance: Tensor | float,
) -> Float[Tensor, "*n"]:
    """ln N(z; μ, σ²), summed over the code."""
    spread = torch.as_tensor(log_variance)
    return -0.5 * ((z - mean) ** 2 * torch.exp(-spread) + spread + math.log(2 * math.pi)).sum(-1)


def log_weights(
    model: Any,
    x: Float[Tensor, "batch *shape"],
    samples: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "sample batch"]:
    """ln p(x|z) + ln p(z) − ln q(z|x) for ``samples`` codes z ~ q(z|x) of each x."""
    mean, log_variance = model.encode(x)
    noise = torch.randn(samples, *mean.shape, generator=generator).to(mean)
    z = mean + noise * torch.exp(0.5 * log_variance)
    likelihood = model.log_likelihood(x.flatten(1), model.decode(z))
    return likelihood + log_normal(z, 0.0, 0.0) - log_normal(z, mean, log_variance)


def importance_bound(weights: Float[Tensor, "sample batch"]) -> Float[Tensor, " batch"]:
    """ln of the mean weight: below ln p(x) in the mean, and closer with more samples (Burda et al.
    2016, eq. 8)."""
    return torch.logsumexp(weights, dim=0) - math.log(len(weights))


class EvidenceObjective:
    """−ELBO of a VAE with the KL divergence in closed form; −importance bound of an IWAE; −ln p(x|z)
    of an autoencoder. Reconstruction and KL are logged apart.

    Its state is the number of steps, by which the KL's weight rises from 0 to ``beta``.
    """

    def __init__(self, *, beta: float = 1.0, anneal_steps: int = 0, samples: int = 1) -> None:
        """samples: codes drawn of each x. Raises ValueError for numbers out of range."""
        if not 0 <= beta < math.inf:
            raise ValueError(f"beta is {beta}; give 0 or more")
        for name, value, least in (("anneal_steps", anneal_steps, 0), ("samples", samples, 1)):
            if value < least:
                raise ValueError(f"{name} is {value}; give at least {least}")
        self.beta, self.anneal_steps, self.samples = beta, anneal_steps, samples
        self.steps_taken = 0

    @property
    def kl_weight(self) -> float:
        """Of the KL divergence, now."""
        if not self.anneal_steps:
            return self.beta
        return self.beta * min(1.0, self.steps_taken / self.anneal_steps)

    def __call__(self, model: nn.Module, batch: Values) -> Mapping[str, Tensor]:
        found = self._scalars(model, batch.values)
        if model.training:
            self.steps_taken += 1
        return found

    def _scalars(self, model: Any, x: Tensor) -> dict[str, Tensor]:
        mean, log_variance = model.encode(x)
        if not model.variational:
            said = model.log_likelihood(x.flatten(1), model.decode(mean)).mean()
            return {"loss": -said, "reconstruction_nats": said}
        noise = torch.randn(self.samples, *mean.shape).to(mean)
        z = mean + noise * torch.exp(0.5 * log_variance)
        likelihood = model.log_likelihood(x.flatten(1), model.decode(z))
        kl = kl_to_prior(mean, log_variance)
        elbo = likelihood.mean() - kl.mean()
        if model.kind == "iwae":
            prior, posterior = log_normal(z, 0.0, 0.0), log_normal(z, mean, log_variance)
            bound = importance_bound(likelihood + self.kl_weight * (prior - posterior)).mean()
            loss = -bound
        else:
            loss = self.kl_weight * kl.mean() - likelihood.mean()
        return {
            "loss": loss,
            "elbo_nats": elbo,
            "reconstruction_nats": likelihood.mean(),
            "kl_nats": kl.mean(),
        }

    def state_dict(self) -> dict[str, Any]:
        return {"steps_taken": self.steps_taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps_taken = state["steps_taken"]


@torch.no_grad()
def estimate_and_elbo(
    model: Any, x: Float[Tensor, "batch *shape"], samples: int, seed: int, at_once: int = 20_000
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """The importance-weighted estimate of ln p(x) with ``samples`` codes each, and the ELBO by the
    same codes, which is no larger; in nats. ``at_once`` codes are decoded at a time."""
    generator = torch.Generator().manual_seed(seed)
    found, bounds = [], []
    several = max(1, at_once // samples)
    for part in x.split(several):
        weights = torch.cat(
            [
                log_weights(model, part, min(at_once, samples - done), generator)
                for done in range(0, samples, at_once)
            ]
        )
        found.append(importance_bound(weights))
        bounds.append(weights.mean(0))
    return torch.cat(found), torch.cat(bounds)


def estimate(
    model: Any, x: Float[Tensor, "batch *shape"], samples: int, seed: int, at_once: int = 20_000
) -> Float[Tensor, " batch"]:
    """The estimate of ``estimate_and_elbo`` alone."""
    return estimate_and_elbo(model, x, samples, seed, at_once)[0]
