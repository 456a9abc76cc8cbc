"""From the ledger to a verdict: the claim's rule, then the two rules that bind all claims.

1. Fewer seeds than asked for, with the cause or without it: undecided.
2. The control decides whether a positive verdict is about the cause. ``holds`` is asked of the
   control's measurements too; where it answers positively (it holds, or holds under a
   condition) while the claim's own verdict is positive, the claim is invalid: the effect is
   there without its cause, so the cause is not what was measured, and the verdict is undecided.
   A condition is no way out: a claim that holds only conditionally is invalid just as well, and
   so is one whose control holds conditionally.

A control that is undecided or refuted lets a positive verdict stand: without the cause the
effect could not be shown, which is what the control is for.

A claim that is refuted is a result and stays, whatever its control says. The control guards
against an effect that comes by itself; where there is no effect there is nothing to guard. It
cannot tell why the effect is absent. Where the control does hold, the reason says so, because
the reader should know that the effect is there without the cause only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shinso.claims.claim import Claim, Finding, Profile, Verdict
from shinso.language import Text
from shinso.runs.ledger import Failure, Ledger, Record

POSITIVE = (Verdict.HOLDS, Verdict.CONDITIONALLY)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A claim, what was measured of it, and what follows.

    finding, control_finding: what the claim's rule says of the measurements with the cause and
    of those without it; None where seeds are missing or the rule itself failed.
    reason: one sentence behind ``final_verdict``. measurements, controls: one record a seed, in
    the order of seeds, stale ones left out. seconds: of all of these. stale: the claim's file
    was edited after some evidence was measured. failures: seeds that gave nothing.
    """

    claim: Claim
    profile: Profile
    finding: Finding | None
    control_finding: Finding | None
    final_verdict: Verdict
    reason: Text
    measurements: tuple[Record, ...]
    controls: tuple[Record, ...]
    seconds: float
    stale: bool
    failures: tuple[Failure, ...] = ()

    @property
    def invalid(self) -> bool:
        """The control holds where the claim does."""
        return bool(
            self.finding
            and self.control_finding
            and self.finding.verdict in POSITIVE
            and self.control_finding.verdict in POSITIVE
        )

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: verdict, numbers and seeds; texts in the language in use."""
        return {
            "claim": self.claim.name,
            "profile": self.profile,
            "verdict": self.final_verdict.value,
            "reason": str(self.reason),
            "invalid": self.invalid,
            "stale": self.stale,
            "seconds": self.seconds,
            "estimates": [{**asdict(e), "name": str(e.name)} for e in self.finding.estimates]
            if self.finding
            else [],
            "control_verdict": self.control_finding.verdict.value if self.control_finding else None,
            "measurements": {record.seed: dict(record.numbers) for record in self.measurements},
            "controls": {record.seed: dict(record.numbers) for record in self.controls},
            "failures": [asdict(failure) for failure in self.failures],
        }


def judge(claim: Claim, ledger: Ledger, profile: Profile) -> Judgement:
    """The verdict that the ledger's present evidence gives. Measures nothing, changes nothing.

    Raises RunFault LEDGER-CORRUPT where evidence cannot be read.
    """
    records = ledger.records(claim.name, profile)
    fresh = [record for record in records if record.sha256 == claim.source_sha256]
    asked = range(claim.seeds[profile])
    measurements = tuple(r for r in fresh if not r.control and r.seed in asked)
    controls = tuple(r for r in fresh if r.control and r.seed in asked)
    failures = tuple(
        failure
        for failure in ledger.failures(claim.name, profile)
        if failure.sha256 == claim.source_sha256
    )
    stale = len(fresh) < len(records)
    finding = control_finding = None
    if len(measurements) < len(asked) or len(controls) < len(asked):
        verdict = Verdict.UNDECIDED
        reason = _why_incomplete(claim, profile, measurements, controls, failures, stale)
    else:
        try:
            finding = claim.holds([record.numbers for record in measurements])
            control_finding = claim.holds([record.numbers for record in controls])
            verdict, reason = _weigh(finding, control_finding)
        except Exception as error:
            finding = control_finding = None
            verdict, reason = Verdict.UNDECIDED, _rule_failed(error)
    return Judgement(
        claim=claim,
        profile=profile,
        finding=finding,
        control_finding=control_finding,
        final_verdict=verdict,
        reason=reason,
        measurements=measurements,
        controls=controls,
        seconds=math.fsum(record.seconds for record in (*measurements, *controls)),
        stale=stale,
        failures=failures,
    )


def _weigh(finding: Finding, control: Finding) -> tuple[Verdict, Text]:
    """The final verdict and its reason, once all seeds are there."""
    own, other = finding.because, control.because
    if control.verdict not in POSITIVE:
        return finding.verdict, own
    if finding.verdict in POSITIVE:
        return Verdict.UNDECIDED, Text(
            "Invalid: the control holds too, so the effect is there without its cause. "
            f"With the cause: {own.en} Without it: {other.en}",
            "無効：対照実験でも成り立つため、原因がなくても同じ効果が現れている。"
            f"原因あり：{own.ja}原因なし：{other.ja}",
        )
    if finding.verdict is Verdict.REFUTED:
        return Verdict.REFUTED, Text(
            f"{own.en} The control, without the cause, does hold: {other.en}",
            f"{own.ja} 一方、原因を取り除いた対照実験では成り立つ：{other.ja}",
        )
    return finding.verdict, own


def _why_incomplete(
    claim: Claim,
    profile: Profile,
    measurements: Sequence[Record],
    controls: Sequence[Record],
    failures: Sequence[Failure],
    stale: bool,
) -> Text:
    asked = claim.seeds[profile]
    counts = Text(
        f"{len(measurements)} of {asked} seeds are measured, and {len(controls)} of {asked} "
        "of the control.",
        f"測定済みのシードは {asked} 個中 {len(measurements)} 個、"
        f"対照実験は {asked} 個中 {len(controls)} 個。",
    )
    if failures:
        last = failures[0].error.strip().splitlines()[-1]
        seed = failures[0].seed
        return Text(
            f"{counts.en} Seed {seed} gave nothing: {last}",
            f"{counts.ja}シード {seed} は結果を出せなかった：{last}",
        )
    if stale:
        return Text(
            f"{counts.en} The claim was edited after the rest was measured.",
            f"{counts.ja}残りは、主張のファイルが編集される前に測定されたものである。",
        )
    return counts


def _rule_failed(error: Exception) -> Text:
    found = f"{type(error).__name__}: {error}"
    return Text(
        f"The rule could not be applied to the measurements: {found}",
        f"判定規則を測定値に適用できなかった：{found}",
    )
