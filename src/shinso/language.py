"""English and Japanese through gettext; every text that a user reads passes here.

Order of choice: what a caller asks for, then ``SHINSO_LANG``, then the locale, then English.
Codes, keys, metric names and JSON are never translated.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")

LANGUAGES = ("en", "ja")

_chosen: ContextVar[str | None] = ContextVar("language", default=None)


@dataclass(frozen=True)
class Text:
    """One text in both languages, for texts that live beside what they describe (claims)."""

    en: str
    ja: str

    def __str__(self) -> str:
        return self.ja if current() == "ja" else self.en

    def in_(self, language: str) -> str:
        """The text in ``language`` ("en" or "ja")."""
        return self.ja if language == "ja" else self.en


def choose(language: str | None) -> None:
    """Use ``language`` ("en" or "ja") from here on; None returns to the surroundings' choice."""
    if language is not None and language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; choose one of {', '.join(LANGUAGES)}")
    _chosen.set(language)


def speaking(language: str, make: Callable[[], Made]) -> Made:
    """What ``make`` gives while ``language`` is used; the caller's own stays what it was."""
    context = copy_context()
    context.run(choose, language)
    return context.run(make)


def current() -> str:
    """The language in use: "en" or "ja"."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    for name in ("SHINSO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "ja" if value.lower().startswith("ja") else "en"
    return "en"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    folder = Path(__file__).parent / "locale"
    return gettext.translation("shinso", folder, languages=[language], fallback=language == "en")


def _(message: str) -> str:
    """``message`` in the language in use."""
    language = current()
    return message if language == "en" or not message else _catalogue(language).gettext(message)
