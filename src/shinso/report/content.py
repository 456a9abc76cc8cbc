"""What a report is made of: plain data, filled by whoever measured and trained.

Texts that are the same in both languages (names, units, numbers already spelled) may be plain
strings; everything else is a ``Text``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shinso.claims.claim import Profile
from shinso.claims.judgement import Judgement
from shinso.intervals import Interval
from shinso.language import LANGUAGES, Text
from shinso.walk.tables import ResultTable

Words = Text | str
Cell = Text | str | int | float | Interval | None
"""None is an empty cell; an Interval is shown with its ends."""

PICTURE_KINDS = (".svg", ".png")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure that lies on disk, drawn once for each language.

    files: by language ("en", "ja"); the same file twice where no word stands in it.
    alt: what is to be seen, for a reader who does not see it.
    """

    files: Mapping[str, Path]
    alt: Text
    caption: Words = ""

    def __post_init__(self) -> None:
        lacking = [language for language in LANGUAGES if language not in self.files]
        if lacking:
            raise ValueError(f"files lacks {', '.join(lacking)}; give a file for each language")
        for path in self.files.values():
            if path.suffix not in PICTURE_KINDS:
                raise ValueError(f"files has {path.name}; give {' or '.join(PICTURE_KINDS)}")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose first column names the rows.

    best: (row, column) of cells that are the best of their column.
    """

    caption: Words
    columns: tuple[Words, ...]
    rows: tuple[tuple[Cell, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[Words, ...] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"rows[{number}] has {len(row)} cells and columns {len(self.columns)}; "
                    "give one cell for each column"
                )


@dataclass(frozen=True, kw_only=True)
class SystemEvidence:
    """One system of the course, trained: what it is and what it reached.

    name: of its page, in lower case with dashes; headline: its result in a line, for the
    overview; command: what a reader types to repeat it.
    """

    name: str
    title: Text
    place: Text
    body: tuple[Text, ...]
    command: str
    headline: Words = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    notes: tuple[Words, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FigurePage:
    """One figure of the course, redrawn, with its explanation and its numbers."""

    name: str
    title: Text
    place: Text
    body: tuple[Text, ...]
    command: str
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything on the pages.

    environment: what the results depend on besides code and data, by name, shown as it is.
    seconds: that the whole job took; made: when, in UTC (ISO 8601); command: that repeats it.
    """

    profile: Profile
    judgements: tuple[Judgement, ...]
    systems: tuple[SystemEvidence, ...] = ()
    figures: tuple[FigurePage, ...] = ()
    environment: Mapping[str, str | int | float] = field(default_factory=dict)
    seconds: float
    made: str
    command: str


def table_of(results: ResultTable, caption: Words) -> Table:
    """A result table of a run as a table of a page, with its intervals and its best cells."""
    columns: tuple[Words, ...] = (Text("model", "モデル"), *results.metrics)
    rows: list[tuple[Cell, ...]] = []
    best = set()
    for number, row in enumerate(results.rows):
        cells: list[Cell] = [row.name]
        for place, metric in enumerate(results.metrics, start=1):
            value = row.values.get(metric)
            # One seed has no interval, which says less than its plain number.
            cells.append(value.value if value is not None and row.seeds == 1 else value)
            if results.best(metric) == row.name:
                best.add((number, place))
        rows.append(tuple(cells))
    return Table(
        caption=caption,
        columns=columns,
        rows=tuple(rows),
        best=frozenset(best),
        notes=results.notes,
    )
