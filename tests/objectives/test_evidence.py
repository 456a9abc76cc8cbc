"""Bounds on likelihoods, against a model whose likelihood is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from shinso.data.unlabelled import Values
from shinso.models.autoencoder import DenseAutoencoder
from shinso.objectives.evidence import (
    EvidenceObjective,
    estimate,
    importance_bound,
    kl_to_prior,
    log_normal,
    log_weights,
)


class Linear:
    """x = W z + noise of variance 1: p(x) = N(0, W Wᵀ + I). q is wider than the posterior."""

    variational, kind = True, "vae"
    weight = torch.tensor([[1.0, 0.5], [0.2, -1.0], [0.7, 0.3]])

    def encode(self, x):
        precision = torch.eye(2) + self.weight.T @ self.weight
        mean = torch.linalg.solve(precision, self.weight.T @ x.T).T
        return mean, torch.zeros_like(mean) - 0.5

    def decode(self, z):
        return z @ self.weight.T

    def log_likelihood(self, x, said):
        return -0.5 * ((x - said) ** 2 + math.log(2 * math.pi)).sum(-1)

    def exact(self, x):
        covariance = self.weight @ self.weight.T + torch.eye(3)
        return MultivariateNormal(torch.zeros(3), covariance).log_prob(x)


def test_kl_and_density_match_torch_distributions():
    mean, log_variance, z = torch.randn(3, 4, 5)
    q = Normal(mean, (0.5 * log_variance).exp())
    wanted = kl_divergence(q, Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(kl_to_prior(mean, log_variance), wanted)
    torch.testing.assert_close(log_normal(z, mean, log_variance), q.log_prob(z).sum(-1))


def test_estimate_comes_to_the_exact_likelihood_from_below():
    torch.manual_seed(0)
    model, x = Linear(), torch.randn(6, 3)
    exact = model.exact(x)
    errors = []
    for samples in (1, 10, 4000):
        found = estimate(model, x, samples, seed=0, at_once=1000)
        errors.append(float((exact - found).mean()))
    assert errors[0] > errors[1] > 0
    assert abs(errors[2]) < 0.02


def test_mean_of_one_weight_is_the_elbo():
    torch.manual_seed(0)
    model, x = Linear(), torch.randn(4, 3)
    weights = log_weights(model, x, 20_000, torch.Generator().manual_seed(0))
    mean, log_variance = model.encode(x)
    trace = (model.weight**2).sum() * math.exp(-0.5)
    said = model.log_likelihood(x, model.decode(mean)) - 0.5 * trace
    elbo = said - kl_to_prior(mean, log_variance)
    torch.testing.assert_close(weights.mean(0), elbo, rtol=0, atol=0.05)
    assert bool((importance_bound(weights) > weights.mean(0)).all())


def network(kind: str) -> DenseAutoencoder:
    torch.manual_seed(0)
    config = DenseAutoencoder.Config(kind=kind, hidden=(8,))  # type: ignore[arg-type]
    return DenseAutoencoder(config, shape=(6,), binary=True, latent=2)


def test_losses_are_the_bounds_they_are_named_after():
    batch = Values(torch.randint(0, 2, (9, 6)).float())
    found = EvidenceObjective()(network("vae"), batch)
    assert float(found["loss"]) == pytest.approx(-float(found["elbo_nats"]), abs=1e-5)
    parts = found["reconstruction_nats"] - found["kl_nats"]
    torch.testing.assert_close(found["elbo_nats"], parts)
    torch.manual_seed(1)
    one = EvidenceObjective(samples=1)(network("iwae"), batch)["loss"]
    many = EvidenceObjective(samples=500)(network("iwae"), batch)["loss"]
    assert float(many) < float(one) + 0.5
    alone = EvidenceObjective()(network("autoencoder"), batch)
    assert set(alone) == {"loss", "reconstruction_nats"}


def test_kl_weight_rises_and_its_place_resumes():
    objective = EvidenceObjective(beta=0.5, anneal_steps=4)
    model, batch = network("vae"), Values(torch.rand(3, 6))
    weights = []
    for _ in range(6):
        weights.append(objective.kl_weight)
        objective(model, batch)
    assert weights == [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]
    other = EvidenceObjective(beta=0.5, anneal_steps=4)
    other.load_state_dict(objective.state_dict())
    assert other.kl_weight == 0.5
    model.eval()
    objective(model, batch)
    assert objective.steps_taken == 6


@pytest.mark.parametrize(
    "settings", [{"beta": -1.0}, {"beta": math.inf}, {"anneal_steps": -1}, {"samples": 0}]
)
def test_numbers_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        EvidenceObjective(**settings)
