from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import StandardScaler

from shinso.data.scaling import Standardizer, fit_on_rows
from shinso.data.series import Series, SeriesRoles, SeriesSet

VALUES = hnp.arrays(np.float64, st.tuples(st.integers(2, 20), st.just(2)),
                    elements=st.floats(-1e3, 1e3, width=32))  # fmt: skip


def one_series(values: np.ndarray) -> SeriesSet:
    series = Series("", values, ("",) * len(values), np.arange(len(values)))
    return SeriesSet(Path("x.csv"), SeriesRoles(), ("a", "b"), 1, (series,), "", ())


def test_standardizer_matches_sklearn() -> None:
    values = np.random.default_rng(0).normal(3.0, 5.0, (50, 2))
    ours = Standardizer.fit(("a", "b"), [values[:20], values[20:]])
    np.testing.assert_allclose(
        ours.apply(values), StandardScaler().fit_transform(values), rtol=1e-12
    )


@given(VALUES, st.integers(1, 19), st.floats(-1e6, 1e6))
def test_scaler_holds_for_any_change_after_the_train_part(
    values: np.ndarray, train: int, other: float
) -> None:
    train = min(train, len(values) - 1)
    before = fit_on_rows(one_series(values), [range(train)])
    changed = values.copy()
    changed[train:] = other
    after = fit_on_rows(one_series(changed), [range(train)])
    assert before.to_dict() == after.to_dict()


@given(VALUES)
def test_undo_holds_for_any_values(values: np.ndarray) -> None:
    scaler = Standardizer.fit(("a", "b"), [values])
    # Where a channel's deviation is tiny, its mean's rounding is what limits the way back.
    close = np.abs(values).max() * 1e-12 + 1e-300
    np.testing.assert_allclose(scaler.undo(scaler.apply(values)), values, rtol=0, atol=close)
    np.testing.assert_allclose(scaler.undo(scaler.apply(values)[:, :1]), values[:, :1], atol=close)


def test_dict_brings_back_the_scaler_bit_for_bit() -> None:
    values = np.random.default_rng(1).normal(size=(9, 2))
    scaler = Standardizer.fit(("a", "b"), [values])
    again = Standardizer.from_dict(json.loads(json.dumps(scaler.to_dict())))
    np.testing.assert_array_equal(again.apply(values), scaler.apply(values))


def test_constant_channel_is_only_shifted_and_said() -> None:
    values = np.array([[0.1, 1.0]] * 7 + [[0.1, 2.0]])
    scaler = Standardizer.fit(("a", "b"), [values])
    assert scaler.apply(values)[:, 0].tolist() == [0.0] * 8
    assert scaler.std[0] == 1.0
    assert scaler.notes == ("DATA-CONSTANT: column a is constant in the train part",)


def test_other_channels_are_refused() -> None:
    scaler = Standardizer.fit(("a", "c"), [np.eye(2)])
    with pytest.raises(ValueError, match="fitted on"):
        scaler.scaled(one_series(np.eye(2)))
