"""Claims of the chapter on AlphaGo: what each needs to hold, and that it can fail."""

from __future__ import annotations

import pytest

from shinso.claims.claim import Verdict
from shinso.claims.go import self_play, ucb1
from shinso.claims.measured import curve, number
from tests.claims.claim_checks import check_drawing, check_texts, measured_twice, verdict_of

EVERY = {"go.ucb1": ucb1, "go.self-play": self_play}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(ucb1, "COUNTS", (50, 200))
    monkeypatch.setattr(ucb1, "MORE", 20)
    monkeypatch.setattr(ucb1, "LESS", 10)
    monkeypatch.setitem(ucb1.GAMES, "quick", 2)
    monkeypatch.setitem(self_play.STEPS, "quick", 4)
    monkeypatch.setitem(self_play.GAMES, "quick", 2)


@pytest.mark.parametrize("name", EVERY)
def test_texts_stand_in_both_languages(name):
    check_texts(EVERY[name], name)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("name", EVERY)
def test_measurement_repeats_and_is_drawn(name):
    module = EVERY[name]
    measured, control = measured_twice(module), measured_twice(module, control=True)
    assert measured != control
    check_drawing(module, measured, control)


def test_ucb1_rule_asks_for_the_move_and_for_strength():
    def verdict(centre, points):
        one = {"points": points, "games": 10.0}
        return verdict_of(ucb1, *({**one, "centre_at_last": at} for at in centre))

    assert verdict((1, 1, 1), 8) is Verdict.HOLDS
    assert verdict((1, 1, 0), 8) is Verdict.UNDECIDED
    assert verdict((1, 0, 0), 8) is Verdict.REFUTED
    assert verdict((1, 1, 1), 5.5) is Verdict.UNDECIDED
    assert verdict((1, 1, 1), 2) is Verdict.REFUTED


def test_self_play_rule_asks_for_a_lead_over_the_network_before_learning_at_every_seed():
    def verdict(*points):
        one = {"games": 16.0, "games_of_self_play": 200.0}
        return verdict_of(self_play, *({**one, "points": won} for won in points))

    assert verdict(13, 13) is Verdict.HOLDS
    assert verdict(9, 9) is Verdict.UNDECIDED
    assert verdict(3, 3) is Verdict.REFUTED
    # All games together lie clear of one half, one training does not.
    assert verdict(16, 8) is Verdict.UNDECIDED
    assert verdict(0, 8) is Verdict.UNDECIDED


@pytest.mark.usefixtures("short")
def test_self_play_measures_nothing_that_was_not_played():
    found = self_play.measure(3, False, "quick")
    shares = curve(found, "share_by_generation")
    assert len(shares) == self_play.GENERATIONS
    assert shares[-1] == number(found, "points") / number(found, "games")


def test_elo_of_a_share_is_finite_and_as_defined():
    assert self_play._elo(0.5, 16) == 0
    assert self_play._elo(1.0, 16) == -self_play._elo(0.0, 16) < 1000
    # Elo 1978: 400 points are odds of ten to one.
    assert self_play._elo(10 / 11, 1e9) == pytest.approx(400, abs=1e-3)
