"""Delimited text becomes cells, each row knowing the line it stands on.

Two ways lead to the same cells. Nearly all files are regular (each line is one row of the same
number of fields): numpy proves that, and polars cuts them up. All others go through the csv
module, record by record, so that every fault names the line that an editor shows.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Int

from shinso.data.findings import Findings, shown
from shinso.language import _

DELIMITERS = ("\t", ";", "|", ",")
LOOKED_AT = 200  # lines that decide on the delimiter
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")


@dataclass(frozen=True, eq=False)
class Cells:
    """Text cells without surrounding blanks. lines: where each row begins, 1-based."""

    delimiter: str
    has_header: bool
    columns: tuple[str, ...]
    frame: pl.DataFrame
    lines: Int[np.ndarray, " row"]


def read_cells(text: str, findings: Findings, *, prefer: str = "") -> Cells:
    """The rows of ``text``, whose line ends are ``\\n``. prefer: a delimiter to try first.

    A first row of numbers (dates may stand among them) is data, and the columns are called
    c1, c2, …; any other first row names the columns. Lines without anything on them separate
    nothing and are passed over aloud, except in a file of one column, where one means an empty
    cell.
    """
    delimiter = find_delimiter(text, prefer)
    rows = _regular(text, delimiter)
    frame, lines = rows if rows is not None else _irregular(text, delimiter, findings)
    frame = frame.with_columns(pl.all().str.strip_chars())
    first = [str(cell) for cell in frame.row(0)]
    has_header = not _is_data(first)
    if not has_header:
        columns = [f"c{place}" for place in range(1, len(first) + 1)]
        findings.note(
            _("no header: the first row is all numbers; the columns are called {names}").format(
                names=columns[0] if len(columns) == 1 else f"{columns[0]}…{columns[-1]}"
            )
        )
    else:
        columns = _names(first, int(lines[0]), findings)
        frame, lines = frame.slice(1), lines[1:]
    if frame.height == 0 and not findings.any_fault:
        findings.fault(
            "DATA-EMPTY",
            line=1,
            found=_("a header and no rows"),
            why=_("there is nothing to learn from"),
            next_step=_("check that the right file was saved"),
        )
    frame.columns = [f"{place}" for place in range(len(columns))]  # duplicates are a fault later
    return Cells(delimiter, has_header, tuple(columns), frame, lines)


def find_delimiter(text: str, prefer: str = "") -> str:
    """The delimiter for which most of the first lines have the same number of fields above one.

    A file of one column has none; a comma then does no harm.
    """
    head = "\n".join(text.split("\n", LOOKED_AT)[:LOOKED_AT])
    best, best_score = prefer or ",", (0.0, 0)
    for delimiter in sorted(DELIMITERS, key=lambda one: one != prefer):
        widths = _widths(head, delimiter)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        score = (count / max(widths.total(), 1), width)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _widths(head: str, delimiter: str) -> Counter[int]:
    """How many lines have how many fields, as far as the csv module can read them."""
    widths: Counter[int] = Counter()
    try:
        for row in csv.reader(io.StringIO(head), delimiter=delimiter):
            widths[len(row)] += 1
    except csv.Error:  # a cell longer than it takes; the lines before decide
        pass
    widths.pop(0, None)
    return widths


def _is_data(first: list[str]) -> bool:
    numbers = sum(NUMBER.fullmatch(cell) is not None for cell in first)
    dates = sum(DATE.fullmatch(cell) is not None for cell in first if not NUMBER.fullmatch(cell))
    return numbers > 0 and numbers + dates == len(first)


def _names(first: list[str], line: int, findings: Findings) -> list[str]:
    names = [name or f"c{place}" for place, name in enumerate(first, 1)]
    unnamed = [f"c{place}" for place, name in enumerate(first, 1) if not name]
    if unnamed:
        findings.note(
            _("columns without a name are called {names}").format(names=", ".join(unnamed))
        )
    for name in [name for name, count in Counter(names).items() if count > 1]:
        findings.fault(
            "DATA-FORMAT",
            line=line,
            column=name,
            found=_("{count} columns have this name").format(count=names.count(name)),
            why=_("a column is chosen by its name"),
            next_step=_("give each column its own name in the first line"),
        )
    return names


def _regular(text: str, delimiter: str) -> tuple[pl.DataFrame, Int[np.ndarray, " row"]] | None:
    """The fast way; None where a line is not exactly one row of the usual number of fields."""
    content = text.encode()
    codes = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    if not content.endswith(b"\n"):
        ends = np.append(ends, codes.size)
    cuts = np.flatnonzero(codes == ord(delimiter))
    quotes = np.flatnonzero(codes == ord('"'))
    if quotes.size:
        cuts = cuts[np.searchsorted(quotes, cuts) % 2 == 0]
    lengths = np.diff(ends, prepend=-1) - 1
    blank = np.flatnonzero(lengths == 0)
    if blank.size:
        # Only a file's end may be blank here.
        if blank[-1] != ends.size - 1 or blank[-1] - blank[0] != blank.size - 1:
            return None
        ends = ends[: blank[0]]
        content = content[: ends[-1] + 1]
    counts = np.diff(np.searchsorted(cuts, ends), prepend=0)
    if (counts != counts[0]).any():
        return None
    try:
        frame = pl.read_csv(
            content,
            has_header=False,
            infer_schema=False,
            separator=delimiter,
            quote_char='"' if quotes.size else None,
        )
    except pl.exceptions.PolarsError:  # quotes where none should be; the exact way names the line
        return None
    if frame.shape != (ends.size, counts[0] + 1):
        return None  # a quoted cell runs over several lines
    return frame.fill_null(""), np.arange(1, ends.size + 1)


def _irregular(
    text: str, delimiter: str, findings: Findings
) -> tuple[pl.DataFrame, Int[np.ndarray, " row"]]:
    """The exact way: quoted line ends, blank lines and rows of a wrong length."""
    rows: list[list[str]] = []
    lines: list[int] = []
    for line, row in records(text, delimiter, findings):
        if rows or row:  # blank lines before the first row are no rows of any width
            rows.append(row)
            lines.append(line)
    width = Counter(len(row) for row in rows if row).most_common(1)[0][0]
    if width == 1:
        rows = [row or [""] for row in rows]
    blank = [line for line, row in zip(lines, rows, strict=True) if not row]
    if blank:
        findings.note(
            _("{path}: {count} blank lines passed over, the first in line {line}").format(
                path=findings.path, count=len(blank), line=blank[0]
            )
        )
    for line, row in zip(lines, rows, strict=True):
        if row and len(row) != width:
            _ragged(line, row, width, findings)
    if len(rows[0]) != width:
        findings.stop()  # without a header nothing more can be said
    kept = [place for place, row in enumerate(rows) if len(row) == width]
    names = [str(column) for column in range(width)]
    frame = pl.DataFrame(
        {name: [rows[place][int(name)] for place in kept] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )
    return frame, np.array([lines[place] for place in kept], dtype=np.int64)


def records(text: str, delimiter: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    """Each record's first line and its fields, none for a blank line.

    Raises ManyDataFaults DATA-FORMAT where a cell is longer than the csv module takes."""
    reader = csv.reader(
        io.StringIO(text.rstrip("\n") + "\n", newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
    )
    begins = 1
    try:
        for row in reader:
            yield begins, [] if len(row) == 1 and not row[0].strip() else row
            begins = reader.line_num + 1
    except csv.Error as error:
        findings.fault(
            "DATA-FORMAT",
            line=begins,
            found=str(error),
            why=_("a quoted cell that begins here does not end"),
            next_step=_("close the quotes in this line"),
        )
        findings.stop()


def _ragged(line: int, row: list[str], width: int, findings: Findings) -> None:
    step = _("mend the line: quote cells that hold the delimiter, add what is missing")
    if any("\n" in cell for cell in row):
        step = _("a quoted cell runs over several lines here; close its quotes")
    findings.fault(
        "DATA-RAGGED",
        line=line,
        found=_("{count} fields where most rows have {width}: {row}").format(
            count=len(row), width=width, row=shown(" | ".join(row), 80)
        ),
        why=_("no one can tell which column each value belongs to"),
        next_step=step,
    )
