"""Sentences, or pairs of them, with a label each: TSV, CSV or JSON lines."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from shinso.data.findings import Findings, shown
from shinso.data.json_lines import looks_like_json, read_objects
from shinso.data.labelled_series import ordered_classes
from shinso.data.text import FileText, read_text
from shinso.language import _

NAMES = ("text", "second", "label")


@dataclass(frozen=True)
class LabelledTexts:
    """first, second, labels in the file's order. second: empty texts where there are no pairs;
    labels: empty where none were asked for."""

    path: Path
    first: tuple[str, ...]
    second: tuple[str, ...]
    labels: tuple[str, ...]
    lines: tuple[int, ...]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def classes(self) -> tuple[str, ...]:
        return ordered_classes(list(self.labels))

    def take(self, places: Sequence[int] | Int[np.ndarray, " sample"]) -> LabelledTexts:
        """Some of the samples, as if they alone stood in the file."""
        chosen = [int(place) for place in places]

        def of(column: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(column[place] for place in chosen)

        return LabelledTexts(
            self.path, of(self.first), of(self.second), of(self.labels), of(self.lines),
            self.sha256, self.notes,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "samples": len(self),
            "classes": dict(sorted(Counter(self.labels).items())),
        }


def read_labelled_texts(path: Path, *, needs_label: bool = True) -> LabelledTexts:
    """JSON lines ``{"text": …, "label": …}``, with ``"second": …`` for pairs; or a table with a
    header of these names; or without one: text, label or text, second, label.

    Tabs are taken before commas; in a file with tabs quotes are letters. Raises ManyDataFaults
    (DATA-RAGGED, DATA-NAN, DATA-MISSING-COLUMN, DATA-FORMAT) or what ``read_text`` raises.
    """
    findings = Findings(path)
    is_json = looks_like_json(path)
    file = read_text(path, findings)
    rows = (
        _from_json(file, findings, needs_label)
        if is_json
        else _from_table(file, findings, needs_label)
    )
    kept = []
    for line, text, second, label in rows:
        empty = "text" if not text.strip() else "label" if needs_label and not label else ""
        if empty:
            findings.fault(
                "DATA-NAN",
                line=line,
                column=empty,
                found=shown(text),
                why=_("a text or its label is empty"),
                next_step=_("write it, or take the line out"),
            )
        kept.append((line, text, second, label))
    findings.stop()
    lines, first, second, labels = zip(*kept, strict=True) if kept else ((), (), (), ())
    return LabelledTexts(
        path, first, second, labels if needs_label else (), lines, file.sha256,
        tuple(findings.notes),
    )  # fmt: skip


def _from_json(
    file: FileText, findings: Findings, needs_label: bool
) -> list[tuple[int, str, str, str]]:
    required = ("text", "label") if needs_label else ("text",)
    rows = []
    for line, one in read_objects(file, findings, required):
        # null counts as empty, for which the reader has a fault.
        cells = {name: "" if one.get(name) is None else one[name] for name in NAMES}
        cells["label"] = cells["label"] if needs_label else ""
        for name, value in cells.items():
            # A class may be a number; a text that is none was meant for another column.
            if not isinstance(value, (str, int, float) if name == "label" else str):
                findings.fault(
                    "DATA-FORMAT",
                    line=line,
                    column=name,
                    found=shown(repr(value)),
                    why=_("a text is needed, or as a label a number"),
                    next_step=_("write it like {example}").format(
                        example='{"text": "a fine film", "label": "good"}'
                    ),
                )
        rows.append((line, *(str(cells[name]) for name in NAMES)))
    return rows


def _from_table(
    file: FileText, findings: Findings, needs_label: bool
) -> list[tuple[int, str, str, str]]:
    records = list(_records(file.text))
    if not records:
        return []
    names = tuple(cell.strip().lower() for cell in records[0][1])
    has_header = "text" in names
    if has_header:
        records = records[1:]
        if needs_label and "label" not in names:
            findings.missing_column("label", names, role=_("the class of each text"))
            findings.stop()
    else:
        width = len(names)
        names = {1: ("text",), 2: ("text", "label"), 3: NAMES}.get(width, ())
        if not needs_label and width == 2:
            names = ("text", "label")
        if not names or (needs_label and "label" not in names):
            findings.fault(
                "DATA-MISSING-COLUMN",
                line=1,
                found=_("{count} columns without a header").format(count=width),
                why=_("a text and its label are needed"),
                next_step=_("write text TAB label, or a header with text, second, label"),
            )
            findings.stop()
    rows = []
    for line, cells in records:
        if len(cells) != len(names):
            findings.fault(
                "DATA-RAGGED",
                line=line,
                found=_("{count} columns: {text}").format(
                    count=len(cells), text=shown(" | ".join(cells))
                ),
                why=_("the first line has {count}").format(count=len(names)),
                next_step=_("mend the line"),
            )
            continue
        cell = dict(zip(names, cells, strict=True))
        rows.append(
            (
                line,
                cell["text"].strip(),
                cell.get("second", "").strip(),
                cell.get("label", "").strip(),
            )
        )
    return rows


def _records(text: str) -> Iterable[tuple[int, list[str]]]:
    first = text.split("\n", 1)[0]
    if "\t" in first:
        for line, content in enumerate(text.split("\n"), 1):
            if content.strip():
                yield line, content.split("\t")
        return
    # Of csv's own limit, 131,072 letters a cell, a text knows nothing. It is the whole process's, and
    # other tables find a quote that never ends by it.
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, len(text)))
    try:
        reader = csv.reader(io.StringIO(text))
        begin = 1
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    finally:
        csv.field_size_limit(before)
