"""The interquartile mean: what the middle half of seeds reached."""

from __future__ import annotations

import numpy as np
import pytest

from shinso.intervals import interquartile_mean


def test_middle_half_matches_its_definition_and_ignores_one_failed_seed():
    values = [500.0, 490.0, 495.0, 505.0, 498.0, 502.0, 9.0, 501.0]
    assert interquartile_mean(values).value == pytest.approx(np.mean(sorted(values)[2:6]))
    found = interquartile_mean(values)
    assert found.low <= found.value <= found.high


def test_few_values_give_their_mean():
    assert interquartile_mean([1.0, 2.0, 6.0]).value == pytest.approx(3.0)
