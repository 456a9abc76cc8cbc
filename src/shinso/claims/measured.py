"""Reading measurements, and the verdict of claims that are exact: mathematics, not statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shinso import numerals
from shinso.claims import intervals
from shinso.claims.claim import Estimate, Finding, Measurement, Verdict
from shinso.language import Text


def column(measurements: Sequence[Measurement], name: str) -> list[float]:
    """The number ``name`` of every seed."""
    return [number(measurement, name) for measurement in measurements]


def number(measurement: Measurement, name: str) -> float:
    """The number ``name`` of one seed; TypeError where a list or a text stands there."""
    value = measurement[name]
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"{name} is a {type(value).__name__}; expected a number")


def curve(measurement: Measurement, name: str) -> list[float]:
    """The list ``name`` of one seed; TypeError where it is no flat list of numbers."""
    value = measurement[name]
    if isinstance(value, list) and not any(isinstance(item, list) for item in value):
        return [float(item) for item in value]  # type: ignore[arg-type]
    raise TypeError(f"{name} is no flat list of numbers")


def table(measurement: Measurement, name: str) -> list[list[float]]:
    """The list of lists ``name`` of one seed."""
    value = measurement[name]
    if isinstance(value, list) and all(isinstance(item, list) for item in value):
        return value  # type: ignore[return-value]
    raise TypeError(f"{name} is no list of lists")


def share(values: Sequence[float]) -> intervals.Interval:
    """Mean of shares with its interval, which ends at 0 and 1 as shares do."""
    found = intervals.mean(values)
    return intervals.Interval(found.value, max(found.low, 0.0), min(found.high, 1.0))


def beyond(interval: intervals.Interval, bound: float) -> Verdict:
    """Holds where the interval lies above ``bound``, refuted where below, else undecided."""
    if interval.low > bound:
        return Verdict.HOLDS
    return Verdict.REFUTED if interval.high < bound else Verdict.UNDECIDED


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A deviation that an exact statement may show: rounding and no more.

    of: its name in the measurement; name: in words; most: largest value allowed at any seed.
    """

    of: str
    name: Text
    most: float


def within(measurements: Sequence[Measurement], bounds: Sequence[Bound]) -> Finding:
    """Holds if every deviation of every seed is within its bound, is refuted if one is not.

    Undecided where a number is not finite. There is no interval: nothing here is sampled from a
    population, the largest deviation found is the number itself.
    """
    worst = [max(map(abs, column(measurements, bound.of))) for bound in bounds]
    finite = [math.isfinite(v) for bound in bounds for v in column(measurements, bound.of)]
    if not all(finite):
        verdict = Verdict.UNDECIDED
    elif all(value <= bound.most for value, bound in zip(worst, bounds, strict=True)):
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.REFUTED
    pairs = list(zip(worst, bounds, strict=True))
    return Finding(
        verdict=verdict,
        because=Text(
            "The largest over all seeds: "
            + "; ".join(f"{b.name.en} {said(v)} (bound {said(b.most)})" for v, b in pairs)
            + ".",
            "全シードを通じた最大値："
            + "、".join(f"{b.name.ja} {said(v)} (上限 {said(b.most)})" for v, b in pairs)
            + "。",
        ),
        estimates=tuple(
            Estimate(name=b.name, value=v, low=v, high=v, seeds=len(measurements), largest=True)
            for v, b in pairs
        ),
    )


def said(value: float) -> str:
    """A number in a sentence: two digits, 9.1×10⁻¹³ where it is tiny."""
    return numerals.number(value, digits=2)


def certain(name: Text, value: float) -> Estimate:
    """A number without scatter: counted or proven."""
    return Estimate(name=name, value=float(value), low=float(value), high=float(value))
