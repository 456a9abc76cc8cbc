"""What is left to measure, and the estimate of the time it takes."""

import pytest

from shinso.claims.claim import Claim, Finding, Verdict
from shinso.claims.schedule import Pace, longest_first, missing, tasks
from shinso.language import Text
from shinso.runs.ledger import Record, now

TEXT = Text("text", "文")


def claim(name: str, seeds: int, budget_s: float) -> Claim:
    return Claim(
        name=name,
        chapter="demo",
        place=TEXT,
        says=TEXT,
        truth=None,
        method=TEXT,
        control=TEXT,
        rule=TEXT,
        rule_changed=None,
        seeds={"quick": seeds, "full": 10},
        budget_s={"quick": budget_s, "full": 100.0},
        measure=lambda seed, control, profile: {},
        holds=lambda found: Finding(verdict=Verdict.UNDECIDED, because=TEXT, estimates=()),
        draw=lambda figure, measurements, controls: None,
        file="demo.py",
        source_sha256="a" * 64,
    )


def record(profile: str, seed: int, control: bool) -> Record:
    return Record(
        claim="demo.a", profile=profile, seed=seed, control=control, numbers={}, seconds=1.0,
        threads=1, versions={}, sha256="", time=now(),
    )  # fmt: skip


def test_missing_leaves_out_what_the_profile_has():
    known = [record("quick", 0, False), record("quick", 2, True), record("full", 1, False)]
    left = missing(claim("demo.a", 3, 6.0), "quick", known)
    assert [(task.seed, task.control) for task in left] == [
        (1, False), (2, False), (0, True), (1, True),
    ]  # fmt: skip


def test_budget_is_shared_by_all_seeds_and_their_controls():
    [first, *_] = tasks(claim("demo.a", 3, 600.0), "quick")
    assert first.expected_s == 100.0
    assert first.limit_s == 1000.0
    [short, *_] = tasks(claim("demo.a", 3, 6.0), "quick")
    assert short.limit_s == 300.0


def test_longest_come_first_and_claims_stay_together():
    short, long = claim("demo.short", 2, 4.0), claim("demo.long", 1, 8.0)
    ordered = longest_first([*tasks(short, "quick"), *tasks(long, "quick")])
    assert [task.claim.name for task in ordered] == ["demo.long"] * 2 + ["demo.short"] * 4


def test_estimate_begins_with_budgets_and_learns_from_what_was_measured():
    known, other = claim("demo.a", 2, 8.0), claim("demo.b", 1, 4.0)
    with_cause, _, without, _ = tasks(known, "quick")
    [unseen, _] = tasks(other, "quick")
    pace = Pace()
    assert pace.left_s(tasks(known, "quick"), [], workers=2) == 4.0
    pace.add(with_cause, 6.0)
    assert pace.guess_s(with_cause) == 6.0
    assert pace.guess_s(without) == 6.0  # the best that is known of its claim
    pace.add(without, 1.0)
    assert pace.guess_s(without) == 1.0
    assert pace.guess_s(unseen) == pytest.approx(2.0 * 7.0 / 4.0)
    pace.add(with_cause, 8.0)
    assert pace.guess_s(with_cause) == 7.0


def test_estimate_is_never_below_the_longest_single_measurement():
    long = tasks(claim("demo.a", 1, 20.0), "quick")[0]
    pace = Pace()
    assert pace.left_s([long], [], workers=4) == 10.0
    assert pace.left_s([], [(long, 4.0)], workers=4) == 6.0
    assert pace.left_s([], [(long, 99.0)], workers=4) == 0.0
    assert pace.left_s([], [], workers=2) == 0.0
