"""Tables as users keep them: CSV, TSV, Parquet, plain or gzipped, with every fault placed.

Cells are read as text first and cast a column at a time; only where a cast fails are the cells
looked at one by one, so that a million good rows take seconds and a bad cell has its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from shinso.data.delimited import read_cells
from shinso.data.findings import LARGEST_PER_KIND, Findings, shown
from shinso.data.text import read_bytes, read_text, sha256_of
from shinso.data.written_numbers import ALMOST, rewriting, why_text, without_unit
from shinso.faults import DataFault
from shinso.language import _

Missing = Literal["fail", "drop"]

# What programs write into a cell that has no value, in lower case.
EMPTY_WORDS = (
    "",
    "na",
    "n/a",
    "#n/a",
    "<na>",
    "nan",
    "-nan",
    "null",
    "none",
    "nil",
    ".",
    "-",
    "--",
)
PARQUET = b"PAR1"


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns in the file's order.

    frame: one column a name; text cells from delimited files, typed ones from Parquet.
    lines: where each row begins, 1-based, as an editor shows it; in Parquet the row's number.
    findings: faults and notes so far. Whoever uses the table adds its own and then stops.
    reader: the polars call that reads the same cells, for commands that faults offer; may be empty.
    """

    path: Path
    frame: pl.DataFrame
    lines: Int[np.ndarray, " row"]
    sha256: str
    findings: Findings
    reader: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.frame.columns)

    @property
    def num_rows(self) -> int:
        return self.frame.height

    def rows(self, kept: Bool[np.ndarray, " row"]) -> Table:
        """The same table with only the rows that are ``kept``."""
        return replace(self, frame=self.frame.filter(kept), lines=self.lines[kept])

    def with_columns(self, names: Sequence[str]) -> Table:
        """The same table with only these columns."""
        return replace(self, frame=self.frame.select(names))

    def texts(self, name: str) -> list[str]:
        """A column's cells as they would stand in a CSV; empty text for no value."""
        return self.frame[name].cast(pl.String).fill_null("").to_list()


def read_table(path: Path | str) -> Table:
    """Read a table; its kind is known by its content, its delimiter by the first lines.

    Raises DataFault DATA-NOT-FOUND, DATA-FORMAT, DATA-ENCODING or DATA-EMPTY when no table can
    be made of the file. Rows of a wrong length (DATA-RAGGED) wait in ``findings``, so that they
    are raised together with what is wrong in the cells.
    """
    path = Path(path)
    if path.is_file() and _starts_with(path, PARQUET):
        return _read_parquet(path)
    findings = Findings(path)
    file = read_text(path, findings)
    tabs = ".tsv" in path.suffixes or ".tab" in path.suffixes
    cells = read_cells(file.text, findings, prefer="\t" if tabs else "")
    if len(set(cells.columns)) < len(cells.columns):
        findings.stop()
    frame = cells.frame.rename(dict(zip(cells.frame.columns, cells.columns, strict=True)))
    options = ["infer_schema=False"]
    options += [f"separator={cells.delimiter!r}"] if cells.delimiter != "," else []
    options += [f"encoding={file.encoding!r}"] if file.encoding != "utf-8" else []
    reader = f"read_csv({str(path)!r}, {', '.join(options)})" if cells.has_header else ""
    return Table(path, frame, cells.lines, file.sha256, findings, reader)


def _starts_with(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _read_parquet(path: Path) -> Table:
    findings = Findings(path, unit="row")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=str(error).split("\n", 1)[0],
            why=_("the Parquet file is damaged or cut off"),
            next_step=_("copy or write the file again"),
        ) from error
    table = table_of_frame(frame, path, sha256_of(read_bytes(path)), findings)
    return replace(table, reader=f"read_parquet({str(path)!r})")


def table_of_frame(
    frame: pl.DataFrame, path: Path, sha256: str, findings: Findings | None = None
) -> Table:
    """A table from columns already in memory; ``path`` is how faults call it.

    Raises DataFault DATA-EMPTY where there is no row.
    """
    findings = findings or Findings(path, unit="row")
    if frame.height == 0:
        raise DataFault(
            "DATA-EMPTY",
            place=str(path),
            found=_("a header and no rows"),
            why=_("there is nothing to learn from"),
            next_step=_("check that the right file was saved"),
        )
    return Table(path, frame, np.arange(1, frame.height + 1), sha256, findings)


def as_numbers(column: pl.Series) -> Float[np.ndarray, " row"]:
    """The cells as float64; NaN where a cell is no finite number."""
    if column.dtype.is_temporal() or column.dtype.is_nested():
        return np.full(len(column), np.nan)
    numbers = column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().copy()
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def is_empty(column: pl.Series) -> Bool[np.ndarray, " row"]:
    """Which cells hold no value: nothing, a word for nothing such as NA, or NaN."""
    if column.dtype.is_float():
        return column.is_nan().fill_null(value=True).to_numpy()
    if column.dtype != pl.String:
        return column.is_null().to_numpy()
    return column.str.to_lowercase().is_in(EMPTY_WORDS).fill_null(value=True).to_numpy()


def is_infinite(column: pl.Series) -> Bool[np.ndarray, " row"]:
    """Which cells hold a number too large to be one: inf, or 1e999."""
    if not (column.dtype.is_float() or column.dtype == pl.String):
        return np.zeros(len(column), dtype=bool)
    numbers = column.cast(pl.Float64, strict=False)
    return numbers.is_infinite().fill_null(value=False).to_numpy()


def is_numeric(column: pl.Series) -> bool:
    """Whether most of the cells that hold a value are numbers; the others are then faults."""
    if column.dtype == pl.Boolean:
        return False
    held = ~(is_empty(column) | is_infinite(column))
    return bool(held.any() and np.isfinite(as_numbers(column)[held]).mean() > 0.5)


def almost_number(column: pl.Series) -> str | None:
    """The first cell that is a number but for how it is written (separators, a sign of percent or
    currency, k for thousands), if most of the cells that hold a value are numbers or such; None
    where they are not."""
    if column.dtype != pl.String:
        return None
    held = column.filter(~pl.Series(is_empty(column)))
    almost = held.str.contains(f"^(?:{ALMOST})$")
    numbers = pl.Series(np.isfinite(as_numbers(held))) | almost
    return held.filter(almost)[0] if almost.any() and 2 * numbers.sum() > len(held) else None


@dataclass(frozen=True, eq=False)
class Numbers:
    """Some columns as numbers. values: NaN where a fault was found.

    kept: rows without an empty cell, all of them unless rows are dropped.
    """

    values: Float[np.ndarray, "row column"]
    kept: Bool[np.ndarray, " row"]


def numbers_of(
    table: Table,
    names: Sequence[str],
    *,
    missing: Missing = "fail",
    can_drop: bool = True,
    labels: Sequence[str] = (),
) -> Numbers:
    """The columns ``names`` as numbers; every cell that is none becomes a fault in ``findings``.

    missing: what to do with a row in which a cell of ``names`` or ``labels`` is empty, NaN or
    infinite: "fail" (DATA-NAN for each) or "drop" (counted aloud in a note). can_drop: whether
    the fault offers to drop. labels: columns of text that must not be empty either.
    """
    values = np.empty((table.num_rows, len(names)))
    kept = np.ones(table.num_rows, dtype=bool)
    for place, name in enumerate([*names, *labels]):
        column = table.frame[name]
        bad = np.zeros(table.num_rows, dtype=bool)
        if place < len(names):
            values[:, place] = as_numbers(column)
            bad = np.isnan(values[:, place])
            if not bad.any():
                continue
            empty = is_empty(column) | is_infinite(column)
        else:
            empty = np.array([not text for text in table.texts(name)])
        _text_cells(table, np.flatnonzero(bad & ~empty), name, num_held=int((~empty).sum()))
        kept &= ~empty
        if missing == "fail":
            rows = np.flatnonzero(empty)
            for row in rows[:LARGEST_PER_KIND]:
                _empty_cell(table, int(row), name, can_drop=can_drop)
            table.findings.more("DATA-NAN", name, len(rows[LARGEST_PER_KIND:]))
    dropped = int((~kept).sum())
    if missing == "fail":
        kept[:] = True
    elif dropped:
        text = _(
            "{count:,} of {rows:,} rows with an empty cell are dropped, the first in line {line}"
        )
        first = table.lines[~kept][0]
        table.findings.note(text.format(count=dropped, rows=table.num_rows, line=first))
    return Numbers(values, kept)


def _empty_cell(table: Table, row: int, name: str, *, can_drop: bool) -> None:
    step = _("fill the cell; training with --missing drop leaves such rows out")
    table.findings.fault(
        "DATA-NAN",
        line=int(table.lines[row]),
        column=name,
        found=shown(str(table.frame[name][row] if table.frame[name][row] is not None else "")),
        why=_("a number is needed in every row; shinso fills nothing in by itself"),
        next_step=step if can_drop else _("fill the cell, or take the row out"),
    )


def _text_cells(table: Table, rows: Int[np.ndarray, " some"], name: str, *, num_held: int) -> None:
    """Find fault with each of ``rows``; with the column once where it holds no number at all."""
    if len(rows) > 1 and len(rows) == num_held:
        first = str(table.frame[name][int(rows[0])])
        why, step = (
            rewriting(first)
            or without_unit(table.frame[name][rows])
            or (
                _("a number is needed in this column"),
                _("choose a column of numbers, or mend this one"),
            )
        )
        table.findings.fault(
            "DATA-TEXT-CELL",
            line=int(table.lines[rows[0]]),
            column=name,
            found=_("none of its {count:,} cells is a number; the first is {cell}").format(
                count=num_held, cell=shown(first)
            ),
            why=why,
            next_step=step,
        )
        return
    for row in rows[:LARGEST_PER_KIND]:
        _text_cell(table, int(row), name)
    table.findings.more("DATA-TEXT-CELL", name, len(rows[LARGEST_PER_KIND:]))


def _text_cell(table: Table, row: int, name: str) -> None:
    cell = str(table.frame[name][row])
    why, step = why_text(cell)
    table.findings.fault(
        "DATA-TEXT-CELL",
        line=int(table.lines[row]),
        column=name,
        found=shown(cell),
        why=why,
        next_step=step,
    )
