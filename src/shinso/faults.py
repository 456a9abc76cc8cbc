"""Faults a user can mend: each has a code, a place, a reason and a next step.

A fault is not a bug. It says what was found, where, why that matters and which command or
edit comes next, and it carries the exit code of the command line. Everything else that
escapes is our bug and exits with 1.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Fault(Exception):
    """Something the user can mend.

    code: stable, greppable name such as ``DATA-NAN``; never translated.
    place: file, line, column, flag or field in which the fault was found.
    found: what stood there.
    why: why shinso does not go on.
    next_step: the command or edit that mends it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, code: str, *, place: str = "", found: str = "", why: str = "", next_step: str = ""
    ) -> None:
        self.code = code
        self.place = place
        self.found = found
        self.why = why
        self.next_step = next_step
        super().__init__(self.text())

    def text(self) -> str:
        """All parts, one a line, in the order in which a reader needs them."""
        head = f"{self.code}: {self.place}" if self.place else self.code
        rest = [part for part in (self.found, self.why) if part]
        if self.next_step:
            rest.append(f"→ {self.next_step}")
        return "\n  ".join([head, *rest])

    def as_dict(self) -> dict[str, Any]:
        """The parts by name, for ``--json``."""
        return {
            "code": self.code,
            "place": self.place,
            "found": self.found,
            "why": self.why,
            "next_step": self.next_step,
        }


class UsageFault(Fault):
    """A wrong command, flag or setting."""

    exit_code = 2


class DataFault(Fault):
    """Something in the user's data."""

    exit_code = 3


class ManyDataFaults(DataFault):
    """All faults found in one pass over the data, so that the user mends them together.

    Raised with at least one fault; the first 20 are shown, ``check`` writes the rest to a file.
    """

    shown: int = 20

    def __init__(self, faults: list[DataFault]) -> None:
        self.faults = faults
        first = faults[0]
        super().__init__(
            first.code,
            place=first.place,
            found=first.found,
            why=first.why,
            next_step=first.next_step,
        )

    def text(self) -> str:
        if not hasattr(self, "faults") or len(self.faults) == 1:
            return super().text()
        shown = "\n".join(fault.text() for fault in self.faults[: self.shown])
        hidden = len(self.faults) - self.shown
        return shown + (f"\n… {hidden} more" if hidden > 0 else "")

    def as_dict(self) -> dict[str, Any]:
        """The first fault's parts, and below ``all`` every fault's."""
        return {**super().as_dict(), "all": [fault.as_dict() for fault in self.faults]}


class RunFault(Fault):
    """A run folder that cannot be read, continued or written."""

    exit_code = 3


class GateFault(Fault):
    """A gate that the user asked for (``--require``) was not met."""

    exit_code = 4


class ExtraFault(Fault):
    """An optional part is not installed; the next step is the install line."""

    exit_code = 5


class Interrupted(Exception):
    """The user pressed Ctrl-C once; everything is saved.

    resume: the command line that goes on from here.
    """

    exit_code: ClassVar[int] = 130

    def __init__(self, resume: str) -> None:
        self.resume = resume
        super().__init__(resume)
