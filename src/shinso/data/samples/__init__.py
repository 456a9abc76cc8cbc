"""Small data sets in real formats that come with shinso, so that everything runs offline.

A file in this folder is a sample by being there; SOURCES.md says where each came from and under
which licence, ``regenerate*.py`` how it was made.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """All bundled samples, in alphabetical order."""
    files = (path for path in FOLDER.iterdir() if path.is_file())
    return tuple(sorted(path.name for path in files if path.suffix not in (".py", ".md")))


def path(name: str) -> Path:
    """Where a bundled sample lies. ValueError for a name that is not among ``names()``."""
    if name not in names():
        raise ValueError(f"sample is {name!r}; choose one of {', '.join(names())}")
    return FOLDER / name
