"""The rules that bind all claims, over every pair of verdicts."""

from dataclasses import replace
from itertools import product

import pytest

from shinso.claims.claim import Claim, Estimate, Finding, Verdict
from shinso.claims.judgement import POSITIVE, judge
from shinso.language import Text
from shinso.runs.ledger import Failure, Ledger, Record, now

TEXT = Text("text", "文")


def holds(measurements):
    """Reads its verdict off the first measurement."""
    verdict = Verdict(measurements[0]["verdict"])
    return Finding(
        verdict=verdict,
        because=Text(f"because of {verdict.value}.", f"{verdict.value} なので。"),
        estimates=(Estimate(name=Text("seeds", "シード"), value=1.0, low=1.0, high=1.0),),
        condition=TEXT if verdict is Verdict.CONDITIONALLY else None,
    )


CLAIM = Claim(
    name="demo.rule",
    chapter="demo",
    place=TEXT,
    says=TEXT,
    truth=None,
    method=TEXT,
    control=TEXT,
    rule=TEXT,
    rule_changed=None,
    seeds={"quick": 2, "full": 3},
    budget_s={"quick": 1.0, "full": 2.0},
    measure=lambda seed, control, profile: {},
    holds=holds,
    draw=lambda figure, measurements, controls: None,
    file="demo.py",
    source_sha256="a" * 64,
)


def fill(ledger: Ledger, verdict: str, control: str, *, seeds: int = 2, profile: str = "quick"):
    for seed, without in product(range(seeds), (False, True)):
        ledger.save(
            Record(
                claim=CLAIM.name,
                profile=profile,
                seed=seed,
                control=without,
                numbers={"verdict": control if without else verdict},
                seconds=0.5,
                threads=1,
                versions={},
                sha256="a" * 64,
                time=now(),
            )
        )


@pytest.mark.parametrize(("own", "control"), list(product(Verdict, Verdict)))
def test_control_takes_away_positive_verdicts_only(tmp_path, own, control):
    ledger = Ledger(tmp_path)
    fill(ledger, own.value, control.value)
    found = judge(CLAIM, ledger, "quick")
    both_positive = own in POSITIVE and control in POSITIVE
    assert found.invalid is both_positive
    assert found.final_verdict is (Verdict.UNDECIDED if both_positive else own)
    assert f"because of {own.value}." in found.reason.en
    assert f"{own.value} なので。" in found.reason.ja
    if control in POSITIVE and own is not Verdict.UNDECIDED:
        assert f"because of {control.value}." in found.reason.en
        assert f"{control.value} なので。" in found.reason.ja
    else:
        assert found.reason == found.finding.because
    assert found.seconds == 2.0


def test_too_few_seeds_leave_the_verdict_open(tmp_path):
    ledger = Ledger(tmp_path)
    assert judge(CLAIM, ledger, "quick").reason.en.startswith("0 of 2 seeds are measured")
    fill(ledger, "holds", "undecided", seeds=1)
    found = judge(CLAIM, ledger, "quick")
    assert found.final_verdict is Verdict.UNDECIDED
    assert found.finding is None
    assert found.reason.en == "1 of 2 seeds are measured, and 1 of 2 of the control."
    assert not found.invalid
    fill(ledger, "holds", "undecided")
    (ledger.folder(CLAIM.name) / "quick-1-control.json").unlink()
    found = judge(CLAIM, ledger, "quick")
    assert found.reason.en == "2 of 2 seeds are measured, and 1 of 2 of the control."


def test_seeds_beyond_those_asked_for_do_not_count(tmp_path):
    ledger = Ledger(tmp_path)
    fill(ledger, "holds", "undecided", seeds=5)
    found = judge(CLAIM, ledger, "quick")
    assert [record.seed for record in found.measurements] == [0, 1]
    assert [record.seed for record in found.controls] == [0, 1]


def test_profiles_are_judged_apart(tmp_path):
    ledger = Ledger(tmp_path)
    fill(ledger, "holds", "undecided")
    fill(ledger, "does not hold as stated", "undecided", seeds=3, profile="full")
    assert judge(CLAIM, ledger, "quick").final_verdict is Verdict.HOLDS
    assert judge(CLAIM, ledger, "full").final_verdict is Verdict.REFUTED


def test_evidence_of_another_hash_is_not_judged(tmp_path):
    ledger = Ledger(tmp_path)
    fill(ledger, "holds", "undecided")
    found = judge(replace(CLAIM, source_sha256="b" * 64), ledger, "quick")
    assert found.stale
    assert found.final_verdict is Verdict.UNDECIDED
    assert found.measurements == ()
    assert "The claim was edited" in found.reason.en


def test_failure_is_the_reason_while_it_belongs_to_the_present_file(tmp_path):
    ledger = Ledger(tmp_path)
    failure = Failure(
        claim=CLAIM.name, profile="quick", seed=1, control=True, error="a\nValueError: b",
        seconds=1.0, versions={}, sha256="a" * 64, time=now(),
    )  # fmt: skip
    ledger.save_failure(failure)
    assert "Seed 1 gave nothing: ValueError: b" in judge(CLAIM, ledger, "quick").reason.en
    edited = replace(CLAIM, source_sha256="b" * 64)
    assert judge(edited, ledger, "quick").failures == ()


def test_rule_that_raises_leaves_the_verdict_open_with_the_error(tmp_path):
    ledger = Ledger(tmp_path)
    fill(ledger, "no verdict at all", "undecided")
    found = judge(CLAIM, ledger, "quick")
    assert found.final_verdict is Verdict.UNDECIDED
    assert "ValueError: 'no verdict at all'" in found.reason.en
    assert "判定規則" in found.reason.ja


def test_judgement_as_a_dict_has_verdict_numbers_and_seeds(tmp_path):
    ledger = Ledger(tmp_path)
    fill(ledger, "holds", "holds")
    found = judge(CLAIM, ledger, "quick").as_dict()
    assert found["verdict"] == "undecided"
    assert found["invalid"] is True
    assert found["control_verdict"] == "holds"
    assert found["estimates"][0]["name"] == "seeds"
    assert found["measurements"][1] == {"verdict": "holds"}
