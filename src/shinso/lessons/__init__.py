"""Lessons that compute before the learner's eyes: one module each.

A module of this folder that sets ``NAME`` is a lesson; its presence is its registration. Such a
module has ``NAME``, ``TITLE``, ``Config`` and ``teach(config) -> Lesson``.
"""

from pathlib import Path
from types import ModuleType

from shinso.discovery import load_named, named_modules
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


def names() -> list[str]:
    """The lessons that there are."""
    return list(named_modules(Path(__file__).parent))


def load(name: str) -> ModuleType:
    """The module called ``name``; a UsageFault lists the ones there are."""
    return load_named(__name__, Path(__file__).parent, name, "LESSON-UNKNOWN")
