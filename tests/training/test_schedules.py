"""Learning-rate schedules against torch's own, and their ends."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shinso.training.plan import ScheduleName, Training
from shinso.training.schedules import lr_factor


@given(
    schedule=st.sampled_from(get_args(ScheduleName)),
    steps=st.integers(2, 500),
    part=st.floats(0, 0.9),
    place=st.floats(0, 1),
)
def test_factor_lies_between_zero_and_one_holds_for_any_step(
    schedule: ScheduleName, steps: int, part: float, place: float
) -> None:
    step = int(place * (steps - 1))
    assert 0 <= lr_factor(schedule, step, steps, int(part * steps)) <= 1


def test_cosine_matches_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    oracle = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    for step in range(50):
        assert lr_factor("cosine", step, 50, 0) == pytest.approx(oracle.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        oracle.step()


def test_linear_matches_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    oracle = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=40)
    for step in range(40):
        assert lr_factor("linear", step, 40, 0) == pytest.approx(oracle.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        oracle.step()


def test_inverse_sqrt_matches_the_transformer_paper() -> None:
    """Vaswani et al. 2017, eq. 3, divided by its value at the end of the warm-up."""
    warmup = 40

    def paper(step: int) -> float:
        return min(step**-0.5, step * warmup**-1.5)

    for step in range(200):
        ours = lr_factor("inverse-sqrt", step, 200, warmup)
        assert ours == pytest.approx(paper(step + 1) / paper(warmup))


def test_one_cycle_peaks_at_thirty_percent() -> None:
    factors = [lr_factor("one-cycle", step, 100, 0) for step in range(100)]
    assert max(factors) == factors[30] == 1
    assert factors[0] == pytest.approx(0.04)
    assert factors[-1] < 0.01


def test_warmup_rises_in_equal_steps() -> None:
    assert [lr_factor("constant", step, 10, 4) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [("steps", 0), ("lr", 0.0), ("lr", float("nan")), ("clip_norm", -1.0), ("warmup", 1000),
     ("budget", "soon"), ("patience", -1)],
)  # fmt: skip
def test_wrong_training_setting_names_itself(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"\b{field}\b"):
        Training(**{field: value})  # pyright: ignore[reportArgumentType]
