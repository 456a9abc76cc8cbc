"""A network that taught itself Go begins as another run, on the same board or on another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.faults import RunFault, UsageFault
from shinso.recipes import alphago_zero
from shinso.runs.checkpoint import load_weights
from shinso.walk.order import place
from shinso.walk.run import Run
from shinso.walk.training import train

SMALL = {
    "games": 4, "simulations": 2, "opponent": 4, "match_games": 2, "steps": 2, "batch_size": 8,
    "evaluate_every": 2, "warm_up": 8, "window": 200,
}  # fmt: skip


@pytest.fixture(scope="module", params=["pooled", "residual"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On 5×5 at komi 3.5; a network of another size than the default."""
    settings = {
        **SMALL, "model": request.param, "komi": 3.5, "filters": 4, "blocks": 1,
        "runs": str(tmp_path_factory.mktemp("runs")),
    }  # fmt: skip
    return train(place("alphago-zero", (), ("test", settings))).folder.path


def begun(run: Path, folder: Path, **settings: Any) -> Run:
    model = run.name.partition("-")[2]
    order = {**SMALL, "model": model, "start": str(run), "runs": str(folder), **settings}
    return train(place("alphago-zero", (), ("test", order)))


def test_begins_with_the_weights_board_and_komi_of_its_start(run, tmp_path):
    """After steps that are too small to matter it is the start."""
    second = begun(run, tmp_path, lr=1e-30)
    assert (second.use().data.side, second.use().data.komi) == (5, 3.5)
    own = load_weights(second.folder.seed(0).best_weights)
    start = load_weights(run / "seed0" / "weights" / "best.safetensors")
    learnt = [name for name in start if name.endswith((".weight", ".bias"))]
    assert learnt
    assert all(torch.allclose(own[name], start[name], rtol=0, atol=1e-20) for name in learnt)
    # What began as another run can be a start in turn; its size is not in its settings.
    third = begun(second.folder.path, tmp_path, komi=9.0)
    assert third.use().data.komi == 9.0
    assert third.use().model.config.filters == 4


def test_another_board_needs_a_network_without_a_size(run, tmp_path):
    if run.name.endswith("pooled"):
        assert begun(run, tmp_path, side=7).use().data.side == 7
        return
    with pytest.raises(RunFault, match="START-REFUSED"):
        begun(run, tmp_path, side=7)


def test_wrong_starts_are_refused(run, tmp_path):
    other = "residual" if run.name.endswith("pooled") else "pooled"
    with pytest.raises(RunFault, match="START-REFUSED"):
        begun(run, tmp_path, model=other)
    with pytest.raises(RunFault, match="RUN-NOT-FOUND"):
        begun(run, tmp_path, start=str(tmp_path / "none"))
    with pytest.raises(UsageFault, match="SETTING-REFUSED"):
        begun(run, tmp_path, filters=6)


@pytest.mark.parametrize("komi", [float("nan"), 26.0])
def test_a_komi_beyond_the_board_is_refused(komi):
    with pytest.raises(ValueError, match="komi"):
        alphago_zero.Config(side=5, komi=komi)
