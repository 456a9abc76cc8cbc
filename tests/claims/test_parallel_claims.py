"""Claims on data and model parallelism: texts, rules, and what real processes measure."""

from __future__ import annotations

import math

import pytest

from shinso.claims.claim import Verdict
from shinso.claims.data_parallel import equal as data_equal
from shinso.claims.data_parallel import speed, sync_vs_async
from shinso.claims.model_parallel import equal as model_equal
from shinso.claims.model_parallel import memory, size
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    numbers_in,
    seeds_of,
    verdict_of,
)

EVERY = {
    "data-parallel.equal": data_equal,
    "data-parallel.speed": speed,
    "data-parallel.sync-vs-async": sync_vs_async,
    "model-parallel.equal": model_equal,
    "model-parallel.memory": memory,
    "model-parallel.size": size,
}
TIMED = (speed, size)
EXACT = (data_equal, model_equal, memory)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(speed.STEPS, "quick", 2)
    monkeypatch.setitem(size.STEPS, "quick", 2)
    monkeypatch.setitem(sync_vs_async.UPDATES, "quick", 12)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name: str) -> None:
    check_texts(EVERY[name], name)


@pytest.mark.slow
@pytest.mark.parametrize("module", [*EXACT, sync_vs_async], ids=lambda m: m.__name__)
def test_measurement_repeats_and_is_drawn(module) -> None:
    """Where nothing is timed or drawn by lot, one seed decides."""
    found, control = measured_twice(module), module.measure(3, True, "quick")
    check_drawing(module, found, control)
    if module in EXACT:
        held = Verdict.CONDITIONALLY if module is data_equal else Verdict.HOLDS
        assert verdict_of(module, found) is held, found
        assert verdict_of(module, control) is Verdict.REFUTED, control


@pytest.mark.slow
@pytest.mark.parametrize("module", TIMED, ids=lambda m: m.__name__)
def test_timing_is_finite_and_drawn(module) -> None:
    found, control = (module.measure(0, control, "quick") for control in (False, True))
    assert all(math.isfinite(value) and value > 0 for value in numbers_in(found))
    check_drawing(module, found, control)
    assert module.holds([found, found]).estimates


def test_stale_gradients_are_as_stale_as_said() -> None:
    measured = sync_vs_async.measure(0, False, "quick")
    control = sync_vs_async.measure(0, True, "quick")
    updates = 12
    for age in sync_vs_async.STALENESS:
        mean = (sum(range(age)) + age * (updates - age)) / updates
        assert measured[f"mean_staleness_at_{age}"] == pytest.approx(mean)
        assert control[f"mean_staleness_at_{age}"] == 0
        assert control[f"accuracy_at_{age}"] == measured["accuracy_at_0"]


def test_rules() -> None:
    assert verdict_of(data_equal, {"difference_float64": 1e-13, "difference_float32": 1e-7}) is Verdict.CONDITIONALLY  # fmt: skip
    assert verdict_of(data_equal, {"difference_float64": 1e-11, "difference_float32": 1e-7}) is Verdict.REFUTED  # fmt: skip
    about = {"cpu_ms_alone": 10.0, "cpu_ms_of_two": 11.0}
    for value, verdict in ((1.9, Verdict.HOLDS), (1.5, Verdict.REFUTED), (1.7, Verdict.UNDECIDED)):
        assert verdict_of(speed, *seeds_of(speed_up_of_two=value, **about)) is verdict
    for value, verdict in ((0.5, Verdict.HOLDS), (0.21, Verdict.REFUTED)):
        rows = seeds_of(efficiency_16=0.2, efficiency_64=0.3, efficiency_256=value)
        assert verdict_of(size, *rows) is verdict
    for last, verdict in (
        (0.7, Verdict.HOLDS), (0.899, Verdict.REFUTED),
    ):  # fmt: skip
        rows = seeds_of(
            accuracy_at_0=0.9, accuracy_at_1=0.9, accuracy_at_3=0.89, accuracy_at_7=last
        )
        assert verdict_of(sync_vs_async, *rows) is verdict


def test_efficiency_below_one_half_is_called_slower() -> None:
    rows = seeds_of(efficiency_16=0.2, efficiency_64=0.3, efficiency_256=0.7)
    because = size.holds(rows).because
    assert "slower than one process (below 0.5) at width 16, 64." in because.en
    assert "幅 16、64 では 0.5 未満" in because.ja
    rows = seeds_of(efficiency_16=0.6, efficiency_64=0.7, efficiency_256=0.8)
    assert "slower" not in size.holds(rows).because.en


def test_loss_at_staleness_one_is_told() -> None:
    about = {"accuracy_at_0": 0.9, "accuracy_at_3": 0.8, "accuracy_at_7": 0.5}
    kept = seeds_of(**about, accuracy_at_1=0.9)
    lost = seeds_of(**about, accuracy_at_1=0.8)
    assert "no loss is shown" in sync_vs_async.holds(kept).because.en
    assert "no loss is shown" not in sync_vs_async.holds(lost).because.en
