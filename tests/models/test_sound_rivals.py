"""The naive rivals of a network that predicts sound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from shinso.data import mulaw
from shinso.models import sound_rivals
from shinso.models.sound_rivals import LinearPredictor, class_histogram, level_bounds


def autoregressive(rng: np.random.Generator, time: int) -> np.ndarray:
    x = np.zeros(time)
    for t in range(2, time):
        x[t] = 1.6 * x[t - 1] - 0.8 * x[t - 2] + rng.logistic(0, 100)
    return x.round().astype(np.int16)


def test_predictor_finds_the_weights_that_made_the_sound():
    clips = [autoregressive(np.random.default_rng(seed), 8000) for seed in range(3)]
    found = LinearPredictor.fit(clips, order=2)
    assert found.weights == pytest.approx((1.6, -0.8), abs=0.02)
    assert LinearPredictor.from_dict(found.to_dict()) == found


def test_long_sounds_do_not_make_the_fit_longer(monkeypatch):
    clips = [autoregressive(np.random.default_rng(seed), 8000) for seed in range(3)]
    monkeypatch.setattr(sound_rivals, "SAMPLES_TO_FIT", 3000)
    scored = []
    true = LinearPredictor.log_shares
    monkeypatch.setattr(
        LinearPredictor,
        "log_shares",
        lambda self, samples, low, high: scored.append(samples) or true(self, samples, low, high),
    )
    found = LinearPredictor.fit(clips, order=2)
    assert max(map(len, scored)) == 1000
    assert found.weights == pytest.approx((1.6, -0.8), abs=0.02)


def test_shares_of_all_levels_and_of_all_classes_sum_to_one():
    clip = autoregressive(np.random.default_rng(0), 50)
    found = LinearPredictor.fit([clip], order=2)
    ends = np.concatenate([[-np.inf], mulaw.edges() * mulaw.LEVELS, [np.inf]])
    each = [
        found.log_shares(clip, np.full(50, low), np.full(50, high))
        for low, high in itertools.pairwise(ends)
    ]
    np.testing.assert_allclose(np.exp(each).sum(axis=0), 1, rtol=1e-9)
    low, high = level_bounds(np.array([-32768, 0, 32767]))
    assert (low[0], high[2]) == (-np.inf, np.inf)
    assert (low[1], high[1]) == (-0.5, 0.5)


def test_first_sample_knows_of_nothing():
    clip = np.array([500, 300, 200], dtype=np.int16)
    found = LinearPredictor((0.9,), 1.0, 2.0)
    other = np.array([500, -9, 7], dtype=np.int16)
    first = [found.log_shares(one, *level_bounds(one))[0] for one in (clip, other)]
    assert first[0] == first[1]


def test_no_class_has_no_chance():
    shares = class_histogram([np.array([3, 3, 5], dtype=np.uint8)], 8)
    assert shares.sum() == pytest.approx(1)
    assert shares.min() > 0
    assert shares[3] == pytest.approx(3 / 11)
