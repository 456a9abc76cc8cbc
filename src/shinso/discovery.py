"""Modules that are registered by being there: those of a folder that set ``NAME``."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

from shinso.faults import UsageFault
from shinso.language import _


def named_modules(folder: Path) -> dict[str, str]:
    """Module by its ``NAME``, in alphabetical order, read from the source: nothing is imported."""
    found = {}
    for path in folder.glob("*.py"):
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            match line:
                case ast.Assign(targets=[ast.Name(id="NAME")], value=ast.Constant(value=str(name))):
                    found[name] = path.stem
    return dict(sorted(found.items()))


def load_named(package: str, folder: Path, name: str, code: str) -> ModuleType:
    """The module of ``package`` whose NAME is ``name``; a UsageFault ``code`` lists those there are."""
    modules = named_modules(folder)
    if name not in modules:
        raise UsageFault(
            code,
            place=name,
            found=_("nothing has this name"),
            next_step=_("choose one of {names}").format(names=", ".join(modules)),
        )
    return import_module(f"{package}.{modules[name]}")
