"""The terms of the course in both languages, with the reading of the Japanese one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import groupby
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
    """For a reader of ``language``: by the alphabet, or by the reading as dictionaries sort it."""
    if language == "ja":
        return sorted(terms(), key=lambda term: (plain_kana(term.reading), term.reading))
    return sorted(terms(), key=lambda term: term.name.en.casefold())


def by_initial(language: str) -> list[tuple[str, list[Term]]]:
    """The terms in order below their letters, or below the rows of kana: あ, か, さ …"""
    initial = _row_of_kana if language == "ja" else (lambda term: term.name.en[0].upper())
    return [(first, list(some)) for first, some in groupby(in_order(language), key=initial)]


def plain_kana(reading: str) -> str:
    """What dictionaries compare first: no voicing marks, large kana for small ones, the vowel before
    it for a long-vowel mark (ばーと: はあと)."""
    found = ""
    for kana in unicodedata.normalize("NFD", reading):
        if kana == "ー":
            found += VOWELS[unicodedata.name(found[-1])[-1]]
        elif not unicodedata.combining(kana):
            found += unicodedata.lookup(unicodedata.name(kana).replace("SMALL ", ""))
    return found


VOWELS = dict(zip("AIUEO", "あいうえお", strict=True))


def _row_of_kana(term: Term) -> str:
    # "HIRAGANA LETTER KI" stands in the row of "HIRAGANA LETTER KA", あ in its own.
    name = unicodedata.name(plain_kana(term.reading)[0])
    return unicodedata.lookup(f"{name[:-1]}A")
