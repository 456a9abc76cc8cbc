"""The loop: resume, best weights, patience, divergence, Ctrl-C."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from shinso.faults import RunFault
from shinso.runs.checkpoint import PREVIOUS, RESUME, load_weights, save_weights
from shinso.runs.folder import SeedFolder
from shinso.training.gradient import GradientLearner
from shinso.training.loop import Outcome, Selection, Silent, run_loop
from shinso.training.plan import Training
from shinso.training.stopping import StopRequest


class NoisyLine:
    """Batches of y = 3x − 1 with noise, from the source's own generator."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def next_batch(self) -> tuple[Tensor, Tensor]:
        x = torch.randn(8, 4, generator=self.generator)
        return x, 3 * x.sum(1, keepdim=True) - 1

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"])


class SquaredError:
    """Mean squared error, times ``scale``."""

    scale = 1.0

    def __call__(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Mapping[str, Tensor]:
        return {"loss": self.scale * (model(batch[0]) - batch[1]).square().mean()}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


TRAINING = Training(steps=20, evaluate_every=3, checkpoint_every=7, lr=0.05, schedule="cosine")


def train_one(
    folder: Path,
    training: Training = TRAINING,
    *,
    stop_at: int | None = None,
    resume: bool = False,
    previous: bool = False,
    validate: Any = None,
) -> tuple[nn.Module, Outcome]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
    learner = GradientLearner(model, SquaredError(), training)
    stop = StopRequest()

    class StopThere(Silent):
        def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
            if stop_at is not None and step >= stop_at:
                stop.ask()

    x = torch.linspace(-1, 1, 40).view(10, 4)

    def measure() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            return {"mse": float((model(x) - 3 * x.sum(1, keepdim=True) + 1).square().mean())}

    one = SeedFolder(folder, 3)
    outcome = run_loop(
        learner,
        NoisyLine(11),
        training,
        one,
        validate=validate or measure,
        selection=Selection("mse"),
        keep_best=lambda: save_weights(one.best_weights, model),
        stop=stop,
        progress=StopThere(),
        resume=resume,
        previous_checkpoint=previous,
    )
    return model, outcome


def rows_without_seconds(folder: Path) -> list[dict[str, Any]]:
    return list(SeedFolder(folder, 3).metrics.rows())


def assert_same(first: nn.Module, second: nn.Module) -> None:
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@settings(max_examples=8, deadline=None)
@given(
    stop_at=st.integers(1, 18),
    average=st.sampled_from([0.0, 0.9]),
    optimizer=st.sampled_from(["adamw", "sgd"]),
)
def test_stopped_run_resumes_bit_for_bit(
    stop_at: int, average: float, optimizer: Any, tmp_path_factory: Any
) -> None:
    training = replace(TRAINING, average=average, optimizer=optimizer, lr=0.01)
    folder = tmp_path_factory.mktemp("runs")
    whole, finished = train_one(folder / "whole", training)
    _model, stopped = train_one(folder / "parts", training, stop_at=stop_at)
    assert stopped.ended == ("asked" if stopped.step < 20 else "steps")
    resumed, outcome = train_one(folder / "parts", training, resume=True)
    assert outcome.ended == finished.ended == "steps"
    assert (outcome.best, outcome.best_step) == (finished.best, finished.best_step)
    assert_same(whole, resumed)
    assert rows_without_seconds(folder / "whole") == rows_without_seconds(folder / "parts")
    best = [load_weights(folder / part / "weights/best.safetensors") for part in ("whole", "parts")]
    assert all(torch.equal(best[0][name], best[1][name]) for name in best[0])


def test_a_stop_before_the_first_step_counts_the_first_look_once(tmp_path: Path) -> None:
    training = replace(TRAINING, patience=3)
    values = [5.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.0, 9.0]
    whole, straight = train_one(tmp_path / "whole", training, validate=told(values))
    looks = told(values)
    _, stopped = train_one(tmp_path / "parts", training, stop_at=0, validate=looks)
    assert (stopped.step, stopped.ended) == (0, "asked")
    resumed, outcome = train_one(tmp_path / "parts", training, resume=True, validate=looks)
    assert (outcome.step, outcome.ended) == (straight.step, straight.ended)
    assert rows_without_seconds(tmp_path / "whole") == rows_without_seconds(tmp_path / "parts")
    assert_same(whole, resumed)


def told(values: list[float]) -> Any:
    """A validation part that says one after the other."""
    rest = iter(values)
    return lambda: {"mse": next(rest)}


def test_run_killed_after_a_checkpoint_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Metrics written after the last checkpoint are taken back and written again."""
    whole, _ = train_one(tmp_path / "whole")

    def kill_late() -> Mapping[str, float]:
        rows = rows_without_seconds(tmp_path / "killed")
        if rows and rows[-1]["step"] >= 12:
            raise SystemError("power cut")
        return {"mse": 1.0}

    with pytest.raises(SystemError):
        train_one(tmp_path / "killed", validate=kill_late)
    assert rows_without_seconds(tmp_path / "killed")[-1]["step"] > 7
    resumed, _ = train_one(tmp_path / "killed", resume=True)
    assert_same(whole, resumed)
    steps = [row["step"] for row in rows_without_seconds(tmp_path / "killed")]
    assert steps == sorted(steps)


def test_corrupt_checkpoint_is_named_and_the_previous_one_resumes(tmp_path: Path) -> None:
    whole, _ = train_one(tmp_path / "whole")
    train_one(tmp_path / "hurt", stop_at=15)
    newest = tmp_path / "hurt" / RESUME
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 0xFF  # one byte in the middle: the archive still opens
    newest.write_bytes(bytes(content))
    with pytest.raises(RunFault) as raised:
        train_one(tmp_path / "hurt", resume=True)
    assert raised.value.code == "RUN-CHECKPOINT-CORRUPT"
    assert str(newest) in raised.value.place
    assert "--previous-checkpoint" in raised.value.next_step
    assert (tmp_path / "hurt" / PREVIOUS).exists()
    resumed, _ = train_one(tmp_path / "hurt", resume=True, previous=True)
    assert_same(whole, resumed)


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_truncated_checkpoint_is_named(tmp_path: Path, keep: int) -> None:
    train_one(tmp_path, stop_at=15)
    newest = tmp_path / RESUME
    newest.write_bytes(newest.read_bytes()[:keep])
    with pytest.raises(RunFault, match="RUN-CHECKPOINT-CORRUPT"):
        train_one(tmp_path, resume=True)


def test_untrained_model_is_kept_when_nothing_improves_on_it(tmp_path: Path) -> None:
    looks = iter(range(100))
    model, outcome = train_one(tmp_path, validate=lambda: {"mse": float(next(looks))})
    assert outcome.best_step == 0
    torch.manual_seed(3)
    fresh = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))
    kept = load_weights(tmp_path / "weights/best.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in fresh.state_dict().items())
    assert not torch.equal(model.state_dict()["0.weight"], kept["0.weight"])


def test_patience_ends_training(tmp_path: Path) -> None:
    looks = iter([5.0, 4.0, 4.5, 4.2, 1.0])
    training = replace(TRAINING, patience=2)
    _, outcome = train_one(tmp_path, training, validate=lambda: {"mse": next(looks)})
    assert (outcome.ended, outcome.step, outcome.best_step) == ("patience", 9, 3)


def test_budget_ends_training(tmp_path: Path) -> None:
    _, outcome = train_one(tmp_path, replace(TRAINING, budget="0.000001s"))
    assert (outcome.ended, outcome.step) == ("budget", 0)


def test_loss_that_is_no_number_is_a_fault_and_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SquaredError, "scale", float("nan"))
    with pytest.raises(RunFault) as raised:
        train_one(tmp_path)
    assert raised.value.code == "TRAIN-DIVERGED"
    assert "--find-lr" in raised.value.next_step
    assert (tmp_path / "weights/best.safetensors").exists()


def test_metrics_name_part_and_step(tmp_path: Path) -> None:
    train_one(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["part"] == "valid"] == [0, 3, 6, 9, 12, 15, 18, 20]
    assert all(
        {"loss", "lr", "gradient_norm"} <= row.keys() for row in rows if row["part"] == "train"
    )


@given(value=st.floats(), best=st.none() | st.floats(allow_nan=False))
def test_selection_holds_for_any_numbers(value: float, best: float | None) -> None:
    for mode, sign in (("min", 1), ("max", -1)):
        better = Selection("m", mode).better(value, best)  # pyright: ignore[reportArgumentType]
        if value != value:
            assert not better
        elif best is None:
            assert better
        else:
            assert better == (sign * value < sign * best)
