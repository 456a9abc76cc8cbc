"""Nats of sounds: a mixture of logistics against its integral, classes against levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from shinso.data import mulaw
from shinso.objectives.waveforms import (
    class_bounds,
    level_bounds,
    mixture_log_share,
    sample_nats,
)


def parameters() -> torch.Tensor:
    scores, middle, log_scale = [0.3, -1.0], [0.1, -0.4], [-4.0, -6.5]
    return torch.tensor([*scores, *middle, *log_scale], dtype=torch.float64)


def test_mixture_of_half_precision_is_taken_apart_in_single():
    values = torch.linspace(-0.9, 0.9, 7)
    given = parameters().float().expand(7, -1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mixture_log_share(given, *level_bounds(values))
    wanted = mixture_log_share(given.float(), *level_bounds(values))
    assert torch.equal(found, wanted)


def test_mixture_matches_scipy():
    from scipy.stats import logistic

    low, high = torch.tensor([-0.2, 0.05]).double(), torch.tensor([0.1, 0.3]).double()
    found = mixture_log_share(parameters().expand(2, -1), low, high).exp()
    shares = np.exp([0.3, -1.0]) / np.exp([0.3, -1.0]).sum()
    wanted = sum(
        share * (logistic.cdf(high, m, np.exp(s)) - logistic.cdf(low, m, np.exp(s)))
        for share, m, s in zip(shares, [0.1, -0.4], [-4.0, -6.5], strict=True)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_all_levels_and_all_classes_sum_to_one():
    every = torch.arange(-32768, 32768).double() / 32768
    total = mixture_log_share(parameters().expand(len(every), -1), *level_bounds(every)).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-9)
    classes = torch.arange(256)
    low, high = class_bounds(classes)
    total = mixture_log_share(parameters().expand(256, -1), low.double(), high.double()).exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-9)


def test_a_value_falls_into_its_own_class():
    values = np.arange(-32768, 32768).astype(np.int16)
    classes = torch.from_numpy(mulaw.encode(values).astype(np.int64))
    low, high = class_bounds(classes)
    x = torch.from_numpy(values / 32768)
    assert bool(((low < x) & (x < high)).all())


def test_classes_spread_over_their_levels():
    scores, classes = torch.randn(5, 256), torch.tensor([0, 100, 128, 129, 255])
    found = sample_nats(scores, classes, torch.zeros(5), mixture=False)
    levels = torch.tensor(mulaw.levels_of_classes())[classes].log()
    torch.testing.assert_close(found["nats_16bit"] - found["nats_per_sample"], levels.float())


def test_gradients_stay_finite_far_from_every_component():
    given = parameters().float().requires_grad_()
    values = torch.tensor([-1.0, 32767 / 32768, 0.9])
    nats = -mixture_log_share(given.expand(3, -1), *level_bounds(values))
    nats.sum().backward()
    assert bool(nats.isfinite().all())
    assert bool(given.grad.isfinite().all())
    assert math.isfinite(float(nats.sum()))
