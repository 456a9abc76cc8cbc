"""Series with a label each, for ``classify-series``: JSON lines, long CSV or wide CSV."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from shinso.data.findings import Findings, shown
from shinso.data.json_lines import looks_like_json, read_objects
from shinso.data.series import SeriesRoles, series_of
from shinso.data.tables import Missing, Table, is_empty, numbers_of, read_table
from shinso.data.text import read_text
from shinso.language import _


@dataclass(frozen=True, kw_only=True)
class LabelledRoles:
    """Which column or key plays which part.

    label: the class. group: names the series a row belongs to; given, the CSV is long (a row is
    a time step), else wide (a row is a series, every other column a time step). time and target
    as in SeriesRoles, for long files only.
    """

    label: str = "label"
    group: str | None = None
    time: str | None = None
    target: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """Series of any lengths with their labels, in the file's order.

    labels: empty text where a file without labels was read. places: ``file:line`` of each.
    """

    path: Path
    values: tuple[Float[np.ndarray, "_ channel"], ...]
    labels: tuple[str, ...]
    places: tuple[str, ...]
    channels: tuple[str, ...]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def contents(self) -> list[bytes]:
        """Each series as one key, equal for equal series; for finding duplicates."""
        return [one.tobytes() for one in self.values]

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels in the order of the alphabet, numbers in the order of their size."""
        return ordered_classes(self.labels)

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was, for the run's ``data.json``."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "samples": len(self),
            "channels": list(self.channels),
            "lengths": [min(map(len, self.values)), max(map(len, self.values))],
            "classes": dict(sorted(Counter(self.labels).items())),
        }


def ordered_classes(labels: Sequence[str]) -> tuple[str, ...]:
    """Each label once, sorted; whole numbers by size, so that 10 comes after 9."""
    return tuple(
        sorted(set(labels), key=lambda one: (not one.isdecimal(), len(one) * one.isdecimal(), one))
    )


def read_labelled_series(
    path: Path | str,
    roles: LabelledRoles | None = None,
    *,
    needs_label: bool = True,
    missing: Missing = "fail",
) -> LabelledSeries:
    """Read one file; its form is known by its content and by ``roles.group``.

    JSON lines: ``{"series": [1, 2, …] or [[1, 2], …], "label": "up"}``, an inner list being the
    channels at one time. Wide CSV: empty cells at a row's end make a shorter series.
    needs_label: False for new series whose class is asked for. missing: "drop" leaves rows with
    an empty cell out of a long CSV; the other forms have no rows to drop.

    Raises ManyDataFaults with all that is wrong, or what ``read_table`` raises.
    """
    path, roles = Path(path), roles or LabelledRoles()
    if roles.group:
        return _from_long(read_table(path), roles, needs_label, missing)
    if looks_like_json(path):
        return _from_json(path, roles, needs_label)
    return _from_wide(read_table(path), roles, needs_label)


def _from_json(path: Path, roles: LabelledRoles, needs_label: bool) -> LabelledSeries:
    findings = Findings(path)
    file = read_text(path, findings)
    required = ("series", roles.label) if needs_label else ("series",)
    values, labels, places = [], [], []
    channels = 0
    for line, content in read_objects(file, findings, required):
        series = _array(content["series"], line, findings)
        if series is None:
            continue
        channels = channels or series.shape[1]
        if series.shape[1] != channels:
            findings.fault(
                "DATA-RAGGED",
                line=line,
                column="series",
                found=_("{count} channels where the first series has {first}").format(
                    count=series.shape[1], first=channels
                ),
                why=_("all series need the same channels"),
                next_step=_("give every time step {first} numbers").format(first=channels),
            )
            continue
        values.append(series)
        labels.append(
            _label(content.get(roles.label, ""), line, roles.label, needs_label, findings)
        )
        places.append(findings.place(line))
    names = tuple(f"c{place}" for place in range(1, channels + 1))
    findings.stop()
    return LabelledSeries(
        path, tuple(values), tuple(labels), tuple(places), names, file.sha256, tuple(findings.notes)
    )


def _array(content: Any, line: int, findings: Findings) -> Float[np.ndarray, "time channel"] | None:
    """A series from JSON, a fault and None where it is none."""
    if not isinstance(content, list) or not content:
        findings.fault(
            "DATA-EMPTY",
            line=line,
            column="series",
            found=shown(repr(content)),
            why=_("a series has at least one time step"),
            next_step=_("give a list of numbers, or of lists of numbers"),
        )
        return None
    steps = [step if isinstance(step, list) else [step] for step in content]
    if len({len(step) for step in steps}) > 1 or not steps[0]:
        findings.fault(
            "DATA-RAGGED",
            line=line,
            column="series",
            found=_("time steps of {lengths} numbers").format(
                lengths=", ".join(str(n) for n in sorted({len(step) for step in steps}))
            ),
            why=_("every time step needs the same channels"),
            next_step=_("give every time step the same count of numbers, at least one"),
        )
        return None
    for place, step in enumerate(steps):
        for cell in step:
            good = isinstance(cell, int | float) and not isinstance(cell, bool)
            if good and _is_finite(cell):
                continue
            findings.fault(
                "DATA-NAN" if good or cell is None else "DATA-TEXT-CELL",
                line=line,
                column=f"series[{place}]",
                found=shown(repr(cell)),
                why=_("a finite number is needed at every time step"),
                next_step=_("mend the number, or take the series out"),
            )
            return None
    return np.array(steps, dtype=np.float64)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all that 64 bits can say
        return False


def _label(content: Any, line: int, name: str, needed: bool, findings: Findings) -> str:
    if isinstance(content, str | int | bool) and str(content).strip():
        return str(content).strip()
    if needed:
        findings.fault(
            "DATA-NAN",
            line=line,
            column=name,
            found=shown(repr(content)),
            why=_("every series needs its class, a word or a whole number"),
            next_step=_("write the class, or take the series out"),
        )
    return ""


def _from_long(
    table: Table, roles: LabelledRoles, needs_label: bool, missing: Missing
) -> LabelledSeries:
    has_label = needs_label or roles.label in table.columns
    named = [("--group", roles.group or "")] + ([("--label", roles.label)] if has_label else [])
    absent = [(role, name) for role, name in named if name not in table.columns]
    for role, name in absent:
        table.findings.missing_column(name, table.columns, role=role)
    if absent:
        table.findings.stop()
    labels = _labels_of_groups(table, roles, needs_label) if has_label else {}
    # The label column is no channel, however numeric it looks.
    rest = table.with_columns([name for name in table.columns if name != roles.label])
    found = series_of(
        rest, SeriesRoles(time=roles.time, target=roles.target, group=roles.group), missing
    )
    return LabelledSeries(
        table.path, tuple(found.values), tuple(labels.get(one.name, "") for one in found.series),
        tuple(table.findings.place(int(one.lines[0])) for one in found.series),
        found.channels, table.sha256, found.notes,
    )  # fmt: skip


def _labels_of_groups(table: Table, roles: LabelledRoles, needed: bool) -> dict[str, str]:
    """The label of each series; a fault where it is not the same in all its rows."""
    first: dict[str, str] = {}
    changed: set[str] = set()
    pairs = zip(table.texts(roles.group or ""), table.texts(roles.label), table.lines, strict=True)
    for name, label, line in pairs:
        if name not in first:
            first[name] = _label(label, int(line), roles.label, needed, table.findings)
        elif label != first[name] and name not in changed:
            changed.add(name)
            table.findings.fault(
                "DATA-LABEL-CHANGES",
                line=int(line),
                column=roles.label,
                found=_("{other} where series {name} began with {first}").format(
                    other=shown(label), name=name, first=shown(first[name])
                ),
                why=_("a series has one class"),
                next_step=_("mend the label, or give the rows another name in the group column"),
            )
    return first


def _from_wide(table: Table, roles: LabelledRoles, needs_label: bool) -> LabelledSeries:
    findings = table.findings
    has_label = roles.label in table.columns
    if needs_label and not has_label:
        findings.missing_column(roles.label, table.columns, role="--label")
        findings.stop()
    steps = [name for name in table.columns if name != roles.label]
    if not steps:
        findings.fault(
            "DATA-EMPTY",
            line=1,
            found=_("the label is the only column"),
            why=_("a series has at least one time step"),
            next_step=_("give one column for each time step, or --group for a long file"),
        )
        findings.stop()
    held = np.stack([~is_empty(table.frame[name]) for name in steps], axis=1)
    # Empty cells after the last value end a series; those before it are faults.
    lengths = held.shape[1] - np.argmax(held[:, ::-1], axis=1)
    lengths[~held.any(axis=1)] = 0
    values = _wide_values(table, steps, lengths)
    texts = table.texts(roles.label) if has_label else [""] * table.num_rows
    labels = [
        _label(text, int(line), roles.label, needs_label, findings)
        for text, line in zip(texts, table.lines, strict=True)
    ]
    findings.stop()
    return LabelledSeries(
        table.path,
        tuple(row[:length, None] for row, length in zip(values, lengths, strict=True)),
        tuple(labels), tuple(findings.place(int(line)) for line in table.lines),
        ("c1",), table.sha256, tuple(findings.notes),
    )  # fmt: skip


def _wide_values(
    table: Table, steps: Sequence[str], lengths: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "row step"]:
    """All cells as numbers, with a fault for each cell within a series that is none."""
    for row in np.flatnonzero(lengths == 0):
        table.findings.fault(
            "DATA-EMPTY",
            line=int(table.lines[row]),
            found=_("a row without a number"),
            why=_("a series has at least one time step"),
            next_step=_("take the row out"),
        )
    if (lengths == len(steps)).all():
        return numbers_of(table, steps, can_drop=False).values
    values = np.empty((table.num_rows, len(steps)))
    for place, name in enumerate(steps):
        within = place < lengths
        one = table.with_columns([name]).rows(within)
        values[within, place] = numbers_of(one, [name], can_drop=False).values[:, 0]
    return values
