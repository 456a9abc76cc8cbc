"""The time column: read as dates to check the order and count the gaps, kept as labels.

Row order is the index. Nothing is moved, filled or resampled here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from jaxtyping import Float, Int

from shinso.data.findings import shown
from shinso.data.tables import Table, as_numbers
from shinso.language import _

DAY_S = 86400.0
# Year first is unambiguous and is tried first; of the others the first that fits all cells and
# rises is taken, so 01/02/2024 is a matter of the whole column and is said in a note.
ORDERED_FORMATS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y/%m/%d", "%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%Y.%m.%d", "%Y年%m月%d日",
)  # fmt: skip
OTHER_FORMATS = (
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%m-%d-%Y", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
# A month gets "-01" behind it, since a date without a day is none.
MONTH_FORMATS = ("%Y-%m-%d", "%Y/%m-%d", "%Y年%m-%d")
LOOKED_AT = 200  # cells that tell whether a format is worth trying on all


@dataclass(frozen=True, eq=False)
class Times:
    """A column of times. values: seconds since 1970, or the column's own numbers; NaN if unread.

    is_date: values are seconds. sortable: sorting the cells as they are sorts the times.
    ambiguous: another date format fits every cell as well.
    """

    values: Float[np.ndarray, " row"]
    is_date: bool
    sortable: bool
    ambiguous: bool = False


def read_times(table: Table, name: str) -> Times | None:
    """The column as times; None, said in a note, where its cells are no dates that we know.

    Cells that differ in form from the others become DATA-TEXT-CELL faults.
    """
    column = table.frame[name]
    if column.dtype == pl.Date or column.dtype == pl.Datetime:
        seconds = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
        return Times(seconds.fill_null(float("nan")).to_numpy(), is_date=True, sortable=True)
    held = np.array([cell != "" for cell in table.texts(name)])
    numbers = as_numbers(column)
    if held.any() and np.isfinite(numbers[held]).mean() > 0.5:
        dates = _as_compact_dates(column, numbers)
        times = Times(
            numbers if dates is None else dates, is_date=dates is not None,
            sortable=dates is not None or not isinstance(column.dtype, pl.String),
        )  # fmt: skip
    else:
        times = _read_dates(column)
    if times is None:
        first = str(column.drop_nulls()[0]) if column.null_count() < len(column) else ""
        table.findings.note(
            _(
                "column {name}: no date that is known here ({cell}); the order is not checked"
            ).format(name=name, cell=shown(first))
        )
        return None
    if times.ambiguous:
        last = datetime.fromtimestamp(times.values[-1], UTC).date()
        table.findings.note(
            _(
                "column {name}: days and months could be changed round; {cell} is read as {day}"
            ).format(name=name, cell=shown(str(column[-1])), day=last)
        )
    for row in np.flatnonzero(np.isnan(times.values) & held):
        table.findings.fault(
            "DATA-TEXT-CELL",
            line=int(table.lines[row]),
            column=name,
            found=shown(str(column[int(row)])),
            why=_("it is no date of the form that the other rows have"),
            next_step=_("write it like {cell}").format(
                cell=shown(str(column[int(np.flatnonzero(~np.isnan(times.values))[0])]))
            ),
        )
    return times


def _as_compact_dates(column: pl.Series, numbers: Float[np.ndarray, " row"]) -> np.ndarray | None:
    """Seconds of cells like 20240131; None where the numbers are no such dates."""
    whole = numbers[np.isfinite(numbers)]
    if not ((whole > 17000000) & (whole < 22000000) & (whole % 1 == 0)).all():
        return None
    texts = pl.Series(np.nan_to_num(numbers).astype(np.int64)).cast(pl.String)
    seconds = _seconds(texts, "%Y%m%d")
    if seconds is None or np.isfinite(seconds).sum() != whole.size:
        return None
    return seconds


def _read_dates(column: pl.Series) -> Times | None:
    """Text cells by the first format that fits most of them."""
    cells = column.cast(pl.String)
    even = cells.str.len_chars().n_unique() == 1  # 2024-1-9 sorts after 2024-1-10
    for form in ORDERED_FORMATS:
        if (seconds := _seconds(cells, form)) is not None:
            return Times(seconds, is_date=True, sortable=even)
    months = cells.str.replace("月$", "") + "-01"
    for form in MONTH_FORMATS:
        if (seconds := _seconds(months, form)) is not None:
            return Times(seconds, is_date=True, sortable=even)
    fitting = [s for form in OTHER_FORMATS if (s := _seconds(cells, form)) is not None]
    if not fitting:
        return None
    # 03/04/2024 fits two formats: the one that fits more cells, then the one that rises more,
    # then the one whose times lie closer together.
    fitting.sort(key=lambda s: (-np.isfinite(s).sum(), -(np.diff(s) > 0).sum(), np.ptp(s)))
    twice = len(fitting) > 1 and np.isfinite(fitting[:2]).all() and (np.diff(fitting[:2]) > 0).all()
    return Times(fitting[0], is_date=True, sortable=False, ambiguous=bool(twice))


def _seconds(cells: pl.Series, form: str) -> Float[np.ndarray, " row"] | None:
    """Seconds since 1970 by cell, NaN where ``form`` does not fit; None if it mostly does not."""

    def parsed(some: pl.Series) -> pl.Series:
        return some.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC")

    if parsed(cells.head(LOOKED_AT)).null_count() > min(LOOKED_AT, len(cells)) / 2:
        return None
    seconds = parsed(cells).dt.epoch("us").cast(pl.Float64) / 1e6
    return seconds.fill_null(float("nan")).to_numpy()


def check_order(
    table: Table, times: Times, rows: Int[np.ndarray, " kept"], name: str, *, grouped: bool
) -> None:
    """Find fault with rows that go back in time or stand at the time of the row before.

    rows: the rows of one series, in the file's order. A file that runs from the newest row to
    the oldest is one fault, not thousands.
    """
    values = times.values[rows]
    steps = np.diff(values)
    back = np.flatnonzero(steps < 0) + 1
    same = np.flatnonzero(steps == 0) + 1
    if back.size and back.size + same.size == steps.size:
        _back(table, times, int(rows[back[0]]), name, reverse=True)
        return
    for place in back:
        _back(table, times, int(rows[place]), name, reverse=False)
    # A time may also come back later in rows out of order; those are named as such above.
    for place in same:
        row = int(rows[place])
        step = _("take one of the two rows out, or add their values up")
        if not grouped:
            step += "; " + _("if the file holds several series, name their column with --group")
        table.findings.fault(
            "DATA-DUPLICATE-TIME",
            line=int(table.lines[row]),
            column=name,
            found=_("{cell} stands in line {line} too").format(
                cell=shown(str(table.frame[name][row])), line=table.lines[rows[place - 1]]
            ),
            why=_("one time cannot have two rows of one series"),
            next_step=step,
        )


def _back(table: Table, times: Times, row: int, name: str, *, reverse: bool) -> None:
    step = _("sort the rows by {column}, the oldest first").format(column=name)
    if table.reader and (reverse or times.sortable):
        change = "reverse()" if reverse else f"sort({name!r}, maintain_order=True)"
        write = "write_csv('sorted.csv')"
        if table.reader.startswith("read_parquet"):
            write = "write_parquet('sorted.parquet')"
        step += f': python -c "import polars as pl; pl.{table.reader}.{change}.{write}"'
    table.findings.fault(
        "DATA-TIME-ORDER",
        line=int(table.lines[row]),
        column=name,
        found=_("the rows run from the newest to the oldest")
        if reverse
        else _("{cell} comes after a later time").format(cell=shown(str(table.frame[name][row]))),
        why=_("the order of the rows is the order of time for every window"),
        next_step=step,
    )


def gaps_in(times: Times, rows: Int[np.ndarray, " kept"], cells: Sequence[str]) -> str:
    """How many steps are longer than the most common one, in words; empty where none is.

    rows: the rows of one series. cells: the whole column, as labels.

    A step counts as a gap from one and a half times the most common step on, so that months and
    years, which differ in length, have none.
    """
    steps = np.diff(times.values[rows])
    if steps.size < 2:
        return ""
    lengths, counts = np.unique(steps, return_counts=True)
    usual = lengths[counts.argmax()]
    gaps = np.flatnonzero(steps > 1.5 * usual)
    if not gaps.size:
        return ""
    longest = gaps[steps[gaps].argmax()]
    text = _(
        "gaps: {gaps:,} of {steps:,} steps are longer than the usual one of {usual}; {missing:,} "
        "such steps are missing; the longest gap ({most}) follows {label}; nothing is filled, "
        "the row order is the index"
    ).format(
        gaps=gaps.size,
        steps=steps.size,
        usual=_span(float(usual), times),
        missing=int(np.round(steps[gaps] / usual - 1).sum()),
        most=_span(float(steps[longest]), times),
        label=cells[int(rows[longest])],
    )
    if times.is_date and usual == DAY_S:
        # 1970-01-01 was a Thursday, so day 1 was a Friday.
        fridays = (times.values[rows][gaps] // DAY_S) % 7 == 1
        weekends = int((fridays & (steps[gaps] == 3 * DAY_S)).sum())
        text += _("; {weekends:,} of the gaps are weekends").format(weekends=weekends)
    return text


def _span(length: float, times: Times) -> str:
    """A length of time with its SI unit; a bare number where the times have none."""
    if not times.is_date:
        return f"{length:g}"
    for size, unit in ((DAY_S, "d"), (3600.0, "h"), (60.0, "min")):
        if length >= size and length % (size / 2) == 0:
            return f"{length / size:g} {unit}"
    return f"{length:g} s"
