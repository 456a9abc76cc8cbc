"""What reading a file brought to light: faults to stop for, notes to say aloud."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

LARGEST_PER_KIND = 1000
LARGEST_LIST = 30  # column names that a fault lists


class Findings:
    """Collects everything found in one pass over ``path``, so that a user mends it in one go.

    A file whose every cell is wrong would give millions of faults; of one kind in one column the
    first 1,000 are kept one by one and the others are counted in a last fault.
    """

    def __init__(self, path: Path, *, unit: str = "line") -> None:
        """unit: what a place counts, "line" (as an editor shows it) or "row" (Parquet)."""
        self.path = path
        self.unit = unit
        self.notes: list[str] = []
        self._faults: list[tuple[int, int, DataFault]] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def place(self, line: int = 0, column: str = "") -> str:
        """``file:line, column name``; line 0 means the file as a whole."""
        text = str(self.path)
        if line:
            text += f":{line}" if self.unit == "line" else _(", row {row}").format(row=line)
        return text + (_(", column {column}").format(column=column) if column else "")

    def fault(
        self, code: str, *, line: int = 0, column: str = "", found: str, why: str, next_step: str
    ) -> None:
        """Remember a fault; nothing is raised before ``stop``."""
        self._counts[code, column] += 1
        if self._counts[code, column] <= LARGEST_PER_KIND:
            fault = DataFault(
                code, place=self.place(line, column), found=found, why=why, next_step=next_step
            )
            self._faults.append((line, len(self._faults), fault))

    def more(self, code: str, column: str, count: int) -> None:
        """Count ``count`` faults more of a kind of which enough have been kept one by one."""
        self._counts[code, column] += count

    def missing_column(self, name: str, known: Iterable[str], *, role: str, line: int = 1) -> None:
        """A column that the user named and the file lacks; offers the one closest in spelling."""
        known = list(known)
        listed = ", ".join(known[:LARGEST_LIST]) + (", …" if len(known) > LARGEST_LIST else "")
        folded = {one.casefold(): one for one in reversed(known)}
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
        self.fault(
            "DATA-MISSING-COLUMN",
            line=line,
            column=name,
            found=_("the columns are: {columns}").format(columns=listed),
            why=_("it was named as {role}").format(role=role),
            next_step=_("did you mean {name}?").format(name=folded[near[0]])
            if near
            else _("name one of these columns"),
        )

    def note(self, text: str) -> None:
        """Remember something that is no fault but must be said."""
        self.notes.append(text)

    @property
    def any_fault(self) -> bool:
        return bool(self._faults)

    def stop(self) -> None:
        """Raise all faults together in the order of their lines, if there are any."""
        if not self._faults:
            return
        faults = [fault for _line, _order, fault in sorted(self._faults, key=lambda f: f[:2])]
        for (code, column), count in self._counts.items():
            if count > LARGEST_PER_KIND:
                more = _("{count:,} more like these").format(count=count - LARGEST_PER_KIND)
                faults.append(DataFault(code, place=self.place(0, column), found=more))
        raise ManyDataFaults(faults)


def shown(cell: str, longest: int = 40) -> str:
    """A cell's text in quotes, cut where it is long."""
    return repr(cell if len(cell) <= longest else cell[: longest - 1] + "…")
