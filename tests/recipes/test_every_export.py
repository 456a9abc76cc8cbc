"""Every recipe's network as ONNX: it agrees with PyTorch at sizes that the export never saw, or it
is refused by its name with the reason. A new recipe is tested by being there."""

from __future__ import annotations

from pathlib import Path

import pytest

from shinso.compress import calls as calling
from shinso.compress import export
from shinso.compress.axes import find, unseen
from shinso.faults import RunFault
from shinso.walk import catalogue
from shinso.walk.exporting import check_parity, no_calls
from shinso.walk.network_calls import evaluated
from shinso.walk.training import prepare
from tests.recipes.test_every_recipe import order_of_sample

FIRST = [(task, next(iter(catalogue.recipe(task).MODELS))) for task in catalogue.tasks()]
OTHERS = [
    (task, model)
    for task in catalogue.tasks()
    for model in catalogue.recipe(task).MODELS
    if (task, model) not in FIRST
]


SMALLER = {
    ("classify-images", "densenet"): {"depth": 16},
    ("classify-images", "mobilenet-v3"): {"size": "small"},
    ("segment", "unet"): {"depth": 2},
}
"""Networks whose default is many layers of one kind, of which a few say as much."""


def exported(task: str, model: str, folder: Path) -> export.Parity:
    """How an untrained network's file compares with it. Raises what ``shinso export`` raises."""
    order = order_of_sample(task, model, folder, **SMALLER.get((task, model), {}))
    data = order.recipe.read(order.config, order.paths)
    built = prepare(order, data, data.facts(), 0)
    network = getattr(order.recipe.use(order.config, data.facts(), built.model), "model", None)
    if network is None:
        raise no_calls(built.model, "it is a table, no network")
    network.eval()
    use = order.recipe.use(order.config, data.facts(), network)
    _found, made = evaluated(use, network, data, "valid")
    if not made.calls:
        raise no_calls(network, made.unknown or "in parts")
    known = calling.few(made.calls)
    axes = find(network, known)
    example = export.example_of(known[0], axes)
    path = folder / "model.onnx"
    names = export.names_of(network, example)
    export.to_onnx(network, export.program(network, example, axes), path, {}, axes, names)
    sizes = axes.sizes(example)
    tests = [(one, axes.resized(known[-1], one)) for one in unseen(axes, sizes)]
    parity = export.compare(network, tests, export.run_onnx(path), sizes)
    check_parity(network, parity, path)
    return parity


def outcome(task: str, model: str, folder: Path) -> export.Parity | RunFault:
    try:
        return exported(task, model, folder)
    except RunFault as fault:
        return fault


REFUSED = {
    ("control", "linear"): "EXPORT-REFUSED",  # its tiles are places in a table
    ("detect", "faster-rcnn"): "EXPORT-REFUSED",  # as many proposals as it finds
    ("dialogue", "hred"): "EXPORT-NO-CALLS",
    ("dialogue", "vhred"): "EXPORT-NO-CALLS",
    ("dialogue", "seq2seq"): "EXPORT-NO-CALLS",
    ("translate", "bahdanau"): "EXPORT-DIFFERS",  # each word waits for the last: a loop, unrolled
    **{("word2vec", one): "EXPORT-NO-CALLS" for one in catalogue.recipe("word2vec").MODELS},
}
"""What cannot be a file, and how it says so; all else agrees."""


def agrees_or_is_refused(task: str, model: str, folder: Path) -> None:
    found = outcome(task, model, folder)
    if isinstance(found, RunFault):
        assert REFUSED.get((task, model)) == found.code, found.text()
        assert found.place
        assert found.found
        return
    assert (task, model) not in REFUSED
    assert len(found.comparisons) >= 3
    assert found.agrees


@pytest.mark.parametrize(("task", "model"), FIRST)
def test_first_network_of_every_recipe_agrees_or_is_refused(
    task: str, model: str, tmp_path: Path
) -> None:
    agrees_or_is_refused(task, model, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "model"), OTHERS)
def test_every_other_network_agrees_or_is_refused(task: str, model: str, tmp_path: Path) -> None:
    agrees_or_is_refused(task, model, tmp_path)
