"""Where real data sets lie on this machine. Nothing is fetched from outside.

The folder is ``SHINSO_DATA``, else ``shinso/data`` in the user's cache folder. A data set is a
path below it, such as ``exchange_rate/exchange_rate.txt.gz``.
"""

from __future__ import annotations

import os
from pathlib import Path

from shinso.faults import DataFault
from shinso.language import _

VARIABLE = "SHINSO_DATA"


def folder() -> Path:
    """Where data sets are looked for; it need not exist."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has a relative path ignored.
    home = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return home / "shinso" / "data"


def find(name: str) -> Path | None:
    """The path of a data set's file, or None where it is not there.

    Raises ValueError for a name that leads out of the folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"name is {name!r}; give a path below the data folder")
    path = folder() / name
    return path if path.exists() else None


def require(name: str) -> Path:
    """The path of a data set's file; DataFault DATA-NOT-FOUND where it is not there."""
    path = find(name)
    if path is None:
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(folder() / name),
            found=_("this data set is not on this machine"),
            why=_("shinso fetches nothing by itself"),
            next_step=_("put it there, or set {variable} to the folder that holds {name}").format(
                variable=VARIABLE, name=name
            ),
        )
    return path
