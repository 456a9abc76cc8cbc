"""How many files a task reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shinso.faults import UsageFault
from shinso.language import _


def only_one(paths: Sequence[Path], task: str, advice: str = "") -> Path:
    """The only file; UsageFault DATA-FILES where there is none or more than one."""
    if len(paths) != 1:
        raise UsageFault(
            "DATA-FILES",
            place=task,
            found=_("{count} files").format(count=len(paths)),
            why=_("this task reads one file"),
            next_step=advice or _("join the files into one"),
        )
    return paths[0]
