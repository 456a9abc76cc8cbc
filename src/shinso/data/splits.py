"""Chronological parts of a series, and which windows belong to which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from shinso.data.findings import Findings
from shinso.data.series import SeriesSet
from shinso.language import _

SplitPart = Literal["train", "valid", "test"]
PARTS: tuple[SplitPart, ...] = ("train", "valid", "test")


@dataclass(frozen=True)
class ChronologicalSplit:
    """Train before valid before test, by shares or by numbers of rows.

    A window belongs to the part in which all its future rows lie. The windows of the train part
    lie in it wholly, so no row that is forecast in one part is seen as a target in another (the
    purge). Those of the later parts may look back at rows of the part before: at that time they
    are known.

    train, valid, test: three shares that add up to 1, or three numbers of rows for each series,
    after which later rows are unused (ETT's 12, 4 and 4 months are 8640, 2880 and 2880 hours).
    """

    train: Fraction
    valid: Fraction
    test: Fraction

    def __post_init__(self) -> None:
        parts = (self.train, self.valid, self.test)
        if min(parts) <= 0:
            raise ValueError(f"split is {self}; each of its three parts must be above 0")
        counts = all(part.denominator == 1 for part in parts)
        if not counts and sum(parts) != 1:
            raise ValueError(
                f"split is {self}; give shares that add up to 1, such as 0.7,0.1,0.2, "
                "or whole numbers of rows"
            )

    @classmethod
    def parse(cls, text: str) -> ChronologicalSplit:
        """From "0.7,0.1,0.2" or "8640,2880,2880". Shares are exact decimals, not floats.

        Raises ValueError that names the text and the fix.
        """
        try:
            train, valid, test = (Fraction(part.strip()) for part in text.split(","))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(
                f"split is {text!r}; give three numbers, such as 0.7,0.1,0.2 or 8640,2880,2880"
            ) from error
        return cls(train, valid, test)

    def __str__(self) -> str:
        parts = (self.train, self.valid, self.test)
        return ",".join(str(p) if p.denominator == 1 else f"{float(p):g}" for p in parts)

    @property
    def by_count(self) -> bool:
        return self.train.denominator == 1

    def counts(self, num_rows: int) -> tuple[int, int, int]:
        """Rows of each part. Shares round train and test down, and valid takes the rest, as the
        LTSF benchmarks do (Wu et al. 2021, Autoformer), so that figures compare."""
        if self.by_count:
            return int(self.train), int(self.valid), int(self.test)
        train, test = int(self.train * num_rows), int(self.test * num_rows)
        return train, num_rows - train - test, test

    def rows(self, num_rows: int) -> dict[SplitPart, range]:
        """Row ranges by part, next to each other, the first from row 0."""
        ends = list(accumulate(self.counts(num_rows)))
        return {
            part: range(begin, end)
            for part, begin, end in zip(PARTS, [0, *ends], ends, strict=False)
        }

    def of(
        self, series: SeriesSet, *, lookback: int, horizon: int
    ) -> dict[SplitPart, tuple[range, ...]]:
        """Row ranges of each part for each series, every part with at least one window.

        Raises ManyDataFaults DATA-TOO-SHORT, a fault for each part of each series that is too
        short for ``lookback`` past and ``horizon`` future rows.
        """
        findings = Findings(series.path)
        found = []
        for one in series.series:
            rows = self.rows(one.num_rows)
            found.append(rows)
            if rows["test"].stop > one.num_rows:
                self._too_few_rows(findings, one.name, one.num_rows, rows["test"].stop)
                continue
            for part in PARTS:
                if num_windows(rows[part], lookback, horizon) == 0:
                    _too_short(findings, one.name, part, rows[part], lookback, horizon)
        findings.stop()
        return {part: tuple(rows[part] for rows in found) for part in PARTS}

    def _too_few_rows(self, findings: Findings, name: str, have: int, need: int) -> None:
        findings.fault(
            "DATA-TOO-SHORT",
            column=name,
            found=_("{have:,} rows where the split {split} needs {need:,}").format(
                have=have, split=self, need=need
            ),
            why=_("a part would have fewer rows than asked for"),
            next_step=_("give smaller numbers, or shares such as --split 0.7,0.1,0.2"),
        )


def num_windows(rows: range, lookback: int, horizon: int) -> int:
    """How many windows have all their future rows in ``rows`` and their past anywhere before."""
    return max(0, rows.stop - horizon - max(rows.start, lookback) + 1)


def _too_short(
    findings: Findings, name: str, part: str, rows: range, lookback: int, horizon: int
) -> None:
    past = rows.stop - horizon  # the longest past that leaves one window
    if past >= 1 and len(rows) >= horizon:
        step = _(
            "use --lookback {most} or less, a shorter --horizon, another --split, or more rows"
        )
    else:
        step = _("use --horizon {rows} or less, another --split, or more rows")
    findings.fault(
        "DATA-TOO-SHORT",
        column=name,
        found=_("the {part} part has {rows:,} rows, {before:,} rows come before it").format(
            part=part, rows=len(rows), before=rows.start
        ),
        why=_("one window needs {lookback:,} past rows and {horizon:,} future rows").format(
            lookback=lookback, horizon=horizon
        ),
        next_step=step.format(most=past, rows=max(len(rows) - (part == "train"), 1)),
    )


def unused_rows(split: ChronologicalSplit, series: SeriesSet) -> Sequence[str]:
    """Notes on the rows that a split by numbers leaves out at the end."""
    notes = []
    for one in series.series:
        rest = one.num_rows - sum(split.counts(one.num_rows))
        if rest > 0:
            text = _("{rest:,} of {rows:,} rows after the test part are unused").format(
                rest=rest, rows=one.num_rows
            )
            notes.append(f"{one.name}: {text}" if one.name else text)
    return notes
