"""The figures of the course, redrawn: one module each.

A module of this folder that sets ``NAME`` is a figure; its presence is its registration. Such a
module has ``NAME``, ``TITLE``, ``EXPLANATION``, ``Config``, ``train(config)``,
``draw(results, figure, language)`` and
``make(folder, *, gradient, seed, language) -> FigureFiles``.
"""

from pathlib import Path
from types import ModuleType

from shinso.discovery import load_named, named_modules


def names() -> list[str]:
    """The figures that there are."""
    return list(named_modules(Path(__file__).parent))


def load(name: str) -> ModuleType:
    """The module called ``name``; a UsageFault lists the ones there are."""
    return load_named(__name__, Path(__file__).parent, name, "FIGURE-UNKNOWN")
