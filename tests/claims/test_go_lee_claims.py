"""Claims on AlphaGo's networks: what each needs to hold, and that it can fail."""

from __future__ import annotations

import math

import pytest

from shinso.claims.claim import Verdict
from shinso.claims.go import (
    _zero_positions,
    no_rollout,
    policy_pool,
    residual,
    rl_policy,
    sl_vs_rollout,
    value,
)
from tests.claims.claim_checks import check_drawing, check_texts, verdict_of

EVERY = {
    "go.sl-vs-rollout": sl_vs_rollout,
    "go.rl-policy": rl_policy,
    "go.policy-pool": policy_pool,
    "go.value": value,
    "go.residual": residual,
    "go.no-rollout": no_rollout,
}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setitem(sl_vs_rollout.STEPS, "quick", 3)
    monkeypatch.setitem(sl_vs_rollout.PATTERN_STEPS, "quick", 3)
    monkeypatch.setattr(sl_vs_rollout, "TIMED", 5)
    monkeypatch.setitem(rl_policy.GAMES, "quick", 24)  # the other's counts could come out alike
    for module in (rl_policy, policy_pool):
        monkeypatch.setitem(module.LEARNT, "quick", 3)
        monkeypatch.setitem(module.STEPS, "quick", 4)
        monkeypatch.setattr(module, "BATCH_GAMES", 12)
    monkeypatch.setitem(value.LEARNT_GAMES, "quick", 40)
    monkeypatch.setitem(value.ASKED_GAMES, "quick", 10)
    monkeypatch.setitem(value.STEPS, "quick", 4)
    monkeypatch.setitem(residual.STEPS, "quick", 2)
    monkeypatch.setattr(residual, "BLOCKS", 1)
    monkeypatch.setitem(no_rollout.STEPS, "quick", 3)
    monkeypatch.setitem(no_rollout.GAMES, "quick", 4)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", EVERY)
def test_what_is_no_time_repeats_and_is_drawn(name):
    module = EVERY[name]
    first, second, control = (
        module.measure(3, control, "quick") for control in (False, False, True)
    )
    assert _timeless(first) == _timeless(second) != _timeless(control)
    check_drawing(module, first, control)
    module.holds([first, second])


def _timeless(measurement):
    return {name: v for name, v in measurement.items() if not name.startswith("seconds")}


@pytest.mark.parametrize("module", [rl_policy, policy_pool], ids=lambda m: m.__name__)
def test_head_to_head_rules_ask_for_more_than_half_at_every_seed(module):
    def verdict(*points):
        one = {
            "games": 60.0, "pooled_against_start_share": 0.6, "latest_against_start_share": 0.6,
        }  # fmt: skip
        return verdict_of(module, *({**one, "points": won} for won in points))

    assert verdict(40, 40) is Verdict.HOLDS
    assert verdict(31.5, 31.5) is Verdict.UNDECIDED
    assert verdict(20, 20) is Verdict.REFUTED
    # All games together lie clear of one half, one training does not.
    assert verdict(60, 29) is Verdict.UNDECIDED
    assert verdict(0, 31) is Verdict.UNDECIDED


def test_sl_rule_wants_accuracy_and_twenty_times_the_time():
    def verdict(network, slow):
        found = [
            {
                "network_top1": network + n / 1000, "rollout_top1": 0.2, "seconds_network": slow,
                "seconds_rollout": 1e-6,
            }
            for n in range(3)
        ]  # fmt: skip
        return verdict_of(sl_vs_rollout, *found)

    assert verdict(0.3, 1e-4) is Verdict.HOLDS
    assert verdict(0.3, 1e-5) is Verdict.UNDECIDED
    assert verdict(0.3, 1e-7) is Verdict.REFUTED
    assert verdict(0.199, 1e-4) is Verdict.UNDECIDED
    assert verdict(0.1, 1e-4) is Verdict.REFUTED


def test_value_rule_wants_less_error_and_less_time():
    def verdict(network, seconds):
        found = [
            {
                "network_mse": network + n / 1000, "rollouts_mse": [1.6, 1.0, 0.8, 0.75, 0.7],
                "seconds_network": seconds, "seconds_rollouts": [1e-6, 4e-6, 16e-6, 64e-6, 256e-6],
            }
            for n in range(3)
        ]  # fmt: skip
        return verdict_of(value, *found)

    assert verdict(0.75, 1e-5) is Verdict.HOLDS
    assert verdict(0.75, 1e-4) is Verdict.CONDITIONALLY
    assert verdict(0.7995, 1e-5) is Verdict.UNDECIDED
    assert verdict(0.9, 1e-5) is Verdict.REFUTED


def _networks(plain, separate, nats=3.0, mse=0.6):
    """Three seeds of the four networks; all need so many nats and have such an error."""
    found = []
    for n in range(3):
        one = {"guess_policy_nats": 3.3, "guess_value_mse": 1.0}
        for name, loss in (
            ("residual_joined", 4.0), ("plain_joined", plain),
            ("residual_separate", separate), ("plain_separate", 5.0),
        ):  # fmt: skip
            one[f"{name}_loss"] = loss + n / 1000 * (name != "residual_joined")
            one[f"{name}_policy_nats"] = nats
            one[f"{name}_value_mse"] = mse
        found.append(one)
    return found


def test_residual_rule_wants_both_causes():
    def verdict(plain, separate):
        return verdict_of(residual, *_networks(plain, separate))

    assert verdict(4.5, 4.5) is Verdict.HOLDS
    assert verdict(4.5, 3.999) is Verdict.CONDITIONALLY
    assert verdict(3.999, 4.5) is Verdict.CONDITIONALLY
    assert verdict(3.999, 3.999) is Verdict.UNDECIDED
    assert verdict(3.5, 4.5) is Verdict.REFUTED


@pytest.mark.parametrize(("plain", "separate"), [(4.5, 4.5), (4.5, 3.999), (3.5, 4.5)])
def test_residual_rule_says_nothing_of_networks_that_learnt_nothing(plain, separate):
    for nats, mse in ((3.9, 0.6), (3.0, 1.01), (3.9, 1.01)):
        found = _networks(plain, separate, nats, mse)
        assert verdict_of(residual, *found) is Verdict.UNDECIDED
    # One network that is better than both guesses is enough; one for each guess is not.
    one, split = (_networks(plain, separate, 3.9, 1.01) for _ in range(2))
    for first, second in zip(one, split, strict=True):
        first |= {"plain_joined_policy_nats": 3.0, "plain_joined_value_mse": 0.6}
        second |= {"plain_joined_policy_nats": 3.0, "plain_separate_value_mse": 0.6}
    assert verdict_of(residual, *one) is verdict_of(residual, *_networks(plain, separate))
    assert verdict_of(residual, *split) is Verdict.UNDECIDED


def test_guesses_are_those_of_the_kept_positions():
    learnt, kept = _zero_positions.learnt_and_kept()
    found = _zero_positions.guesses()
    assert 0 < found.policy_nats < math.log(kept.policy.shape[1])
    constant = float(learnt.result.mean())
    assert found.value_mse == pytest.approx(
        float(kept.result.var(correction=0)) + (float(kept.result.mean()) - constant) ** 2
    )


def test_rule_without_rollouts_allows_a_little_less_than_half():
    def verdict(*points):
        return verdict_of(no_rollout, *({"points": won, "games": 100.0} for won in points))

    assert verdict(60, 60) is Verdict.HOLDS
    assert verdict(49, 49) is Verdict.HOLDS
    assert verdict(45, 45) is Verdict.UNDECIDED
    assert verdict(30, 30) is Verdict.REFUTED
    # All games together say more than a single training does.
    assert verdict(90, 39) is Verdict.UNDECIDED
    assert verdict(20, 51) is Verdict.UNDECIDED
