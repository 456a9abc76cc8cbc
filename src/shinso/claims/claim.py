"""What one claim is: its texts, its measurement, its verdict rule.

The verdict is computed from measurements alone and by a rule that was written first. A claim
whose control also holds is invalid: then the cause named by the course is not what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from shinso import numerals
from shinso.language import Text, _

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Profile = Literal["quick", "full"]
Measurement = Mapping[str, float | list[float] | list[list[float]] | str]
"""What one seed gave, by name with unit; lists are curves for the figure. JSON-able."""


class Verdict(StrEnum):
    """What the measurements say of the claim."""

    HOLDS = "holds"
    CONDITIONALLY = "holds under a condition"
    REFUTED = "does not hold as stated"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One number of a verdict with its interval over seeds.

    name: what it is, with the unit at its end; low, high: ends of the 95 % interval (equal to
    value where there is none); seeds: how many values stand behind it (0: exact); largest:
    whether the value is the largest of all seeds and not their mean.
    """

    name: Text
    value: float
    low: float
    high: float
    seeds: int = 0
    largest: bool = False

    def spelled(self) -> tuple[str, str, str]:
        """Value, ends of the interval and seeds, as pages and terminals show them."""
        value, low, high = numerals.with_ends(self.value, self.low, self.high)
        if self.largest:
            ends = _("the largest of all seeds")
        elif self.low == self.high:
            ends = _("the same for every seed") if self.seeds else _("exact")
        elif math.isinf(self.low) and math.isinf(self.high):
            ends = _("unknown")
        else:
            ends = _("{low} to {high}").format(low=low, high=high)
        return value, ends, str(self.seeds) if self.seeds else "–"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The verdict of a rule and the numbers it was computed from.

    because: one sentence with the numbers in it. condition: under which it holds, for
    ``Verdict.CONDITIONALLY`` only.
    """

    verdict: Verdict
    because: Text
    estimates: tuple[Estimate, ...]
    condition: Text | None = None

    def __post_init__(self) -> None:
        if (self.condition is not None) != (self.verdict is Verdict.CONDITIONALLY):
            raise ValueError(
                f"condition is {self.condition!r} with verdict {self.verdict.value!r}; "
                "give a condition with Verdict.CONDITIONALLY and only there"
            )
        typeset = Text(numerals.typeset(self.because.en), numerals.typeset(self.because.ja))
        object.__setattr__(self, "because", typeset)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim module, read: ``claims.catalogue`` makes these.

    rule_changed: where the rule was not written before the first measurement, when it was changed
    and why (RULE_CHANGED in the module; most have none). file: its path from the package's folder.
    """

    name: str
    chapter: str
    place: Text
    says: Text
    truth: Text | None
    method: Text
    control: Text
    rule: Text
    rule_changed: Text | None
    seeds: Mapping[Profile, int]
    budget_s: Mapping[Profile, float]
    measure: Callable[[int, bool, Profile], Measurement]
    holds: Callable[[Sequence[Measurement]], Finding]
    draw: Callable[[Figure, Sequence[Measurement], Sequence[Measurement]], None]
    file: str
    source_sha256: str
