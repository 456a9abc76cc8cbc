"""The terms of the course in both languages, with the reading of the Japanese one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from shinso.language import Text


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term. reading: of the Japanese term in kana, by which Japanese pages are sorted."""

    name: Text
    reading: str
    meaning: Text


@cache
def terms() -> tuple[Term, ...]:
    """All terms, as they stand in ``glossary.yaml``."""
    content = yaml.safe_load(Path(__file__).with_name("glossary.yaml").read_text(encoding="utf-8"))
    return tuple(
        Term(
            name=Text(entry["en"], entry["ja"]),
            reading=entry["reading"],
            meaning=Text(entry["means"]["en"], entry["means"]["ja"]),
        )
        for entry in content
    )


def in_order(language: str) -> list[Term]:
    """For a reader of ``language``: by the alphabet, or by the kana of the reading."""
    if language == "ja":
        return sorted(terms(), key=lambda term: term.reading)
    return sorted(terms(), key=lambda term: term.name.en.casefold())
