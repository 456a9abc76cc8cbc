"""The figures of the course, redrawn: one module each.

A module of this folder that sets ``NAME`` is a figure; its presence is its registration. Such a
module has ``NAME``, ``TITLE``, ``EXPLANATION``, ``Config``, ``train(config)``,
``draw(results, figure, language)`` and
``make(folder, *, gradient, seed, language) -> FigureFiles``.
"""

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

from shinso.faults import UsageFault
from shinso.language import _


def _modules() -> dict[str, str]:
    """Module by figure name, read from the source, so that listing imports no library."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            match line:
                case ast.Assign(targets=[ast.Name(id="NAME")], value=ast.Constant(value=str(name))):
                    found[name] = path.stem
    return found


def names() -> list[str]:
    """The figures that there are."""
    return sorted(_modules())


def load(name: str) -> ModuleType:
    """The module of the figure ``name``; a UsageFault names the ones there are."""
    modules = _modules()
    if name not in modules:
        raise UsageFault(
            "FIGURE-UNKNOWN",
            place=name,
            found=_("there is no figure of this name"),
            next_step=_("choose one of {names}").format(names=", ".join(sorted(modules))),
        )
    return import_module(f"{__name__}.{modules[name]}")
