from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shinso.data.series import Series, SeriesRoles, SeriesSet
from shinso.data.splits import PARTS, ChronologicalSplit, num_windows, unused_rows
from tests.data.faults_of import faults_of

SHARES = ChronologicalSplit.parse("0.7,0.1,0.2")


def series_set(*lengths: int) -> SeriesSet:
    series = tuple(
        Series(f"s{n}", np.zeros((length, 1)), ("",) * length, np.arange(length))
        for n, length in enumerate(lengths)
    )
    return SeriesSet(Path("x.csv"), SeriesRoles(), ("a",), 1, series, "", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.7,0.1", "three numbers"),
        ("a,b,c", "three numbers"),
        ("0.7,0.1,0.1", "add up to 1"),
        ("0.7,0.3,0", "above 0"),
        ("1/0,1,1", "three numbers"),
        ("10.5,2,3", "add up to 1"),
    ],
)
def test_split_refuses_nonsense(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChronologicalSplit.parse(text)


def test_shares_are_exact_decimals() -> None:
    assert ChronologicalSplit.parse("0.29, 0.31, 0.4").counts(100) == (29, 31, 40)
    assert str(SHARES) == "0.7,0.1,0.2"


def test_ltsf_rows_match_the_benchmarks() -> None:
    # int(7588 * 0.7), the rest, int(7588 * 0.2): Autoformer's data_loader.Dataset_Custom.
    assert SHARES.counts(7588) == (5311, 760, 1517)
    ett = ChronologicalSplit.parse("8640,2880,2880")
    assert ett.rows(17420) == {
        "train": range(8640), "valid": range(8640, 11520), "test": range(11520, 14400)
    }  # fmt: skip


@given(st.integers(1, 500), st.integers(1, 8), st.integers(1, 8))
def test_parts_hold_for_any_length(num_rows: int, train: int, test: int) -> None:
    whole = train + test + 1
    split = ChronologicalSplit(Fraction(train, whole), Fraction(1, whole), Fraction(test, whole))
    rows = split.rows(num_rows)
    assert [row for part in PARTS for row in rows[part]] == list(range(num_rows))


@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 6), st.integers(1, 6))
def test_number_of_windows_matches_counting(
    start: int, length: int, lookback: int, horizon: int
) -> None:
    rows = range(start, start + length)
    counted = [t for t in rows if t >= lookback and t + horizon <= rows.stop]
    assert num_windows(rows, lookback, horizon) == len(counted)


def test_too_short_parts_are_named_with_numbers_that_work() -> None:
    faults = faults_of(lambda: SHARES.of(series_set(40, 4000, 20), lookback=30, horizon=4))
    assert [fault.code for fault in faults] == ["DATA-TOO-SHORT"] * 5
    assert faults[0].place == "x.csv, column s0"
    assert "the train part has 28 rows" in faults[0].found
    assert "30 past rows and 4 future rows" in faults[0].why
    assert "--lookback 24 or less" in faults[0].next_step
    SHARES.of(series_set(40), lookback=24, horizon=4)
    with pytest.raises(Exception, match="DATA-TOO-SHORT"):
        SHARES.of(series_set(40), lookback=25, horizon=4)


def test_a_horizon_longer_than_a_part_is_named() -> None:
    faults = faults_of(lambda: SHARES.of(series_set(40), lookback=2, horizon=5))
    assert "the valid part has 4 rows" in faults[0].found
    assert "--horizon 4 or less" in faults[0].next_step
    SHARES.of(series_set(40), lookback=2, horizon=4)


def test_row_counts_need_their_rows() -> None:
    split = ChronologicalSplit.parse("20,10,10")
    (fault,) = faults_of(lambda: split.of(series_set(39), lookback=2, horizon=1))
    assert (fault.code, fault.found) == (
        "DATA-TOO-SHORT", "39 rows where the split 20,10,10 needs 40"
    )  # fmt: skip
    assert split.of(series_set(45), lookback=2, horizon=1)["test"] == (range(30, 40),)
    assert unused_rows(split, series_set(45, 40)) == [
        "s0: 5 of 45 rows after the test part are unused"
    ]
