"""Claims of the chapters on quantization, distillation and pruning."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from shinso.claims.claim import Verdict
from shinso.claims.distillation import accuracy as distillation
from shinso.claims.pruning import accuracy as pruning_accuracy
from shinso.claims.pruning import speed as pruning_speed
from shinso.claims.quantization import size_speed_accuracy as quantization
from tests.claims.claim_checks import (
    check_drawing,
    check_texts,
    measured_twice,
    numbers_in,
    seeds_of,
    verdict_of,
)

EVERY = {
    "quantization.size-speed-accuracy": quantization,
    "distillation.accuracy": distillation,
    "pruning.speed": pruning_speed,
    "pruning.accuracy": pruning_accuracy,
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (quantization, distillation, pruning_accuracy):
        monkeypatch.setitem(module.STEPS, "quick", 4)
    monkeypatch.setitem(pruning_speed.HIDDEN, "quick", 32)
    monkeypatch.setattr(pruning_speed, "RUNS", 3)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name: str) -> None:
    check_texts(EVERY[name], name)


@pytest.mark.parametrize("name", ["distillation.accuracy", "pruning.accuracy"])
def test_measurement_repeats_and_is_drawn(name: str) -> None:
    module = EVERY[name]
    check_drawing(module, measured_twice(module), measured_twice(module, control=True))


@pytest.mark.parametrize("name", ["quantization.size-speed-accuracy", "pruning.speed"])
def test_what_is_no_time_repeats_and_is_drawn(name: str) -> None:
    module = EVERY[name]
    found = [module.measure(2, control, "quick") for control in (False, False, True)]
    assert all(math.isfinite(value) for one in found for value in numbers_in(one))
    same = [{k: v for k, v in one.items() if not k.startswith("time")} for one in found[:2]]
    assert same[0] == same[1]
    check_drawing(module, found[0], found[2])


def quantized(lost: float, size: float, time: float) -> list[dict[str, float]]:
    found = seeds_of(accuracy_32=0.9)
    for one in found:
        one |= {f"accuracy_{n}": one["accuracy_32"] - lost for n in quantization.WIDTHS}
        one |= {"size_8_ratio": size, "time_8_ratio": time * (1 + one["accuracy_32"] / 1e4)}
    return found


def test_quantization_rule_asks_for_all_three() -> None:
    def verdict(*given: float) -> Verdict:
        return verdict_of(quantization, *quantized(*given))

    assert verdict(0.001, 0.27, 0.5) is Verdict.HOLDS
    assert verdict(0.001, 0.27, 1.2) is Verdict.CONDITIONALLY
    assert verdict(0.001, 0.27, -1.0) is Verdict.CONDITIONALLY
    assert verdict(0.001, 0.5, 0.5) is Verdict.UNDECIDED
    assert verdict(0.05, 0.27, 0.5) is Verdict.REFUTED


def test_distillation_rule_compares_pairs() -> None:
    def verdict(*gains: float) -> Verdict:
        found = [
            {"accuracy_teacher": 0.98, "accuracy_alone": 0.9 + i / 100,
             "accuracy_taught": 0.9 + i / 100 + gain}
            for i, gain in enumerate(gains)
        ]  # fmt: skip
        return verdict_of(distillation, *found)

    assert verdict(0.02, 0.021, 0.019) is Verdict.HOLDS
    assert verdict(-0.02, -0.021, -0.019) is Verdict.REFUTED
    assert verdict(-0.02, 0.02, 0.001) is Verdict.UNDECIDED


def test_a_teacher_of_the_same_images_is_shown_and_not_judged() -> None:
    found = [
        {"accuracy_teacher": 0.98, "accuracy_alone": 0.9, "accuracy_taught": 0.95 + i / 1000,
         "accuracy_teacher_few": 0.93, "accuracy_taught_few": 0.8}
        for i in range(3)
    ]  # fmt: skip
    assert verdict_of(distillation, *found) is Verdict.HOLDS
    assert "-0.100" in distillation.holds(found).because.en.replace("−", "-")
    measured = distillation.measure(1, False, "quick")
    assert set(distillation.measure(1, True, "quick")) == {
        name for name in measured if not name.endswith("_few")
    }


def test_quantization_says_a_change_and_no_negative_fall() -> None:
    found = quantization.holds(quantized(-0.002, 0.27, 0.5))
    assert "+0.0020" in found.because.en
    assert "+0.0020" in found.because.ja
    assert "falls" not in found.because.en
    assert "低下" not in found.because.ja


def test_speed_rule_tells_removed_from_zero() -> None:
    def verdict(removed: float, zeros: float) -> Verdict:
        return verdict_of(
            pruning_speed,
            *seeds_of(
                time_removed_ratio=removed, time_zeros_ratio=zeros, products_removed_ratio=0.3
            ),
        )

    assert verdict(0.4, 1.0) is Verdict.CONDITIONALLY
    assert verdict(0.4, 0.5) is Verdict.HOLDS
    assert verdict(1.0, 1.0) is Verdict.REFUTED
    assert verdict(0.4, 0.89) is Verdict.UNDECIDED


def pruned(
    lost: Sequence[float], *, gained: float = 0.1, scatter: float = 0.001
) -> list[dict[str, float | list[float]]]:
    """Three seeds that lose ``lost`` at the four sparsities, and ``gained`` more before learning on."""
    found = []
    for noise in (-scatter, 0.0, scatter):
        after = [0.97 - one + noise for one in lost]
        before = [one - gained * (1 + noise) for one in after]
        found.append(
            {"accuracy_whole": 0.97, "accuracies_pruned": before, "accuracies": after}
        )  # fmt: skip
    return found


def test_pruning_is_judged_at_every_sparsity() -> None:
    def verdict(*lost: float, **other: float) -> Verdict:
        return verdict_of(pruning_accuracy, *pruned(lost, **other))

    assert verdict(0.0, 0.001, 0.005, 0.01) is Verdict.HOLDS
    assert verdict(0.0, 0.005, 0.08, 0.3) is Verdict.CONDITIONALLY
    assert verdict(0.05, 0.06, 0.08, 0.3) is Verdict.REFUTED
    assert verdict(0.02, 0.02, 0.02, 0.02, scatter=0.02) is Verdict.UNDECIDED
    assert verdict(0.02, 0.001, 0.08, 0.3) is Verdict.UNDECIDED


def test_pruning_names_the_sparsity_up_to_which_it_holds() -> None:
    for lost, most in (((0.0, 0.03, 0.08, 0.3), "50 %"), ((0.0, 0.005, 0.01, 0.3), "90 %")):
        found = pruning_accuracy.holds(pruned(lost))
        assert found.condition
        assert most in found.condition.en
        assert most in found.condition.ja
        for sparsity in ("50 %", "80 %", "90 %", "95 %"):
            assert sparsity in found.because.en
            assert sparsity in found.because.ja


def test_pruning_does_not_hold_where_learning_on_gains_nothing() -> None:
    nothing = pruned((0.0, 0.005, 0.08, 0.3), gained=0.0)
    assert verdict_of(pruning_accuracy, *nothing) is Verdict.UNDECIDED


def test_the_control_of_pruning_gains_nothing_by_construction() -> None:
    control = pruning_accuracy.measure(1, True, "quick")
    assert control["accuracies"] == control["accuracies_pruned"]
    assert pruning_accuracy.measure(1, False, "quick")["accuracies"] != control["accuracies"]
