"""A batch learned in parts, one after the other or by several workers, gives the whole batch's
gradient: of every recipe, through its own source, objective and weights."""

from __future__ import annotations

import pytest
import torch

from . import cases
from .test_synchronous import assert_equal

PLAIN = {
    **{"clip_norm": 0.0, "optimizer": "sgd", "lr": 0.01, "schedule": "constant", "warmup": 0},
}
NO_DROPOUT = {**PLAIN, "dropout": 0.0}
RECIPES = {
    "autoencode": {**PLAIN, "model": "autoencoder"},
    "language-model": {**NO_DROPOUT, "model": "lstm", "lr": 0.5, "batch_size": 15},
    "dialogue": {**NO_DROPOUT, "model": "hred"},
}
"""What makes each recipe repeat itself: no dropout, and steps that do not depend on one another's
rounding."""


@pytest.mark.parametrize("task", RECIPES)
def test_gradients_of_two_parts_equal_the_whole_batch(task: str) -> None:
    whole = cases.gradients_of_recipe(None, task, RECIPES[task], torch.float64, 2)
    parts = cases.gradients_of_recipe(
        None, task, {**RECIPES[task], "accumulate": 2}, torch.float64, 2
    )
    assert_equal(whole, [parts], 1e-12)
