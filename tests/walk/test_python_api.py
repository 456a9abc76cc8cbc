"""The Python interface: what a notebook does, from train to a data frame of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import shinso
from shinso.data import samples
from shinso.faults import RunFault, UsageFault
from shinso.walk.order import path_of, place, with_workers

PRICES = samples.path("prices.csv")
BRIEFLY = {"time": "date", "target": "close", "lookback": 16, "steps": 6, "evaluate_every": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    run = shinso.train("forecast", PRICES, model="gru", hidden=8, runs=str(runs), **BRIEFLY)
    return run.folder.path


def test_settings_of_run_task_and_network_are_told_apart(trained: Path) -> None:
    order = shinso.open_run(trained).order
    assert order.config.lookback == 16
    assert order.network_settings.config.hidden == 8
    assert (trained / "command.txt").read_text() == "(python)\n"


def test_frames_and_files_give_the_same_predictions(trained: Path) -> None:
    run = shinso.open_run(trained)
    from_file = run.predict(PRICES)
    assert from_file == run.predict([str(PRICES)])
    frame = pl.read_csv(PRICES)
    assert from_file == run.predict(frame)
    assert from_file.frame().columns == list(from_file.columns)
    assert from_file.frame().rows() == from_file.rows

    class Pandas:
        """As much of a pandas frame as is used: pandas itself is not needed."""

        columns = frame.columns

        def to_csv(self, path: Path, *, index: bool) -> None:
            assert not index
            frame.write_csv(path)

    assert from_file == run.predict(Pandas())


@pytest.mark.parametrize("given", [pl.DataFrame({"close": [1.0]}), ["a.csv"], None])
def test_data_in_memory_are_to_be_written_first(given: object) -> None:
    with pytest.raises(UsageFault, match=r"DATA-NOT-A-PATH(.|\n)*to_csv") as fault:
        path_of(given)
    assert type(given).__name__ in fault.value.text()


def test_an_unknown_part_is_refused_with_those_there_are(trained: Path) -> None:
    run = shinso.open_run(trained)
    with pytest.raises(UsageFault, match=r"SETTING-REFUSED: --part(.|\n)*train, valid, test"):
        run.evaluate(part="foo")
    for kept in (run.table, run.evaluation):
        kept("valid")
        with pytest.raises(UsageFault, match=r"SETTING-REFUSED(.|\n)*: valid, test"):
            kept("train")


@pytest.mark.parametrize("given", [None, 3, [None], pl.DataFrame({"close": [1.0]}).to_numpy()])
def test_new_data_that_is_neither_file_nor_frame_is_refused(trained: Path, given: Any) -> None:
    run = shinso.open_run(trained)
    for use in (run.evaluate, run.predict):
        with pytest.raises(UsageFault, match=r"DATA-NOT-A-PATH(.|\n)*data frame"):
            use(given)


def test_new_data_is_evaluated_beside_the_baselines(trained: Path) -> None:
    run = shinso.open_run(trained)
    table = run.evaluate(pl.read_csv(PRICES).tail(200))
    assert {"gru", "persistence"} <= {row.name for row in table.rows}
    assert run.table().as_dict()["rows"] != table.as_dict()["rows"]


def test_finished_run_has_nothing_to_resume(trained: Path) -> None:
    again = shinso.resume(trained)
    assert again.table().as_dict() == shinso.open_run(trained).table().as_dict()


def test_faults_are_exceptions(trained: Path) -> None:
    with pytest.raises(UsageFault, match="hidden"):
        shinso.train("forecast", PRICES, hiden=3)
    with pytest.raises(RunFault, match="RUN-NOT-FOUND"):
        shinso.open_run("nowhere")


def test_presets_and_files_of_settings_are_layers(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="PRESET-UNKNOWN"):
        shinso.train("forecast", PRICES, preset="none")
    run = shinso.train(
        "forecast", PRICES, config=trained / "config.yaml", runs=str(tmp_path), steps=3, horizon=2
    )
    assert run.order.config.horizon == 2
    assert run.order.config.lookback == 16


def test_layers_are_plain_torch_modules() -> None:
    import torch

    layer = shinso.nn.LSTM(8, 16, peephole=True)
    assert layer(torch.zeros(3, 2, 8))[0].shape == (3, 2, 16)
    assert "nn" in dir(shinso)
    with pytest.raises(AttributeError):
        _ = shinso.nothing


def test_a_run_of_several_that_did_not_wait_goes_on_with_one() -> None:
    settings = {**BRIEFLY, "workers": 2, "together": "server", "staleness": 4}
    order = place("forecast", [PRICES], ("test", settings))
    alone = with_workers(order, 1).run.config
    assert (alone.workers, alone.together, alone.staleness) == (1, "synchronous", -1)
    assert with_workers(order, 3).run.config.together == "server"
