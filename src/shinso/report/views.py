"""What a page shows, made ready for its template: verdicts, neighbours, tables of seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from shinso import numerals
from shinso.claims import chapters
from shinso.claims.claim import Estimate, Profile, Verdict
from shinso.claims.judgement import Judgement
from shinso.intervals import Interval
from shinso.language import Text, _
from shinso.report import pictures
from shinso.report.content import Cell, ReportContent, Table
from shinso.runs.ledger import Number, Record

SIGNS = {
    Verdict.HOLDS: ("holds", "✓"),
    Verdict.CONDITIONALLY: ("conditionally", "◐"),
    Verdict.REFUTED: ("refuted", "✕"),
    Verdict.UNDECIDED: ("undecided", "?"),
}

SHORT_LIST = 4


@dataclass(frozen=True)
class VerdictView:
    """A verdict as colour (``look`` is a class of the style sheet), sign and word."""

    look: str
    sign: str
    word: str


@dataclass(frozen=True)
class Neighbour:
    """The page before or after."""

    file: str
    title: str


def verdict_view(verdict: Verdict) -> VerdictView:
    """The verdict in the language in use."""
    words = {
        Verdict.HOLDS: _("holds"),
        Verdict.CONDITIONALLY: _("holds under a condition"),
        Verdict.REFUTED: _("does not hold as stated"),
        Verdict.UNDECIDED: _("undecided"),
    }
    return VerdictView(*SIGNS[verdict], words[verdict])


def profile_word(profile: Profile) -> str:
    """The profile in the language in use."""
    return {"quick": _("quick"), "full": _("full")}[profile]


def cell(value: Cell) -> str:
    """A cell of a table as text."""
    if value is None:
        return ""
    if isinstance(value, Interval):
        return numerals.interval(value.value, value.low, value.high)
    if isinstance(value, bool | str | Text):
        return str(value)
    return numerals.number(value)


def seed_cell(value: Number | None) -> Cell:
    """What one seed gave for one quantity; the few numbers of a short list side by side."""
    if isinstance(value, list):
        return ", ".join(numerals.number(item) for item in value)
    return value


def when(time: str) -> str:
    """A time of the ledger (ISO 8601) to the minute, with its zone."""
    read = datetime.fromisoformat(time)
    return f"{read:%Y-%m-%d %H:%M} {read.tzname() or ''}".strip()


def claim_file(judgement: Judgement) -> str:
    return f"claim-{judgement.claim.name}.html"


def by_chapter(judgements: Sequence[Judgement]) -> list[Judgement]:
    """In the order of the course; within a chapter as they come."""
    return sorted(judgements, key=lambda judgement: chapters.place(judgement.claim.chapter))


def overview(content: ReportContent) -> dict[str, Any]:
    """Counts, chapters and totals of the first page."""
    ordered = by_chapter(content.judgements)
    counted = Counter(judgement.final_verdict for judgement in ordered)
    return {
        "counts": [(verdict_view(verdict), counted[verdict]) for verdict in Verdict],
        "num_stale": sum(judgement.stale for judgement in ordered),
        "num_measurements": sum(len(j.measurements) + len(j.controls) for j in ordered),
        "measured_s": math.fsum(judgement.seconds for judgement in ordered),
        "chapters": [
            {
                "name": chapter,
                "title": chapters.title(chapter),
                "claims": [_claim_line(judgement) for judgement in listed],
            }
            for chapter, listed in groupby(ordered, key=lambda judgement: judgement.claim.chapter)
        ],
    }


def _claim_line(judgement: Judgement) -> dict[str, Any]:
    return {
        "name": judgement.claim.name,
        "file": claim_file(judgement),
        "says": judgement.claim.says,
        "verdict": verdict_view(judgement.final_verdict),
        "condition": _condition(judgement),
        "stale": judgement.stale,
    }


def claim(judgement: Judgement) -> dict[str, Any]:
    """Everything on a claim's page but its neighbours. Draws the figure."""
    figure, error = _figure(judgement)
    records = (*judgement.measurements, *judgement.controls)
    control = judgement.control_finding
    return {
        "judgement": judgement,
        "claim": judgement.claim,
        "chapter_title": chapters.title(judgement.claim.chapter),
        "verdict": verdict_view(judgement.final_verdict),
        "condition": _condition(judgement),
        "control_verdict": verdict_view(control.verdict) if control else None,
        "figure": figure,
        "figure_error": error,
        "estimates": [_estimate(e) for e in judgement.finding.estimates]
        if judgement.finding
        else [],
        "seed_tables": _seed_tables(judgement),
        "curves": sorted({name for r in records for name, v in r.numbers.items() if _long(v)}),
        "measured": _span([record.time for record in records]),
        "versions": _versions(records),
    }


def neighbours(pages: Sequence[Neighbour], place: int) -> dict[str, Neighbour | None]:
    """The pages before and after the one at ``place``."""
    return {
        "before": pages[place - 1] if place > 0 else None,
        "after": pages[place + 1] if place + 1 < len(pages) else None,
    }


def _condition(judgement: Judgement) -> Text | None:
    if judgement.finding and judgement.final_verdict is Verdict.CONDITIONALLY:
        return judgement.finding.condition
    return None


def _figure(judgement: Judgement) -> tuple[str, str]:
    """The figure, or why there is none. A claim's drawing that fails must not cost the report."""
    if not judgement.measurements or not judgement.controls:
        return "", ""
    try:
        return pictures.of_claim(judgement), ""
    except Exception as error:
        return "", f"{type(error).__name__}: {error}"


def _estimate(estimate: Estimate) -> dict[str, str]:
    value, ends, seeds = estimate.spelled()
    return {"name": str(estimate.name), "value": value, "ends": ends, "seeds": seeds}


def _seed_tables(judgement: Judgement) -> list[Table]:
    """One table with the cause, one without: a row for each quantity, a column for each seed."""
    sides = (
        (Text("With the supposed cause", "原因とされるものがある場合"), judgement.measurements),
        (Text("Control: cause removed", "対照：原因を取り除いた場合"), judgement.controls),
    )
    return [_seed_table(caption, records) for caption, records in sides if records]


def _seed_table(caption: Text, records: Sequence[Record]) -> Table:
    names = list(dict.fromkeys(name for record in records for name in record.numbers))
    shown = [name for name in names if not any(_long(r.numbers.get(name)) for r in records)]
    seeds = (_("seed {seed}").format(seed=record.seed) for record in records)
    return Table(
        caption=caption,
        columns=(_("Quantity"), *seeds),
        rows=tuple(
            (name, *(seed_cell(record.numbers.get(name)) for record in records)) for name in shown
        ),
    )


def _long(value: object) -> bool:
    """Whether a value is a curve or a table, which only a figure can show."""
    return isinstance(value, list) and (
        len(value) > SHORT_LIST or any(isinstance(item, list) for item in value)
    )


def _span(times: Sequence[str]) -> str:
    """When the first and the last of some times were."""
    if not times:
        return ""
    first, last = when(min(times)), when(max(times))
    return first if first == last else f"{first} – {last}"


def _versions(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Every version that measured, by package; several where the ledger was filled over time."""
    found: dict[str, set[str]] = {}
    for record in records:
        for package, version in record.versions.items():
            found.setdefault(package, set()).add(version)
        found.setdefault(_("threads"), set()).add(str(record.threads))
    return [(package, ", ".join(sorted(versions))) for package, versions in found.items()]
