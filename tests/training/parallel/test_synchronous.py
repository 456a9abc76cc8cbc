"""The gradient of workers together is that of one process on the joint batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from shinso.data.batch_parts import part_of, parts_of, share_of
from shinso.faults import UsageFault
from shinso.training.parallel.synchronous import synchronize_norms
from shinso.training.parallel.together import run_together

from . import cases

BOUNDS = {torch.float32: 1e-6, torch.float64: 1e-12}
NO_DROPOUT = {"dropout": 0.0, "clip_norm": 0.0, "optimizer": "sgd", "lr": 0.05}
RECIPES: dict[str, tuple[str, dict[str, Any], int]] = {
    "recurrent": ("classify-series", {**NO_DROPOUT, "model": "gru", "batch_size": 13}, 3),
    "tokens": ("tag", {**NO_DROPOUT, "model": "bilstm", "batch_size": 7}, 3),
    "convolutional": (
        "classify-images",
        {"model": "resnet", "batch_size": 13, "lr": 0.02, "schedule": "constant"},
        2,
    ),
    "transformer": ("translate", {**NO_DROPOUT, "model": "transformer", "warmup": 0}, 2),
}


def assert_equal(alone: Any, together: list[Any], bound: float) -> None:
    """Largest difference, relative to the largest of the tensor's entries or 1."""
    for worker in together:
        assert len(worker) == len(alone)
        for ours, theirs in zip(worker, alone, strict=True):
            assert ours.keys() == theirs.keys()
            for name, value in theirs.items():
                if name.endswith("accuracy"):  # the objectives count in float32
                    assert ours[name] == pytest.approx(value, abs=1e-6)
                    continue
                value = np.asarray(value)
                difference = np.abs(np.asarray(ours[name]) - value).max()
                assert difference <= bound * max(1.0, np.abs(value).max()), (name, difference)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("kind", cases.MODELS)
def test_gradients_of_small_models_equal_the_joint_batch(
    kind: str, size: int, accumulate: int
) -> None:
    """Batches of 8, 7, 3 and 1 samples: uneven shares, and fewer samples than workers."""
    for dtype, bound in BOUNDS.items():
        alone = cases.gradients_of_small(None, kind, dtype, 1)
        together = run_together(cases.gradients_of_small, size, kind, dtype, accumulate)
        assert_equal(alone, together, bound)


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("name", RECIPES)
def test_gradients_of_recipes_equal_the_joint_batch(name: str, size: int) -> None:
    """Through the recipe's own reading, batching and objective, dropout aside."""
    task, settings, steps = RECIPES[name]
    arguments = (task, settings, ["float32", "float64"], steps)
    alone = cases.gradients_of_recipe_in_each(None, *arguments)
    together = run_together(cases.gradients_of_recipe_in_each, size, *arguments)
    for name, gradients in alone.items():
        bound = BOUNDS[getattr(torch, name)]
        assert_equal(gradients, [worker[name] for worker in together], bound)


def test_crew_agrees() -> None:
    for said, largest, gathered in run_together(cases.agree, 2):
        assert said == {"rank": 0, "numbers": [1.5, None], "path": "a"}
        assert largest == 3
        assert gathered == [{"rank": 0, "x": ""}, {"rank": 1, "x": "é"}]


@pytest.mark.parametrize(
    ("function", "says"),
    [(cases.fail_at_one, "does not like it"), (cases.end_at_one, "worker")],
)
def test_failing_worker_is_told(function: Any, says: str) -> None:
    with pytest.raises(RuntimeError, match=says):
        run_together(function, 2, timeout_s=20.0)


def test_parts_hold_every_sample_once() -> None:
    batch = {"x": torch.arange(7), "names": list("abcdefg"), "size": 3, "none": None}
    parts = parts_of(batch, 3)
    assert sorted(torch.cat([part["x"] for part in parts]).tolist()) == list(range(7))
    assert sorted("".join("".join(part["names"]) for part in parts)) == list("abcdefg")
    assert [len(part["x"]) for part in parts] == [3, 2, 2]
    assert all(part["size"] == 3 and part["none"] is None for part in parts)
    assert len(parts_of(batch, 20)) == 7
    assert share_of(batch, 5, 8) is batch
    assert isinstance(part_of(cases.Example(torch.ones(4), torch.ones(4)), 0, 2), cases.Example)


def test_batch_without_a_common_axis_is_a_fault() -> None:
    with pytest.raises(UsageFault, match="BATCH-INDIVISIBLE"):
        part_of((torch.ones(4), torch.ones(5)), 0, 2)


def test_own_statistics_of_each_worker_are_a_fault() -> None:
    with pytest.raises(UsageFault, match="NORM-NOT-SHARED"):
        synchronize_norms(torch.nn.Sequential(torch.nn.BatchNorm1d(3)))
