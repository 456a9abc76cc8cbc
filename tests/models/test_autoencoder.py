"""Autoencoders: likelihoods against torch's distributions, sizes of images, settings."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from shinso.models.autoencoder import ConvAutoencoder, DenseAutoencoder


def dense(kind="vae", shape=(7,), binary=True, latent=3) -> DenseAutoencoder:
    torch.manual_seed(0)
    config = DenseAutoencoder.Config(kind=kind, hidden=(8, 6))
    return DenseAutoencoder(config, shape=shape, binary=binary, latent=latent)


def test_likelihood_matches_torch_distributions():
    said, x = torch.randn(5, 7), torch.randint(0, 2, (5, 7)).float()
    found = dense().log_likelihood(x, said)
    torch.testing.assert_close(found, Bernoulli(logits=said).log_prob(x).sum(1))
    model = dense(binary=False)
    with torch.no_grad():
        model.noise.copy_(torch.linspace(-1, 1, 7))
    scale = (0.5 * model.noise).exp()
    x = torch.randn(5, 7)
    torch.testing.assert_close(
        model.log_likelihood(x, said), Normal(said, scale).log_prob(x).sum(1)
    )


def test_untrained_decoder_says_the_mean():
    start = torch.randn(7)
    config = DenseAutoencoder.Config(hidden=(4,))
    model = DenseAutoencoder(config, shape=(7,), binary=True, latent=2, start=start)
    torch.testing.assert_close(model.out.bias, start)


@pytest.mark.parametrize("size", [(4, 4), (7, 5), (8, 9), (28, 28)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_come_back_in_theirs(size, channels):
    shape = (channels, *size)
    model = ConvAutoencoder(
        ConvAutoencoder.Config(width=4), shape=shape, binary=channels == 1, latent=3
    )
    x = torch.rand(2, *shape)
    mean, log_variance = model.encode(x)
    assert mean.shape == log_variance.shape == (2, 3)
    assert model.decode(torch.randn(5, 2, 3)).shape == (5, 2, math.prod(shape))


def test_the_whole_network_says_the_mean_code_again():
    model, x = dense().eval(), torch.rand(4, 7)
    mean, log_variance, said = model(x)
    assert torch.equal(mean, model.encode(x)[0])
    assert torch.equal(log_variance, model.encode(x)[1])
    assert torch.equal(said, model.decode(mean).sigmoid())  # chances of white


def test_code_of_an_autoencoder_is_a_point():
    mean, log_variance = dense("autoencoder").encode(torch.rand(4, 7))
    assert mean.shape == (4, 3)
    assert bool((log_variance == -math.inf).all())


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="hidden is"):
        DenseAutoencoder.Config(hidden=())
    with pytest.raises(ValueError, match="width is"):
        ConvAutoencoder.Config(width=0)
    with pytest.raises(ValueError, match="at least 4"):
        ConvAutoencoder(ConvAutoencoder.Config(), shape=(1, 3, 9), binary=True, latent=2)
