"""Everything a user reads is there in both languages; what is missing is named, text by text."""

from __future__ import annotations

import ast
import gettext
import re
import string
from collections.abc import Iterator

import pytest

from shinso import language
from shinso.cli.main import verbs
from shinso.language import _
from tests.translations import (
    HEADERS,
    MO,
    PO,
    SOURCE,
    messages_in_source,
    python_messages,
    read_catalogue,
    read_compiled,
    template_messages,
)

JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
PROPER_NAMES = frozenset({"Kneser", "Ney", "Transformer", "float32", "float64", "word2vec"})
"""Names that Japanese texts write in Latin letters though only their first one is a capital."""

CATALOGUE = read_catalogue()
ENTRIES = {str(entry.id): str(entry.string or "") for entry in CATALOGUE if entry.id}


def test_every_message_of_the_source_is_translated() -> None:
    translated = {english for english, japanese in ENTRIES.items() if japanese}
    assert sorted(set(messages_in_source()) - translated) == []


def test_no_entry_is_obsolete_or_fuzzy() -> None:
    assert sorted(set(ENTRIES) - set(messages_in_source())) == []
    assert list(CATALOGUE.obsolete) == []
    assert [entry.id for entry in CATALOGUE if entry.fuzzy] == []


def test_placeholders_match_those_of_the_english() -> None:
    assert [en for en, ja in ENTRIES.items() if _fields(ja) != _fields(en)] == []


def test_what_is_typed_matches_the_english() -> None:
    """Flags, verbs and codes of faults are never translated."""
    typed = re.compile(rf"--[a-z][a-z-]*|\bshinso (?:{'|'.join(verbs())})\b|[A-Z]+-[A-Z-]+[A-Z]")
    found = {
        en: (sorted(typed.findall(en)), sorted(typed.findall(ja))) for en, ja in ENTRIES.items()
    }
    assert [
        en for en, (in_english, in_japanese) in found.items() if in_english != in_japanese
    ] == []


def test_translations_are_japanese() -> None:
    prose = {en: "".join(part[0] for part in string.Formatter().parse(en)) for en in ENTRIES}
    with_words = [en for en, text in prose.items() if re.search("[A-Za-z]{4}", text)]
    assert [en for en in with_words if not JAPANESE.search(ENTRIES[en])] == []


def test_compiled_catalogue_matches_its_source() -> None:
    assert {str(e.id): str(e.string) for e in read_compiled() if e.id} == ENTRIES


def test_header_names_no_person_no_day_and_no_tool() -> None:
    with MO.open("rb") as file:
        compiled = gettext.GNUTranslations(file).info()
    assert set(compiled) == {name.lower() for name, _value in HEADERS}
    head = PO.read_text(encoding="utf-8").split("\n\n", 1)[0]
    assert re.findall(r'^"([A-Za-z-]+): ', head, re.MULTILINE) == [name for name, _v in HEADERS]
    assert "@" not in head


def test_language_is_chosen_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHINSO_LANG", "en")
    try:
        language.choose("ja")
        assert _("the file is damaged") == "ファイルが壊れています"
        assert _("no such message") == "no such message"
        assert _("") == ""
        language.choose("en")
        assert _("the file is damaged") == "the file is damaged"
        language.choose(None)
        assert _("the file is damaged") == "the file is damaged"
        monkeypatch.setenv("SHINSO_LANG", "ja")
        assert _("the file is damaged") == "ファイルが壊れています"
    finally:
        language.choose(None)


def test_detours_and_calls_in_f_strings_are_found() -> None:
    source = '''
HELP = "a verb"
MODELS = {"one": 1, "two": 2}
class Verdict:
    """No message."""
    HOLDS = "a verdict"
class Config:
    size: int = setting(3, "a help text", unit="rows")
    model: str = setting("one", "which: " + ", ".join(MODELS))
print(f"{x} {_('inside')}", _("a " "b") if x else _("c" if y else "d"), _(leaf.help))
'''
    found = ["a verb", "a verdict", "a help text", "which: one, two", "inside", "a b", "c", "d"]
    assert list(python_messages(source, "here")) == found
    page = "{{ _('shown') }}<b title=\"{{ _('a title') }}\">{% if _('tested') %}{% endif %}"
    assert list(template_messages(page, "here")) == ["shown", "a title", "tested"]


@pytest.mark.parametrize(
    "source", ["_(text)", "_(f'{x} rows')", "_(leaf.name)", "setting(3, help_text='few')", "_()"]
)
def test_messages_that_cannot_be_found_are_refused(source) -> None:
    with pytest.raises(ValueError, match="here:1"):
        list(python_messages(source, "here"))
    if source.startswith("_"):
        with pytest.raises(ValueError, match="here:1"):
            list(template_messages("{{ _(text) }}", "here"))


@pytest.mark.parametrize("room", ["claims", "figures", "lessons", "recipes", "data"])
def test_texts_in_two_languages_have_both(room) -> None:
    missing = []
    for place, english, japanese in _texts_of(room):
        if not english or not japanese or JAPANESE.search(english):
            missing.append(place)
        elif not JAPANESE.search(japanese) and not _is_name_or_formula(japanese):
            missing.append(f"{place}: {japanese}")
    assert missing == []


def _texts_of(room: str) -> Iterator[tuple[str, str, str]]:
    """Place and both languages of each Text that is written out in the room's files."""
    found = 0
    for path in sorted((SOURCE / room).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match call:
                case ast.Call(func=ast.Name(id="Text"), args=args, keywords=named):
                    sides = dict(zip(("en", "ja"), args, strict=False))
                    sides |= {keyword.arg: keyword.value for keyword in named}
                    english, japanese = _written(sides["en"]), _written(sides["ja"])
                    if english is not None or japanese is not None:
                        found += 1
                        place = f"{path.relative_to(SOURCE)}:{call.lineno}"
                        yield place, english or "", japanese or ""
    assert found, f"no Text in {room}: does this test still look where the texts are?"


def _written(side: ast.expr) -> str | None:
    """The literal parts of a text; None where it is only passed on from elsewhere."""
    parts = [
        node.value
        for node in ast.walk(side)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return "".join(parts) if parts else None


def _is_name_or_formula(text: str) -> bool:
    """LSTM, AlphaGo, 1 − y²: every word has two capitals; {placeholders} are no words."""
    words = re.findall("[A-Za-z][A-Za-z0-9]+", re.sub(r"\{[^}]*\}", "", text))
    return all(word in PROPER_NAMES or sum(sign.isupper() for sign in word) >= 2 for word in words)


def _fields(text: str) -> set[tuple[str, str | None, str | None]]:
    return {
        (name, form, conversion)
        for _before, name, form, conversion in string.Formatter().parse(text)
        if name is not None
    }
