"""What a person sees while a run goes on, and how tables are printed."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shinso.language import _
from shinso.walk.tables import ResultTable


class Terminal:
    """Progress on standard error: one moving line on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._began = time.monotonic()
        self._began_at_step = 0
        self._said = 0.0
        self._quiet_s = 0.1 if self._moving else 10.0

    def on_notes(self, notes: Sequence[str]) -> None:
        for note in notes:
            print(_("note: {note}").format(note=note), file=sys.stderr)

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None:
        self._end_line()
        print(
            _("seed {number} of {seeds} in {folder}").format(
                number=seed + 1, seeds=seeds, folder=folder
            ),
            file=sys.stderr,
        )
        self._began, self._began_at_step = time.monotonic(), -1

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self._began_at_step < 0:
            self._began, self._began_at_step = now, step
        if now - self._said < self._quiet_s and step < steps:
            return
        self._said = now
        done = step - self._began_at_step
        left = (now - self._began) / done * (steps - step) if done else 0.0
        line = f"  {step}/{steps}"
        line += f"  loss {scalars['loss']:.4g}" if "loss" in scalars else ""
        line += f"  {_('about {left} left').format(left=duration(left))}" if done else ""
        self._write(line)

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        name, value = next(iter(metrics.items()))
        if self._moving or best:
            self._write(f"  {step}  valid {name} {value:.4g}{' ' + _('(best)') if best else ''}")

    def _write(self, line: str) -> None:
        if self._moving:
            sys.stderr.write("\r\x1b[2K" + line)
            sys.stderr.flush()
        else:
            print(line, file=sys.stderr)

    def _end_line(self) -> None:
        if self._moving:
            sys.stderr.write("\r\x1b[2K")


def duration(seconds: float) -> str:
    """ "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def print_table(table: ResultTable) -> None:
    """A result table on standard output, with the meaning of its signs."""
    print(table.title)
    print_columns(table.cells())
    if any(row.seeds > 1 for row in table.rows):
        print(_("± is half the 95 % interval over seeds; * is the best of its column."))
    else:
        print(_("* is the best of its column; one seed has no interval."))
    for note in table.notes:
        print(_("note: {note}").format(note=note))


def print_columns(lines: Sequence[Sequence[Any]]) -> None:
    """Rows of cells in aligned columns; the first column left, the others right."""
    if not lines:
        return
    texts = [[str(cell) for cell in line] for line in lines]
    widths = [max(shown_width(line[i]) for line in texts) for i in range(len(texts[0]))]
    for line in texts:
        first = line[0] + " " * (widths[0] - shown_width(line[0]))
        others = [
            " " * (width - shown_width(cell)) + cell
            for cell, width in zip(line[1:], widths[1:], strict=True)
        ]
        print("  ".join([first, *others]).rstrip())


def shown_width(text: str) -> int:
    """Columns a text takes in a terminal: Japanese signs take two."""
    import unicodedata

    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
