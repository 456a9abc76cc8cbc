"""Lessons that compute before the learner's eyes: one module each.

A module of this folder that sets ``NAME`` is a lesson; its presence is its registration. Such a
module has ``NAME``, ``TITLE``, ``Config`` and ``teach(config) -> Lesson``.
"""

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

from shinso.faults import UsageFault
from shinso.language import _
from shinso.lessons.lesson import Lesson, LessonStep, Question, as_dict
from shinso.lessons.rendering import render_quiz, render_text

__all__ = [
    "Lesson",
    "LessonStep",
    "Question",
    "as_dict",
    "load",
    "names",
    "render_quiz",
    "render_text",
]


def _modules() -> dict[str, str]:
    """Module by lesson name, read from the source, so that listing imports no library."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            match line:
                case ast.Assign(targets=[ast.Name(id="NAME")], value=ast.Constant(value=str(name))):
                    found[name] = path.stem
    return found


def names() -> list[str]:
    """The lessons that there are."""
    return sorted(_modules())


def load(name: str) -> ModuleType:
    """The module of the lesson ``name``; a UsageFault names the ones there are."""
    modules = _modules()
    if name not in modules:
        raise UsageFault(
            "LESSON-UNKNOWN",
            place=name,
            found=_("there is no lesson of this name"),
            next_step=_("choose one of {names}").format(names=", ".join(sorted(modules))),
        )
    return import_module(f"{__name__}.{modules[name]}")
