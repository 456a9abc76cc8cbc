"""A batch learned in parts, one after the other or by several workers, gives the whole batch's
gradient: of every recipe, through its own source, objective and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shinso.training.parallel.together import run_together
from shinso.walk import catalogue

from . import cases
from .test_synchronous import assert_equal

PLAIN = {
    **{"clip_norm": 0.0, "optimizer": "sgd", "lr": 0.01, "schedule": "constant", "warmup": 0},
}
NO_DROPOUT = {**PLAIN, "dropout": 0.0}
RECIPES: dict[str, dict[str, Any]] = {
    "audio": PLAIN,
    "autoencode": {**PLAIN, "model": "autoencoder"},
    "bert-pretrain": NO_DROPOUT,
    "classify-series": {**NO_DROPOUT, "model": "bigru"},
    "classify-text": NO_DROPOUT,
    "dialogue": {**NO_DROPOUT, "model": "hred"},
    "forecast": {**PLAIN, "model": "linear"},
    "go-policy": {**PLAIN, "model": "rollout"},
    "language-model": {**NO_DROPOUT, "lr": 0.5, "batch_size": 15},
    "tag": {**NO_DROPOUT, "model": "bilstm"},
    "tag-text": NO_DROPOUT,
    "translate": {**NO_DROPOUT, "model": "transformer"},
}
"""What makes each recipe repeat itself: no dropout, no draws."""
NORMALIZED: dict[str, dict[str, Any]] = {
    "classify-images": {**PLAIN, "model": "resnet", "batch_size": 13},
    "detect": {**PLAIN, "batch_size": 5},
    "go-value": PLAIN,
    "segment": {**PLAIN, "batch_size": 3},
}
"""Those that normalize over the batch: workers share its statistics, parts after one another cannot."""
SELF_PLAY = {"alphago-zero", "go-self-play"}
"""Those whose games take longer than a test may; their networks and objectives are of go-policy's and
go-value's kinds."""
ALONE = {"control", "word2vec"}
"""Those that do not learn by the gradient of a batch."""
FAMILIES = ("autoencode", "bert-pretrain", "dialogue", "language-model", *NORMALIZED)
"""Of each kind of weight and state one; ``test_synchronous`` has the others."""
IN_FLOAT32 = {"detect", "go-policy", "go-value"}
"""Whose batches or objectives are of single precision."""


def test_every_recipe_has_its_place_here() -> None:
    assert RECIPES.keys() | NORMALIZED.keys() | SELF_PLAY | ALONE == set(catalogue.titles())


@pytest.mark.parametrize("task", RECIPES)
def test_gradients_of_two_parts_equal_the_whole_batch(task: str) -> None:
    whole = cases.gradients_of_recipe(None, task, RECIPES[task], torch.float64, 2)
    parts = cases.gradients_of_recipe(
        None, task, {**RECIPES[task], "accumulate": 2}, torch.float64, 2
    )
    assert_equal(whole, [parts], 1e-5 if task in IN_FLOAT32 else 1e-10)


@pytest.mark.parametrize("task", NORMALIZED)
def test_normalized_parts_are_learned(task: str) -> None:
    settings = {**NORMALIZED[task], "accumulate": 2}
    *steps, _buffers = cases.gradients_of_recipe(None, task, settings, torch.float64, 2)
    assert all(np.isfinite(one["loss"]) and one["gradient_norm"] > 0 for one in steps)


def test_gradients_of_two_workers_equal_the_whole_batch() -> None:
    recipes = {task: (RECIPES | NORMALIZED)[task] for task in FAMILIES}
    alone = cases.gradients_of_recipes(None, recipes)
    together = run_together(cases.gradients_of_recipes, 2, recipes)
    for task, found in alone.items():
        bound = 1e-5 if task in IN_FLOAT32 else 1e-10
        assert_equal(found, [worker[task] for worker in together], bound)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_hidden_states_go_on_with_another_number_of_workers(
    before: int, after: int, tmp_path: Path
) -> None:
    """As if one process had done it all; 3 workers and 2 parts each share 7 samples unevenly."""
    settings = {**RECIPES["language-model"], "batch_size": 7, "accumulate": 2, "hidden": 8}

    def run(workers: int, begins: bool, name: str) -> list[Any]:
        arguments = ("language-model", settings, str(tmp_path / name), begins)
        if workers == 1:
            return [cases.recipe_goes_on(None, *arguments)]
        return run_together(cases.recipe_goes_on, workers, *arguments)

    first = run(1, True, "alone")
    assert_equal(first[0], run(before, True, "several"), 1e-12)
    assert_equal(run(1, False, "alone")[0], run(after, False, "several"), 1e-12)
