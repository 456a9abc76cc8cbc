"""What a run measured while it trained, one JSON object a line (``metrics.jsonl``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shinso.runs.files import append_line, strict, write_atomically


class MetricsLog:
    """Rows in the order of their steps; each has ``step`` and ``part`` ("train" or "valid")."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, Any]) -> None:
        append_line(self.path, json.dumps(strict(row), ensure_ascii=False, allow_nan=False))

    def rows(self) -> Iterator[dict[str, Any]]:
        """All whole rows."""
        return whole_rows(self.path)

    def cut_after(self, step: int) -> None:
        """Drop the rows of steps after ``step``: a resumed run takes those steps again."""
        kept = [json.dumps(row, ensure_ascii=False) for row in self.rows() if row["step"] <= step]
        if self.path.exists():
            write_atomically(self.path, "".join(line + "\n" for line in kept))

    def curve(self, name: str, part: str) -> tuple[list[int], list[float]]:
        """Steps and values of one metric, for a plot."""
        found = [
            (row["step"], float(row[name]))
            for row in self.rows()
            if row.get("part") == part and name in row
        ]
        return [step for step, _ in found], [value for _, value in found]


def whole_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, a line each; a last line torn by a kill is left out."""
    yield from (row for row in _each_line(path) if row is not None)


def leading_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file up to the first line that holds none: for rows whose number
    counts."""
    for row in _each_line(path):
        if row is None:
            return
        yield row


def _each_line(path: Path) -> Iterator[dict[str, Any] | None]:
    if not path.exists():
        return
    # Texts in a row may hold what other systems take for an end of line.
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        yield row if isinstance(row, dict) else None
