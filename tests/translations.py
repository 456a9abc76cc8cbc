"""The messages that shinso's source holds, and the Japanese catalogue made to match them.

``python -m tests.translations`` (``make translations``) writes ``shinso.po`` anew, keeping what is
translated, and compiles ``shinso.mo``; it fails while a message waits for its translation.

The source is read with ``ast`` and not with pybabel, because some messages reach ``_()`` by a
detour (help texts of settings, ``HELP`` of verbs, names of verdicts) and some calls stand inside
f-strings; a message that neither way finds is an error here and no gap in the Japanese.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "shinso"
PO = SOURCE / "locale" / "ja" / "LC_MESSAGES" / "shinso.po"
MO = PO.with_suffix(".mo")

DETOURS = frozenset({"help", "HELP", "value"})
"""Attributes that ``_()`` may be given: Setting.help, HELP of a verb, Verdict.value."""

HEADERS = (
    ("Project-Id-Version", "shinso"),
    ("Language", "ja"),
    ("Plural-Forms", "nplurals=1; plural=0;"),
    ("MIME-Version", "1.0"),
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Transfer-Encoding", "8bit\n"),
)


class Japanese(Catalog):
    """A catalogue whose header names no person, no date and no tool: equal source, equal file."""

    def __init__(self) -> None:
        comment = "# Japanese texts of shinso; made to match the source by: make translations"
        super().__init__("ja", domain="shinso", header_comment=comment, fuzzy=False)

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return list(HEADERS)


def messages_in_source() -> dict[str, list[str]]:
    """Every message with the files that hold it, in the order of files and lines."""
    found: dict[str, list[str]] = {}
    for path in sorted([*SOURCE.rglob("*.py"), *SOURCE.rglob("*.j2")]):
        of_file = python_messages if path.suffix == ".py" else template_messages
        place = path.relative_to(ROOT).as_posix()
        for message in of_file(path.read_text(encoding="utf-8"), place):
            places = found.setdefault(message, [])
            if place not in places:
                places.append(place)
    return found


def python_messages(source: str, place: str) -> Iterator[str]:
    """Messages of one module: given to ``_()``, or reaching it by one of the detours.

    Raises ValueError for a message that is computed in a way that cannot be followed here.
    """
    module = ast.parse(source)
    placed = [node for node in ast.walk(module) if isinstance(node, ast.stmt | ast.expr)]
    for node in sorted(placed, key=lambda node: (node.lineno, node.col_offset)):
        where = f"{place}:{node.lineno}"
        match node:
            case ast.Call(func=ast.Name(id="_"), args=[ast.Attribute(attr=name)]):
                if name not in DETOURS:
                    raise ValueError(f"{where}: _(….{name}) is found by none; name it in DETOURS")
            case ast.Call(func=ast.Name(id="_"), args=[message]):
                yield from _texts(message, module, where)
            case ast.Call(func=ast.Name(id="setting"), args=[_default, help_text, *_rest]):
                yield from _texts(help_text, module, where)
            case ast.Call(func=ast.Name(id="setting" | "_")):
                raise ValueError(f"{where}: give the text by position, so that it is found")
            case ast.Assign(targets=[ast.Name(id="HELP")], value=message):
                yield from _texts(message, module, where)
            case ast.ClassDef(name="Verdict", body=body):
                named = [one.value for one in body if isinstance(one, ast.Assign)]
                yield from (text for value in named for text in _texts(value, module, where))


def _texts(node: ast.expr, module: ast.Module, where: str) -> list[str]:
    match node:
        case ast.IfExp(body=one, orelse=other):
            return _texts(one, module, where) + _texts(other, module, where)
        case ast.Constant(value=str(text)):
            return [text]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return ["".join((*_texts(left, module, where), *_texts(right, module, where)))]
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(sign)), attr="join"),
            args=[ast.Name(id=name)],
        ):
            return [sign.join(_keys(name, module, where))]
    raise ValueError(f"{where}: {ast.unparse(node)} is no text that can be translated")


def _keys(name: str, module: ast.Module, where: str) -> list[str]:
    """Keys of the dictionary that the module calls ``name``."""
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Dict(keys=keys)):
                if target == name:
                    return [ast.literal_eval(key) for key in keys if key is not None]
    raise ValueError(f"{where}: {name} is no dictionary written out in this file")


def template_messages(source: str, place: str) -> Iterator[str]:
    """Messages of one page template. ValueError for a computed one."""
    for call in Environment().parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_":
            if len(call.args) != 1 or not isinstance(call.args[0], nodes.Const):
                raise ValueError(f"{place}:{call.lineno}: _() needs one text written out")
            yield call.args[0].value


def read_catalogue() -> Catalog:
    """The catalogue as translators see it."""
    with PO.open("rb") as file:
        return read_po(file, locale="ja", domain="shinso")


def read_compiled() -> Catalog:
    """The catalogue as programs read it."""
    with MO.open("rb") as file:
        return read_mo(file)


def rewrite_catalogue() -> list[str]:
    """Bring the catalogue up to the source; returns the messages that wait for a translation."""
    old = read_catalogue() if PO.exists() else Japanese()
    new = Japanese()
    for message, places in messages_in_source().items():
        known = old.get(message)
        text = known.string if known is not None and not known.fuzzy else ""
        entry = new.add(message, text, locations=[(place, 0) for place in places])
        entry.flags.discard("python-format")  # "95 % interval" is taken for "% i"
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, new, width=100, include_lineno=False)
    with MO.open("wb") as file:
        write_mo(file, new)
    return [str(entry.id) for entry in new if entry.id and not entry.string]


if __name__ == "__main__":
    waiting = rewrite_catalogue()
    sys.exit("\n".join(["these wait for their Japanese:", *waiting]) if waiting else 0)
