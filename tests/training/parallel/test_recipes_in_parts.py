"""A batch learned in parts, one after the other or by several workers, gives the whole batch's
gradient: of every recipe, through its own source, objective and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.training.parallel.together import run_together

from . import cases
from .test_synchronous import assert_equal

PLAIN = {
    **{"clip_norm": 0.0, "optimizer": "sgd", "lr": 0.01, "schedule": "constant", "warmup": 0},
}
NO_DROPOUT = {**PLAIN, "dropout": 0.0}
RECIPES: dict[str, dict[str, Any]] = {
    "autoencode": {**PLAIN, "model": "autoencoder"},
    "bert-pretrain": NO_DROPOUT,
    "language-model": {**NO_DROPOUT, "lr": 0.5, "batch_size": 15},
    "dialogue": {**NO_DROPOUT, "model": "hred"},
}
"""What makes each recipe repeat itself: no dropout, no draws, and batches that parts share
unevenly."""
NORMALIZED: dict[str, dict[str, Any]] = {
    "detect": {**PLAIN, "batch_size": 5},
    "segment": {**PLAIN, "batch_size": 3},
}
"""Those that normalize over the batch: workers share its statistics, parts after one another cannot."""


@pytest.mark.parametrize("task", RECIPES)
def test_gradients_of_two_parts_equal_the_whole_batch(task: str) -> None:
    whole = cases.gradients_of_recipe(None, task, RECIPES[task], torch.float64, 2)
    parts = cases.gradients_of_recipe(
        None, task, {**RECIPES[task], "accumulate": 2}, torch.float64, 2
    )
    assert_equal(whole, [parts], 1e-12)


def test_gradients_of_two_workers_equal_the_whole_batch() -> None:
    alone = cases.gradients_of_recipes(None, RECIPES | NORMALIZED)
    together = run_together(cases.gradients_of_recipes, 2, RECIPES | NORMALIZED)
    for task, found in alone.items():
        bound = 1e-5 if task == "detect" else 1e-10  # its objective computes in float32
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
