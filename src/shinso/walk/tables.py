"""Result tables: a row for each baseline and model, a column for each metric."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shinso.intervals import Interval, mean


@dataclass(frozen=True)
class Row:
    """One system. values: metric -> its interval over seeds (width 0 for an exact number)."""

    name: str
    values: Mapping[str, Interval]
    seeds: int
    learned: bool


@dataclass(frozen=True)
class ResultTable:
    """Rows in order, metrics in order; ``better`` says which direction wins."""

    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    better: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def best(self, metric: str) -> str | None:
        """Name of the row whose value is best; None where no direction is known."""
        known = [
            row
            for row in self.rows
            if metric in row.values and math.isfinite(row.values[metric].value)
        ]
        if metric not in self.better or not known:
            return None
        pick = min if self.better[metric] == "min" else max
        return pick(known, key=lambda row: row.values[metric].value).name

    def cells(self) -> list[list[str]]:
        """Header and rows as text, the best value of each metric marked."""
        lines = [["", *self.metrics]]
        for row in self.rows:
            line = [row.name]
            for metric in self.metrics:
                mark = " *" if self.best(metric) == row.name else ""
                line.append(
                    show(row.values[metric], row.seeds) + mark if metric in row.values else ""
                )
            lines.append(line)
        return lines

    def markdown(self) -> str:
        head, *body = self.cells()
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(line) + " |" for line in body]
        return "\n".join([*lines, "", *self.notes])

    def as_html(self) -> str:
        head, *body = self.cells()
        rows = ["<tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in head) + "</tr>"]
        rows += [
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in line) + "</tr>" for line in body
        ]
        return "<table>" + "".join(rows) + "</table>"

    def as_dict(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "better": dict(self.better),
            "rows": [
                {
                    "name": row.name,
                    "seeds": row.seeds,
                    "learned": row.learned,
                    "values": {m: vars(v) for m, v in row.values.items()},
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }


def over_seeds(name: str, found: Sequence[Mapping[str, float]], *, learned: bool) -> Row:
    """One row from the metrics of each seed, with t intervals (infinite for a single seed)."""
    metrics = list(found[0])
    return Row(name, {m: mean([one[m] for one in found]) for m in metrics}, len(found), learned)


def show(value: Interval, seeds: int) -> str:
    """A number with four significant digits, and half the width of its interval over seeds."""
    text = f"{value.value:.4g}"
    half = (value.high - value.low) / 2
    return f"{text} ± {half:.2g}" if seeds > 1 and math.isfinite(half) else text
