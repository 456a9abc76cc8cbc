from __future__ import annotations

import gzip

import numpy as np
import pytest

from shinso.data import samples
from shinso.data.labelled_series import read_labelled_series
from shinso.data.samples import regenerate
from shinso.data.series import SeriesRoles, read_series
from shinso.data.tagged_tokens import read_tagged


def test_prices_are_read_with_their_gaps() -> None:
    roles = SeriesRoles(time="date", target=("close",), past=("volume",))
    found = read_series(samples.path("prices.csv"), roles)
    (note,) = found.notes
    assert "steps are longer than the usual one of 1 d" in note
    assert "of the gaps are weekends" in note
    assert found.series[0].num_rows == len(regenerate.trading_days())


def test_prices_golden() -> None:
    assert samples.path("prices.csv").read_text() == regenerate.prices()


def test_prices_hold_their_documented_walk() -> None:
    values = read_series(samples.path("prices.csv"), SeriesRoles(time="date")).values[0]
    returns = np.diff(np.log(values[:, 0]))
    error = 4 * 0.012 / np.sqrt(len(returns))
    assert abs(returns.mean() - 0.0002) < error
    assert abs(returns.std() - 0.012) < error
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 4 / np.sqrt(len(returns))


def test_digits_golden() -> None:
    packed = samples.path("digits.jsonl.gz")
    assert gzip.decompress(packed.read_bytes()).decode() == regenerate.digits()
    found = read_labelled_series(packed)
    assert len(found) == 1797
    assert {one.shape for one in found.values} == {(8, 8)}
    assert found.classes == tuple("0123456789")


def test_truecase_is_read_whole() -> None:
    found = read_tagged(samples.path("truecase.conll.gz"))
    assert len(found) == regenerate.NUM_SENTENCES
    assert set(found.classes) == {"lower", "Title", "UPPER"}


def test_samples_stay_small() -> None:
    assert sum(samples.path(name).stat().st_size for name in samples.names()) < 8_000_000


def test_every_sample_names_its_source() -> None:
    said = (samples.FOLDER / "SOURCES.md").read_text()
    assert all(f"`{name}`" in said for name in samples.names())
    assert "prices.csv" in samples.names()


def test_unknown_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"prices\.csv"):
        samples.path("other.csv")
