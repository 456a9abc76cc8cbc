"""Gates: what a run must reach for ``--require`` to let it pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from shinso.faults import GateFault, UsageFault
from shinso.language import _
from shinso.walk.tables import ResultTable, Row

NAIVE = "naive"
"""Stands for every row that did not learn."""


@dataclass(frozen=True)
class Beats:
    """beats=ROW: better than a row, or than all that did not learn, in the first metric; its whole interval
    where there are seeds enough for one."""

    rival: str

    @property
    def text(self) -> str:
        return f"beats={self.rival}"

    def refuse_unknown(self, rows: Iterable[str], metrics: Iterable[str]) -> None:
        """UsageFault GATE-UNKNOWN where no row has the name."""
        rows = list(rows)
        if self.rival != NAIVE and self.rival not in rows:
            raise UsageFault(
                "GATE-UNKNOWN",
                place="--require",
                found=self.rival,
                next_step=_("rows are: {all}").format(all=", ".join(rows)),
            )

    def check(self, table: ResultTable, model: str) -> None:
        """Raise GateFault GATE-FAILED unless it is met; UsageFault GATE-UNKNOWN where there is
        nothing to compare with."""
        rows = {row.name: row for row in table.rows}
        self.refuse_unknown(rows, ())
        metric = next(iter(table.better))
        rivals = self._rivals(table, metric)
        smaller = table.better[metric] == "min"
        own = rows[model].values[metric]
        edge = own.value if rows[model].seeds == 1 else own.high if smaller else own.low
        lost = [
            row
            for row in rivals
            if not (edge < row.values[metric].value if smaller else edge > row.values[metric].value)
        ]
        if lost:
            raise GateFault(
                "GATE-FAILED",
                place=f"--require {self.text}",
                found=f"{metric}: {model} {edge:.4g}; "
                + ", ".join(f"{row.name} {row.values[metric].value:.4g}" for row in lost),
                why=_("the model is not better than that"),
                next_step=_("train longer, another --model, or use the baseline"),
            )

    def _rivals(self, table: ResultTable, metric: str) -> list[Row]:
        naive = self.rival == NAIVE
        found = [
            row
            for row in table.rows
            if metric in row.values and (not row.learned if naive else row.name == self.rival)
        ]
        if not found:
            others = [row.name for row in table.rows if not row.learned and metric in row.values]
            raise UsageFault(
                "GATE-UNKNOWN",
                place=f"--require {self.text}",
                found=_("no row to beat has {metric}").format(metric=metric)
                if naive
                else _("{row} has no {metric}").format(row=self.rival, metric=metric),
                why=_("a row is beaten in the metric that the table begins with"),
                next_step=_("rows with it are: {all}").format(all=", ".join(others))
                if others
                else _("write METRIC<NUMBER or METRIC>NUMBER"),
            )
        return found


@dataclass(frozen=True)
class Bound:
    """METRIC<NUMBER or METRIC>NUMBER: a metric's value below or above a number."""

    text: str
    metric: str
    sign: Literal["<", ">"]
    limit: float

    def refuse_unknown(self, rows: Iterable[str], metrics: Iterable[str]) -> None:
        """UsageFault GATE-UNKNOWN where no metric has the name."""
        metrics = list(metrics)
        if self.metric not in metrics:
            raise UsageFault(
                "GATE-UNKNOWN",
                place="--require",
                found=self.metric,
                next_step=_("metrics are: {all}").format(all=", ".join(metrics)),
            )

    def check(self, table: ResultTable, model: str) -> None:
        """Raise GateFault GATE-FAILED unless it is met; UsageFault GATE-UNKNOWN for another
        table's metric."""
        values = next(row for row in table.rows if row.name == model).values
        self.refuse_unknown((), values)
        value = values[self.metric].value
        if not (value < self.limit if self.sign == "<" else value > self.limit):
            raise GateFault(
                "GATE-FAILED",
                place=f"--require {self.text}",
                found=f"{self.metric} = {value:.4g}",
                next_step=_("train longer, or lower the gate"),
            )


Gate = Beats | Bound


def parse_gate(text: str) -> Gate:
    """The gate that a text stands for; UsageFault GATE-UNKNOWN for one that stands for none."""
    if text.startswith("beats="):
        return Beats(text.removeprefix("beats="))
    for sign in ("<", ">"):
        metric, _sign, bound = text.partition(sign)
        try:
            limit = float(bound)
        except ValueError:
            continue
        if metric.strip() and not math.isnan(limit):
            return Bound(text, metric.strip(), sign, limit)
    raise UsageFault(
        "GATE-UNKNOWN",
        place="--require",
        found=text,
        next_step=_("write beats=ROW, METRIC<NUMBER or METRIC>NUMBER"),
    )
