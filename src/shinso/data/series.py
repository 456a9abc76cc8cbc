"""Time series from a table: which column plays which part, and the values in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from shinso.data.findings import Findings, shown
from shinso.data.tables import (
    Missing,
    Table,
    almost_number,
    as_numbers,
    is_numeric,
    numbers_of,
    read_table,
)
from shinso.data.times import Times, check_order, gaps_in, read_times
from shinso.data.written_numbers import why_text
from shinso.language import _

LARGEST_NOTES = 10  # on single series; a file of a thousand series must not bury the rest


@dataclass(frozen=True, kw_only=True)
class SeriesRoles:
    """Which column plays which part.

    time: labels of the rows, checked for order. target: what is forecast; () means all numeric
    columns that play no other part. past: covariates known only up to now, so that a model sees
    them in the past and never in the future. group: names the series a row belongs to, where one
    file holds several below each other.
    """

    time: str | None = None
    target: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    group: str | None = None

    def __post_init__(self) -> None:
        named = [*self.target, *self.past, *filter(None, (self.time, self.group))]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(
                _(
                    "column {name} has two roles among time, target, past and group; keep one"
                ).format(name=twice[0])
            )


@dataclass(frozen=True, eq=False)
class Series:
    """One series. name: its group, or nothing where the file holds one series.

    labels: the time of each row as the file writes it, else the row's number within the series.
    lines: where each row stands in the file.
    """

    name: str
    values: Float[np.ndarray, "time channel"]
    labels: tuple[str, ...]
    lines: Int[np.ndarray, " time"]

    @property
    def num_rows(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """All series of a file. channels: the targets first, the past covariates after them."""

    path: Path
    roles: SeriesRoles
    channels: tuple[str, ...]
    num_targets: int
    series: tuple[Series, ...]
    sha256: str
    notes: tuple[str, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        return self.channels[: self.num_targets]

    @property
    def values(self) -> list[Float[np.ndarray, "time channel"]]:
        return [one.values for one in self.series]

    def with_values(self, values: Sequence[Float[np.ndarray, "_ channel"]]) -> SeriesSet:
        """The same series with other numbers, as a scaler makes them."""
        pairs = zip(self.series, values, strict=True)
        return replace(self, series=tuple(replace(one, values=new) for one, new in pairs))

    def logarithms(self) -> SeriesSet:
        """The natural logarithms of all values, whose changes are relative changes.

        Raises ManyDataFaults DATA-NOT-POSITIVE for values that have none.
        """
        findings = Findings(self.path)
        for one in self.series:
            for row, channel in np.argwhere(one.values <= 0):
                findings.fault(
                    "DATA-NOT-POSITIVE",
                    line=int(one.lines[row]),
                    column=self.channels[channel],
                    found=f"{one.values[row, channel]:g}",
                    why=_("only numbers above 0 have a logarithm"),
                    next_step=_("train without --log, or leave this column out"),
                )
        findings.stop()
        return self.with_values([np.log(values) for values in self.values])

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was and what each column is, for the run's ``data.json``.

        ``known_roles`` of these facts reads a new file in the same way.
        """
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "time": self.roles.time,
            "group": self.roles.group,
            "targets": list(self.targets),
            "past": list(self.channels[self.num_targets :]),
            "rows": {one.name: one.num_rows for one in self.series},
        }


def known_roles(facts: dict[str, Any]) -> SeriesRoles:
    """The roles that ``SeriesSet.facts`` told of, with the targets by name."""
    return SeriesRoles(
        time=facts["time"],
        group=facts["group"],
        target=tuple(facts["targets"]),
        past=tuple(facts["past"]),
    )


def read_series(path: Path | str, roles: SeriesRoles, missing: Missing = "fail") -> SeriesSet:
    """Read a wide file (a row is a time) or a long one (the same, for several series).

    missing: "drop" leaves out, and counts in a note, rows with an empty cell in a column that
    plays a part; "fail" finds fault with each of them.

    Raises ManyDataFaults with all that is wrong: DATA-MISSING-COLUMN, DATA-TEXT-CELL, DATA-NAN,
    DATA-TIME-ORDER, DATA-DUPLICATE-TIME, DATA-RAGGED; or what ``read_table`` raises.
    """
    return series_of(read_table(path), roles, missing)


def series_of(table: Table, roles: SeriesRoles, missing: Missing = "fail") -> SeriesSet:
    """``read_series`` for a table already read."""
    findings = table.findings
    _check_columns(table, roles)
    target = roles.target or _numeric_columns(table, roles)
    channels = (*target, *roles.past)
    labels = [name for name in (roles.time, roles.group) if name]
    numbers = numbers_of(table, channels, missing=missing, labels=labels)
    times = read_times(table, roles.time) if roles.time else None
    cells = table.texts(roles.time) if roles.time else []
    groups = _groups(table, roles, numbers.kept)
    if roles.time and times is not None:
        for _name, rows in groups:
            check_order(table, times, rows, roles.time, grouped=bool(roles.group))
    if not groups:
        findings.fault(
            "DATA-EMPTY",
            found=_("no row is left after dropping rows with empty cells"),
            why=_("there is nothing to learn from"),
            next_step=_("leave out the columns that are mostly empty, with --target"),
        )
    findings.stop()
    series, notes = [], []
    for name, rows in groups:
        notes += _notes_on(name, rows, times, cells, numbers.values, channels)
        names = [cells[row] for row in rows] if cells else map(str, range(1, len(rows) + 1))
        series.append(Series(name, numbers.values[rows], tuple(names), table.lines[rows]))
    for text in notes[:LARGEST_NOTES]:
        findings.note(text)
    if len(notes) > LARGEST_NOTES:
        more = _("{count:,} more such notes on the other series")
        findings.note(more.format(count=len(notes) - LARGEST_NOTES))
    return SeriesSet(
        table.path, replace(roles, target=target), channels, len(target), tuple(series),
        table.sha256, tuple(findings.notes),
    )  # fmt: skip


def _check_columns(table: Table, roles: SeriesRoles) -> None:
    named = [("--time", roles.time), ("--group", roles.group)]
    named += [("--target", name) for name in roles.target] + [
        ("--past", name) for name in roles.past
    ]
    missing = [(role, name) for role, name in named if name and name not in table.columns]
    for role, name in missing:
        table.findings.missing_column(name, table.columns, role=role)
    if missing:
        table.findings.stop()  # the cells of a column that is not there cannot be judged


def _numeric_columns(table: Table, roles: SeriesRoles) -> tuple[str, ...]:
    """All columns of numbers without another part; what is left out is said in a note."""
    rest = [name for name in table.columns if name not in (roles.time, roles.group, *roles.past)]
    numeric = [name for name in rest if is_numeric(table.frame[name])]
    others = [name for name in rest if name not in numeric]
    cells = {name: almost_number(table.frame[name]) for name in others}
    almost = {name: cell for name, cell in cells.items() if cell is not None}
    if almost and not numeric:
        return tuple(almost)  # whose cells are then faults, each with its reason
    for name, cell in almost.items():
        why, step = why_text(cell)
        table.findings.note(
            _("column {name} is left out ({cell}): {why}; {step}").format(
                name=name, cell=shown(cell), why=why, step=step
            )
        )
    others = [name for name in others if name not in almost]
    if others:
        table.findings.note(
            _("columns left out because they hold no numbers: {names}").format(
                names=", ".join(others)
            )
        )
    if not numeric:
        table.findings.fault(
            "DATA-TEXT-CELL",
            line=int(table.lines[0]),
            found=_("none of the columns {names} holds numbers").format(names=", ".join(rest)),
            why=_("a series is made of numbers"),
            next_step=_("name the column to forecast with --target"),
        )
        table.findings.stop()
    for name in numeric if not roles.time else []:
        values = as_numbers(table.frame[name])
        if values.size > 2 and np.ptp(np.diff(values)) == 0 and values[1] > values[0]:
            table.findings.note(
                _(
                    "column {name} only counts the rows; if it is the time, say --time {name}"
                ).format(name=name)
            )
    return tuple(numeric)


def _groups(
    table: Table, roles: SeriesRoles, kept: np.ndarray
) -> list[tuple[str, Int[np.ndarray, " row"]]]:
    """The rows of each series in the file's order; series in the order of their first row."""
    rows = np.flatnonzero(kept)
    if not roles.group:
        return [("", rows)] if rows.size else []
    cells = pl.Series(table.texts(roles.group))[rows]
    codes = cells.rank("dense").to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(codes[order])) + 1)
    parts = sorted((part for part in parts if part.size), key=lambda part: part[0])
    names = table.texts(roles.group)
    return [(names[part[0]], part) for part in parts]


def _notes_on(
    name: str, rows: Int[np.ndarray, " row"], times: Times | None,
    cells: Sequence[str], values: np.ndarray, channels: Sequence[str],
) -> list[str]:  # fmt: skip
    """Gaps and constant columns of one series."""
    notes = []
    if times is not None and (gaps := gaps_in(times, rows, cells)):
        notes.append(gaps)
    for place, channel in enumerate(channels):
        column = values[rows, place]
        if column.size > 1 and np.ptp(column) == 0:
            text = _("DATA-CONSTANT: column {column} is {value:g} in every row")
            notes.append(text.format(column=channel, value=column[0]))
    return [f"{name}: {text}" if name else text for text in notes]
