"""Runs whose workers divide the model are those of one process, and go on in any other division."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shinso.faults import Interrupted, UsageFault
from shinso.training.parallel.measuring import parts_of_model, tied
from shinso.training.parallel.planner import Link, Measured, Mesh, plan
from shinso.training.parallel.together import run_together
from shinso.walk import catalogue
from shinso.walk.dividing import check_divided
from shinso.walk.order import place
from shinso.walk.training import resume, train

from . import divided_cases as cases

TEXT = {
    **{"model": "transformer", "width": 16, "layers": 2, "heads": 4, "inner": 24, "dropout": 0.0},
    **{"batch_size": 8, "window": 12, "ngram": 2, "steps": 4, "evaluate_every": 2, "lr": 0.02},
    # Each of these needs what other workers hold: the norm, the mean, the decay of matrices alone.
    **{"clip_norm": 0.1, "average": 0.9, "weight_decay": 0.1, "split": "0.9,0.05,0.05"},
}
DIVISIONS: dict[str, dict[str, Any]] = {
    "tensor": {"tensor": 2},
    "pipeline": {"pipeline": 2, "micro_batches": 2},
    "shard": {"shard": True},
}
BOUND = 1e-12


def assert_same(found: Any, expected: Any, bound: float = BOUND, where: str = "") -> None:
    """Numbers within ``bound`` of each other, all else equal."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            assert_same(found[name], value, bound, f"{where} {name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs, bound, where)
    elif isinstance(expected, str):
        assert found == expected, where
    else:
        assert np.abs(np.asarray(found) - np.asarray(expected)).max() <= bound, where


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a text, and with "alone", four steps of one process, and "half", two of them, also
    with dropout."""
    folder = tmp_path_factory.mktemp("divided")
    (folder / "text.txt").write_text(cases.TEXT * 30)
    cases.run(None, folder / "alone", TEXT)
    cases.run(None, folder / "half", TEXT, stop_at=2)
    cases.run(None, folder / "half dropped", {**TEXT, "dropout": 0.2}, stop_at=2)
    return folder


@pytest.fixture(scope="module")
def alone(begun: Path) -> cases.Found:
    return cases.result(begun / "alone")


@pytest.fixture(scope="module")
def four(begun: Path) -> Path:
    """Two steps of four workers, in two rows or sharing all, and the same gone on by them."""
    jobs: list[dict[str, Any]] = []
    for name, division in DIVISIONS.items():
        own = {**TEXT, **division}
        half, end = begun / f"{name} of four, half", begun / f"{name} of four"
        jobs += [
            {"folder": half, "settings": own, "stop_at": 2},
            {"folder": end, "settings": own, "resume": True, "copy": half},
        ]
    run_together(cases.runs, 4, jobs)
    return begun


@pytest.fixture(scope="module")
def two(begun: Path) -> tuple[Path, list[Any]]:
    """By two workers: the second half of what one process began; two steps with dropout, and the same
    with a stop between them; what the last stage of a pipeline made of a batch; and what they hold."""
    jobs: list[dict[str, Any]] = []
    for name, division in DIVISIONS.items():
        ends = begun / f"{name} after one"
        jobs.append({"folder": ends, "settings": {**TEXT, **division}, "resume": True, "copy": begun / "half"})  # fmt: skip
        dropped = {**TEXT, **division, "dropout": 0.2, "steps": 2, "evaluate_every": 1}
        jobs += [
            {"folder": begun / f"{name} dropped", "settings": dropped},
            {"folder": begun / f"{name} resumed", "settings": dropped, "stop_at": 1},
            {"folder": begun / f"{name} resumed", "settings": dropped, "resume": True},
        ]
    dropped = {**TEXT, "tensor": 2, "dropout": 0.2}
    begins = begun / "half dropped"
    jobs.append({"folder": begun / "met", "settings": dropped, "resume": True, "copy": begins})
    divided = {name: {**TEXT, **division} for name, division in DIVISIONS.items()}
    return begun, run_together(cases.pair, 2, jobs, divided, begun / "text.txt")


@pytest.mark.parametrize("name", DIVISIONS)
def test_divided_run_equals_one_process(name: str, alone: cases.Found, four: Path) -> None:
    """Losses, norms, validation, best weights, moments and running means, a resume in mid-run
    included."""
    found = cases.result(four / f"{name} of four")
    assert [row["step"] for row in found["rows"]] == [0, 2, 2, 4, 4]
    assert min(row.get("gradient_norm", 1.0) for row in found["rows"]) > TEXT["clip_norm"]
    assert_same(found, alone)


@pytest.mark.parametrize("name", DIVISIONS)
def test_divided_run_goes_on_in_one_process(name: str, alone: cases.Found, four: Path) -> None:
    folder = four / f"{name} of four, half"
    cases.run(None, folder, TEXT, resume=True)
    assert_same(cases.result(folder), alone)


@pytest.mark.parametrize("name", DIVISIONS)
def test_run_of_one_process_goes_on_divided(name: str, alone: cases.Found, two: Any) -> None:
    assert_same(cases.result(two[0] / f"{name} after one"), alone)


def test_workers_of_a_row_drop_alike(two: Any) -> None:
    """What each of them holds whole stays the same at all: while they go on, while heads draw their
    own numbers, and where one of them was not there before."""
    assert [worker["alike"] for worker in two[1]] == [True, True]


@pytest.mark.parametrize("name", DIVISIONS)
def test_divided_run_resumes(name: str, two: Any) -> None:
    """Bit for bit, dropout included."""
    found, whole = (cases.result(two[0] / f"{name} {end}") for end in ("resumed", "dropped"))
    assert_same(found, whole, 0.0)


def test_last_stage_has_the_model_s_states(begun: Path, two: Any) -> None:
    """Its outputs, not its gradients alone; the embedding is at the first stage and, tied, at the
    last."""
    _order, whole = cases.ready(None, "language-model", TEXT, torch.float64, begun / "text.txt")
    first, last = (worker["states"] for worker in two[1])
    assert first == []
    assert len(last) == DIVISIONS["pipeline"]["micro_batches"]
    assert sum(len(tokens) for tokens, _states in last) == TEXT["batch_size"]
    whole.model.train()
    for tokens, states in last:
        expected, _state = whole.model(torch.from_numpy(tokens))
        assert_same(states, expected.detach().numpy())


@pytest.mark.parametrize("name", DIVISIONS)
def test_planned_parameters_are_those_held(name: str, two: Any, begun: Path) -> None:
    """By the fullest of two workers. FSDP shares out each parameter by its rows: about a half."""
    _order, whole = cases.ready(None, "language-model", TEXT, torch.float64, begun / "text.txt")
    measured = Measured(
        parts=tuple(parts_of_model(whole.model)), tied=tied(whole.model),
        batch_size=8, step_s=1.0, kept_bytes=1,
    )  # fmt: skip
    total = sum(one.numel() for one in whole.model.parameters())
    link = Link(bandwidth_bytes_s=1e9, latency_s=1e-5)
    assert plan(measured, Mesh(), link).parameters == total
    mesh = Mesh(data=2, shard=True) if name == "shard" else Mesh(**DIVISIONS[name])
    fullest = max(worker["held"][name] for worker in two[1])
    assert fullest == pytest.approx(
        plan(measured, mesh, link).parameters, rel=0.01 * (name == "shard")
    )
    assert fullest < 0.75 * total


PLAIN = {"clip_norm": 0.5, "lr": 0.01, "schedule": "constant", "warmup": 0}
STEADY = {**PLAIN, "dropout": 0.0}
CUT: dict[str, dict[str, Any]] = {
    "bert-pretrain": STEADY,
    # What all hold alike they drop alike; attention weights of a head are dropped by its worker.
    "translate": {**PLAIN, "model": "transformer", "dropout": 0.3},
}
SHARED: dict[str, dict[str, Any]] = {
    "autoencode": {**PLAIN, "model": "autoencoder"},
    "classify-images": {**PLAIN, "model": "resnet", "batch_size": 13},
    "dialogue": {**STEADY, "model": "hred"},
    "language-model": {**STEADY, "batch_size": 15},
    "translate": {**STEADY, "model": "luong", "accumulate": 2},
}
SINGLE = {"autoencode", "classify-images"}
"""Whose batches are numbers of single precision."""


@pytest.mark.slow
def test_recipes_cut_or_shared_out_equal_one_process() -> None:
    """Two steps of each; uneven shares, parts, carried states and normalization included."""
    jobs: dict[str, Any] = {}
    for flag, recipes in (("tensor", CUT), ("shard", SHARED)):
        for task, settings in recipes.items():
            dtype = torch.float32 if task in SINGLE else torch.float64
            division = {"tensor": 2} if flag == "tensor" else {"shard": True}
            jobs[f"{flag} {task}"] = (task, {**settings, **division}, dtype)
    together = run_together(cases.steps_of_all, 2, jobs)[0]
    for name, (task, settings, dtype) in jobs.items():
        plain = {key: value for key, value in settings.items() if key not in ("tensor", "shard")}
        bound = 1e-5 if dtype == torch.float32 else 1e-10
        assert_same(together[name], cases.steps(None, task, plain, dtype), bound, name)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "NOTHING-TO-CUT": ("forecast", {"model": "gru", "tensor": 2}),
    "CUT-UNEVEN": ("language-model", {**TEXT, "tensor": 3, "workers": 6}),
    "MODEL-IN-ONE": ("translate", {"model": "transformer", "pipeline": 2}),
    "STAGES-TOO-MANY": ("language-model", {**TEXT, "pipeline": 3}),
    "MICRO-BATCHES": ("language-model", {**TEXT, "pipeline": 2, "micro_batches": 3}),
    "BATCH-IN-PARTS": ("language-model", {**TEXT, "pipeline": 2, "accumulate": 2}),
    "DIVIDED-TWICE": ("language-model", {**TEXT, "pipeline": 2, "tensor": 2}),
    "DIVISION-SYNCHRONOUS": (
        "language-model", {**TEXT, "shard": True, "workers": 2, "together": "server"},
    ),
    "SHARD-ALONE": ("forecast", {"model": "gru", "shard": True}),
}  # fmt: skip


@pytest.mark.parametrize("code", REFUSED)
def test_division_that_cannot_be_is_a_fault(code: str, tmp_path: Path) -> None:
    """Before a run folder is made; each fault says what to do."""
    task, settings = REFUSED[code]
    brief = catalogue.recipe(task).BRIEF
    order = place(task, brief.data, ("test", {**brief.settings, **settings, "runs": str(tmp_path)}))
    with pytest.raises(UsageFault) as raised:
        train(order)
    fault = raised.value
    assert fault.code == code
    assert fault.place
    assert fault.next_step
    assert not list(tmp_path.iterdir())


def test_single_number_is_not_shared_out() -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

    brief = catalogue.recipe("forecast").BRIEF
    order = place("forecast", brief.data, ("test", {**brief.settings, "shard": True}))
    with pytest.raises(UsageFault, match="SHARD-SCALAR"):
        check_divided(order, Scaled(), 2)
    check_divided(order, torch.nn.Linear(2, 2), 2)


def test_processes_that_fill_no_rows_are_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workers, settings in ((3, {"tensor": 2}), (2, {"tensor": 4}), (1, {"micro_batches": 2})):
        with pytest.raises(UsageFault, match="SETTING-REFUSED"):
            place("language-model", [], ("test", {**TEXT, **settings, "workers": workers}))
    monkeypatch.setenv("RANK", "0")  # as torchrun starts them
    monkeypatch.setenv("WORLD_SIZE", "3")
    brief = catalogue.recipe("language-model").BRIEF
    settings = {**brief.settings, **TEXT, "tensor": 2, "runs": str(tmp_path)}
    with pytest.raises(UsageFault, match="CREW-UNEVEN"):
        train(place("language-model", brief.data, ("test", settings)))


@pytest.mark.slow
def test_started_run_stops_and_goes_on_alone(tmp_path: Path) -> None:
    """``train --tensor 2``, Ctrl-C, ``--resume --workers 1``: as one process would have done it."""
    brief = catalogue.recipe("language-model").BRIEF
    plain = {**brief.settings, **TEXT, "runs": str(tmp_path)}
    order = place("language-model", brief.data, ("test", {**plain, "tensor": 2}))
    audience = cases.StopsAt(2)
    with pytest.raises(Interrupted):
        train(order, audience=audience, stop=audience.stop)
    folder = next((tmp_path / "language-model").iterdir())
    assert list((folder / "workers").iterdir())
    run = resume(folder, workers=1)
    one = train(place("language-model", brief.data, ("test", plain)))
    found, alone = (cases.result(each.folder.path / "seed0") for each in (run, one))
    for result in (found, alone):
        assert len(result["rows"]) == 5
    assert_same(found["best"], alone["best"], 1e-5)
    assert_same(found["model"], alone["model"], 1e-5)
