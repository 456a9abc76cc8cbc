"""The AR baseline against statsmodels and against series whose rule is known."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from shinso.models.autoregressive_baseline import AutoregressiveBaseline


def changes_of_ar2(num_rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    changes = np.zeros(num_rows)
    for t in range(2, num_rows):
        changes[t] = 0.1 + 0.5 * changes[t - 1] - 0.3 * changes[t - 2] + rng.normal()
    return changes


def test_coefficients_and_forecasts_match_statsmodels() -> None:
    changes = changes_of_ar2(3000, 0)
    series = np.cumsum(changes)[:, None]
    ours = AutoregressiveBaseline.fit([series], largest_order=2)
    # statsmodels uses the same rows: the first two changes are the past of the third.
    theirs = AutoReg(np.diff(series[:, 0]), lags=2).fit()
    assert ours.intercept[0] == pytest.approx(theirs.params[0], rel=1e-9)
    assert ours.weights[0] == pytest.approx(theirs.params[1:], rel=1e-9)
    ahead = ours.forecast(series[None], 5)[0, :, 0]
    steps = theirs.forecast(5)
    assert ahead == pytest.approx(series[-1, 0] + np.cumsum(steps), rel=1e-9)


def test_order_is_found_by_bic() -> None:
    series = np.cumsum(changes_of_ar2(5000, 1))[:, None]
    fitted = AutoregressiveBaseline.fit([series], largest_order=6)
    assert np.count_nonzero(fitted.weights[0]) == 2


def test_sine_is_forecast_exactly() -> None:
    """Any sine obeys a recursion of two terms in its changes too."""
    wave = np.sin(0.3 * np.arange(400))[:, None]
    fitted = AutoregressiveBaseline.fit([wave[:300]])
    assert fitted.forecast(wave[None, 200:300], 100)[0] == pytest.approx(wave[300:400], abs=1e-6)


def test_channels_and_series_do_not_mix() -> None:
    first, second = changes_of_ar2(800, 2).cumsum(), changes_of_ar2(800, 3).cumsum() * 7
    both = AutoregressiveBaseline.fit([np.stack([first, second], axis=1)])
    alone = AutoregressiveBaseline.fit([second[:, None]])
    assert both.weights[1] == pytest.approx(alone.weights[0])
    twice = AutoregressiveBaseline.fit([first[:, None], first[:, None]])
    once = AutoregressiveBaseline.fit([first[:, None]])
    order = np.count_nonzero(once.weights[0])
    assert np.count_nonzero(twice.weights[0]) >= order


def test_constant_and_short_series_become_persistence() -> None:
    for series in (np.ones((50, 1)), np.arange(5.0)[:, None] ** 2):
        fitted = AutoregressiveBaseline.fit([series])
        assert (fitted.forecast(series[None], 3)[0] == series[-1]).all()


def test_reads_back() -> None:
    fitted = AutoregressiveBaseline.fit([changes_of_ar2(500, 4).cumsum()[:, None]])
    back = AutoregressiveBaseline.from_dict(fitted.to_dict())
    assert (back.weights == fitted.weights).all()
