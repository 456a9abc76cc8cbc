"""One battery for every recipe and every network it can train; a new one is tested by being there."""

from __future__ import annotations

import gzip
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.faults import Interrupted
from shinso.runs.checkpoint import load_weights
from shinso.training.stopping import StopRequest
from shinso.walk import catalogue
from shinso.walk.audience import NoAudience
from shinso.walk.order import Order, as_yaml, place
from shinso.walk.preparing import prepare
from shinso.walk.run import Run
from shinso.walk.training import resume, train

EVERY = [(task, model) for task in catalogue.tasks() for model in catalogue.recipe(task).MODELS]
BRIEFLY = {"steps": 20, "evaluate_every": 5, "checkpoint_every": 5, "batch_size": 8, "patience": 0}


def order_of_sample(task: str, model: str, runs: Path, **more: Any) -> Order:
    brief = catalogue.recipe(task).BRIEF
    settings = {**brief.settings, **BRIEFLY, "model": model, "runs": str(runs), **more}
    if task == "control" and model not in ("ppo", "dqn"):
        del settings["batch_size"]  # refused where a rollout or a step is learnt from as a whole
    return place(task, brief.data, ("test", settings))


@pytest.fixture(scope="module")
def prepared_data() -> dict[str, Any]:
    """The sample of each task, read once; a world once for each agent, which it is measured for."""
    return {}


def data_of(order: Order, prepared_data: dict[str, Any]) -> Any:
    name = f"control {order.model}" if order.task == "control" else order.task
    if name not in prepared_data:
        prepared_data[name] = order.recipe.read(order.config, order.paths)
    return prepared_data[name]


@pytest.mark.parametrize(("task", "model"), EVERY)
def test_every_parameter_gets_a_finite_gradient(
    task: str, model: str, tmp_path: Path, prepared_data: dict[str, Any]
) -> None:
    order = order_of_sample(task, model, tmp_path)
    data = data_of(order, prepared_data)
    ready = prepare(order, data, data.facts(), 0)
    # A head that begins at zero lets no gradient through in the first step, so two are taken.
    for _ in range(2):
        scalars = ready.learner.step(ready.built.source.next_batch())
        assert all(math.isfinite(float(value)) for value in scalars.values())
    for name, parameter in ready.model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def new_files(order: Order, folder: Path) -> tuple[Path, ...]:
    """What a run trained with ``order`` predicts: its own data; of a novel, which is read token by
    token, the beginning; of games and pictures, which say a row each, every twentieth."""
    if order.task == "language-model":
        with gzip.open(order.paths[0], "rt", encoding="utf-8") as file:
            (folder / "beginning.txt").write_text(file.read(20_000), encoding="utf-8")
        return (folder / "beginning.txt",)
    if order.task in ("go-policy", "classify-images"):
        with tarfile.open(order.paths[0]) as archive:
            files = [one for one in archive.getmembers() if one.isfile()]
            archive.extractall(folder / "few", files[::20])
        return (folder / "few",)
    return order.paths


@pytest.mark.parametrize(("task", "model"), EVERY)
def test_trained_run_predicts_the_same_after_loading(task: str, model: str, tmp_path: Path) -> None:
    order = order_of_sample(task, model, tmp_path, steps=12, evaluate_every=12, checkpoint_every=12)
    run = train(order)
    table = run.table()
    assert [row.learned for row in table.rows].count(True) == 1
    assert len(table.rows) >= 2
    assert all(math.isfinite(cell.value) for row in table.rows for cell in row.values.values())
    again = Run.open(run.folder.path)
    paths = new_files(order, tmp_path)
    first, second = run.predict(paths), again.predict(paths)
    assert first == second
    assert first.rows
    reopened = again.use().evaluate(order.recipe.read(order.config, order.paths), "test")
    kept = run.result(0)["test"]["metrics"]
    assert {k: float(v) for k, v in kept.items()} == dict(reopened.metrics)
    for name in ("card.md", "report.html", "command.txt", "env.json", "plots/training.csv"):
        assert (run.folder.path / name).stat().st_size > 0
    assert run.folder.status()["state"] == "done"


@pytest.mark.parametrize("task", catalogue.tasks())
def test_ten_and_ten_steps_resume_as_twenty(task: str, tmp_path: Path) -> None:
    """Through the whole walk: folders, data, every source and objective."""
    model = next(iter(catalogue.recipe(task).MODELS))
    whole = train(order_of_sample(task, model, tmp_path / "whole", evaluate_every=10))
    stop = StopRequest()

    class StopAtTen(NoAudience):
        def on_validation(self, step: int, metrics: Any, best: bool) -> None:
            if step == 10:
                stop.ask()

    parts_order = order_of_sample(task, model, tmp_path / "parts", evaluate_every=10)
    with pytest.raises(Interrupted) as stopped:
        train(parts_order, audience=StopAtTen(), stop=stop)
    folder = next((tmp_path / "parts" / task).iterdir())
    assert stopped.value.resume == f"shinso train --resume {folder}"
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
    parts = resume(folder)
    told = [line.split("  ", 1)[1] for line in (folder / "log.txt").read_text().splitlines()]
    states = [one for one in told if one in ("running", "interrupted", "done")]
    assert states == ["running", "interrupted", "running", "done"]
    for start in ("seed 1 of 1", "step 10: ", "step 20: "):
        assert any(one.startswith(start) for one in told), start
    for name in ("weights/best.safetensors",):
        one = load_weights(whole.folder.seed(0).path / name)
        two = load_weights(parts.folder.seed(0).path / name)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert list(whole.folder.seed(0).metrics.rows()) == list(parts.folder.seed(0).metrics.rows())
    assert whole.table().as_dict()["rows"] == parts.table().as_dict()["rows"]


@pytest.mark.parametrize(("task", "model"), EVERY)
def test_same_seed_gives_the_same_weights(
    task: str, model: str, tmp_path: Path, prepared_data: dict[str, Any]
) -> None:
    order = order_of_sample(task, model, tmp_path)
    data = data_of(order, prepared_data)
    weights = []
    for seed in (5, 5, 6):
        ready = prepare(order, data, data.facts(), seed)
        for _ in range(2):
            ready.learner.step(ready.built.source.next_batch())
        weights.append({name: p.clone() for name, p in ready.model.state_dict().items()})
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


@pytest.mark.parametrize("task", catalogue.tasks())
def test_order_reads_back_from_its_yaml(task: str, tmp_path: Path) -> None:
    from shinso.walk.order import file_layer

    model = next(iter(catalogue.recipe(task).MODELS))
    order = order_of_sample(task, model, tmp_path, lr=0.0123, seeds=3)
    path = tmp_path / "config.yaml"
    path.write_text(as_yaml(order))
    back = place(task, order.paths, file_layer(path))
    assert back.config == order.config
    assert back.run.config == order.run.config
    assert back.network_settings.config == order.network_settings.config
    assert "lr: 0.0123  # test" in path.read_text()


@pytest.mark.parametrize("task", catalogue.tasks())
def test_facts_are_json_and_name_the_data(task: str, tmp_path: Path) -> None:
    model = next(iter(catalogue.recipe(task).MODELS))
    order = order_of_sample(task, model, tmp_path)
    facts = order.recipe.read(order.config, order.paths).facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert len(facts["sha256"]) == 64
