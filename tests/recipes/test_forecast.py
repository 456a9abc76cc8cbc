"""What is special to the recipe of forecasting: logarithms, and persistence's own quantiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shinso.data import samples
from shinso.faults import DataFault
from shinso.walk.order import place
from shinso.walk.training import train

PRICES = samples.path("prices.csv")
SETTINGS = {
    "time": "date", "target": "close", "lookback": 16, "horizon": 3, "steps": 4,
    "evaluate_every": 2, "quantiles": "0.1,0.5,0.9",
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, object]:
    folder = str(tmp_path_factory.mktemp("runs"))
    return {
        log: train(place("forecast", [PRICES], ("test", {**SETTINGS, "runs": folder, "log": log})))
        for log in (False, True)
    }


def test_untrained_model_and_persistence_say_the_same_quantiles(runs) -> None:
    rows = {row.name: row.values for row in runs[False].table("valid").rows}
    for metric in ("pinball_scaled", "coverage", "mse_scaled"):
        assert rows["gru"][metric].value == pytest.approx(rows["persistence"][metric].value)
    assert "pinball_scaled" not in rows["drift"]


def test_logarithms_make_quantiles_of_prices_cover_what_they_say(runs) -> None:
    """The sample's changes grow with its level, so quantiles of plain changes are too narrow."""
    covered = {
        log: next(row for row in run.table().rows if row.name == "persistence").values["coverage"]
        for log, run in runs.items()
    }
    assert covered[False].value < 0.6
    assert covered[True].value == pytest.approx(0.8, abs=0.06)


def test_forecasts_of_logarithms_are_in_the_units_of_the_file(runs) -> None:
    last = float(PRICES.read_text().splitlines()[-1].split(",")[1])
    found = runs[True].predict(PRICES)
    middle = [row[found.columns.index("q0.5")] for row in found.rows]
    np.testing.assert_allclose(middle, last, rtol=1e-4)
    low, high = (
        np.array([row[found.columns.index(q)] for row in found.rows]) for q in ("q0.1", "q0.9")
    )
    np.testing.assert_allclose(low * high, last**2, rtol=1e-4)  # symmetric in logarithms
    windows = Path(runs[True].folder.path, "plots", "windows.csv").read_text().splitlines()
    assert float(windows[1].split(",")[2]) > 100


def test_rows_come_and_go_in_the_units_of_the_file(runs) -> None:
    use = runs[True].use()
    past = np.array([float(one.split(",")[1]) for one in PRICES.read_text().splitlines()[-16:]])
    found = runs[True].predict(PRICES)
    rows = use.forecast_rows(past[None, :, None])[0, :, 0]
    quantiles = found.columns.index("target") + 1
    np.testing.assert_array_equal(rows, [row[quantiles:] for row in found.rows])
    past[4] = 0
    with pytest.raises(DataFault, match=r"DATA-NOT-POSITIVE.*close"):
        use.forecast_rows(past[None, :, None])
