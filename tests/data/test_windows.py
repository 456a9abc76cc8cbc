from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.data import registry
from shinso.data.scaling import fit_on_rows
from shinso.data.series import SeriesRoles, read_series
from shinso.data.splits import ChronologicalSplit
from shinso.data.windows import Windows


def numbered(*lengths: int) -> list[np.ndarray]:
    """Values that say where they stand: channel 0 the series, channel 1 the row, 2 noise."""
    return [
        np.stack([np.full(n, s), np.arange(n), np.random.default_rng(s).normal(size=n)], 1)
        for s, n in enumerate(lengths)
    ]


@given(
    parts=st.lists(
        st.integers(0, 25).flatmap(
            lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))
        ),
        min_size=1,
        max_size=4,
    ),
    lookback=st.integers(1, 5),
    horizon=st.integers(1, 5),
    batch_size=st.integers(1, 7),
)
def test_windows_hold_for_any_parts_and_series(
    parts: list[tuple[int, int, int]], lookback: int, horizon: int, batch_size: int
) -> None:
    values = numbered(*(length for length, _, _ in parts))
    rows = [range(min(a, b), max(a, b)) for _, a, b in parts]
    windows = Windows(values, rows, lookback=lookback, horizon=horizon, num_targets=2)
    wanted = [
        (s, t) for s, part in enumerate(rows) for t in part
        if t >= lookback and t + horizon <= part.stop
    ]  # fmt: skip
    assert len(windows) == len(wanted)
    assert [tuple(one) for one in windows.origins().tolist()] == wanted
    batches = list(windows.batches(batch_size))
    assert [len(b.past) for b in batches] == [
        min(batch_size, len(wanted) - begin) for begin in range(0, len(wanted), batch_size)
    ]
    for place, (s, t) in enumerate(wanted):
        batch = batches[place // batch_size]
        past, future = (part[place % batch_size] for part in batch)
        np.testing.assert_array_equal(past, values[s][t - lookback : t].astype(np.float32))
        np.testing.assert_array_equal(future, values[s][t : t + horizon, :2].astype(np.float32))


@given(st.integers(30, 60), st.integers(1, 3), st.integers(1, 3))
def test_parts_hold_for_any_split_without_a_shared_target(
    length: int, lookback: int, horizon: int
) -> None:
    values = numbered(length)
    seen: dict[str, set[int]] = {}
    for part, rows in ChronologicalSplit.parse("0.7,0.1,0.2").rows(length).items():
        windows = Windows(values, [rows], lookback=lookback, horizon=horizon, num_targets=3)
        batch = windows.take(np.arange(len(windows)))
        seen[part] = set(batch.future[:, :, 1].flatten().int().tolist())
        if part == "train":
            assert set(batch.past[:, :, 1].flatten().int().tolist()) <= set(rows)
        assert seen[part] <= set(rows)
    assert not seen["train"] & seen["valid"]
    assert not seen["valid"] & seen["test"]


def test_later_parts_look_back_at_known_rows() -> None:
    windows = Windows(numbered(10), [range(6, 10)], lookback=4, horizon=2, num_targets=1)
    assert windows.take([0]).past[0, :, 1].tolist() == [2, 3, 4, 5]


def test_windows_share_memory_until_taken() -> None:
    windows = Windows(numbered(1000), [range(1000)], lookback=300, horizon=100, num_targets=1)
    assert windows._views.untyped_storage().nbytes() == 1000 * 3 * 4
    taken = windows.take([0])
    taken.past.zero_()
    assert windows.take([0]).past[0, 5, 1] == 5


def test_indices_outside_are_refused() -> None:
    windows = Windows(numbered(30), [range(5, 10)], lookback=2, horizon=1, num_targets=1)
    for index in (-1, len(windows)):
        with pytest.raises(IndexError):
            windows.take([index])


@pytest.mark.parametrize("sizes", [{"lookback": 0}, {"horizon": 0}, {"num_targets": 0}])
def test_sizes_below_one_are_refused(sizes: dict[str, int]) -> None:
    all_sizes = {"lookback": 2, "horizon": 2, "num_targets": 1} | sizes
    with pytest.raises(ValueError, match=next(iter(sizes))):
        Windows(numbered(9), [range(9)], **all_sizes)  # type: ignore[arg-type]


def test_rows_beyond_the_series_are_refused() -> None:
    with pytest.raises(ValueError, match="10 rows"):
        Windows(numbered(10), [range(4, 11)], lookback=2, horizon=2, num_targets=1)


@pytest.mark.data
@pytest.mark.parametrize(
    ("horizon", "mse", "mae"),
    [(96, 0.0811, 0.196), (192, 0.1671, 0.289), (336, 0.3057, 0.398), (720, 0.8101, 0.676)],
)
def test_persistence_matches_the_published_figures(horizon: int, mse: float, mae: float) -> None:
    # Repeating the last value on the whole test part of exchange_rate, in the train part's units.
    path = registry.find("exchange_rate/exchange_rate.txt.gz")
    if path is None:
        pytest.skip("exchange_rate is not there; set SHINSO_DATA to the folder that holds it")
    series = read_series(path, SeriesRoles())
    rows = ChronologicalSplit.parse("0.7,0.1,0.2").of(series, lookback=336, horizon=horizon)
    scaled = fit_on_rows(series, rows["train"]).scaled(series)
    windows = Windows(scaled.values, rows["test"], lookback=336, horizon=horizon, num_targets=8)
    errors = [(b.future - b.past[:, -1:]).double() for b in windows.batches(256)]
    count = len(windows) * horizon * 8
    found = [
        sum(e.square().sum() for e in errors) / count,
        sum(e.abs().sum() for e in errors) / count,
    ]
    np.testing.assert_allclose(torch.tensor(found), [mse, mae], atol=6e-4)
