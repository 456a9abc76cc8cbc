"""SGF: the text of a game tree, read and written (FF[4], www.red-bean.com/sgf).

Reading forgives what programs commonly write (lower-case letters in names, blanks anywhere, text
before the first parenthesis) and names what it cannot forgive with line and column. sgfmill is the
oracle in the tests; why it is not the reader: docs/decisions/013-our-own-sgf-reader.md.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shinso.faults import DataFault
from shinso.language import _

TOKEN = re.compile(
    r"\s*(?:(?P<sign>[();])|(?P<name>[A-Za-z]+)|\[(?P<value>(?:[^\\\]]|\\.)*)\])", re.S
)

UNNAMED = ("cp932", "gb18030", "big5", "euc_kr")
"""Encodings of files that name none, the likeliest first."""


@dataclass
class Node:
    """One node: property -> values as they stand in the file, unescaped. children: variations, the
    first of them the main line."""

    properties: dict[str, list[str]] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def first(self, name: str, default: str = "") -> str:
        """The first value of a property, without blanks around it."""
        return self.properties.get(name, [default])[0].strip()

    def main_line(self) -> Iterator[Node]:
        """This node and the first child of each."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.children[0] if node.children else None

    def nodes(self) -> Iterator[Node]:
        """All nodes below and this one, main line first."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


def decode(content: bytes) -> str:
    """The text of a file: in the encoding it names (CA), else UTF-8, or UTF-16 with its mark. Damaged
    bytes become "�": they stand in names and comments, never in moves. A name of an encoding in which
    there is no game counts as none."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    named = re.search(rb"CA\s*\[\s*([A-Za-z0-9_.-]+)\s*\]", content[:4096])
    if named is not None:
        with contextlib.suppress(LookupError, UnicodeError):
            text = content.decode(named.group(1).decode("ascii"), errors="replace")
            if re.search(r"\(\s*;", text):
                return text
    return content.decode("utf-8-sig", errors="replace")


def parse_bytes(content: bytes, name: str = "SGF") -> list[Node]:
    """``parse`` of a file whose encoding may not be named.

    In Japanese and Chinese encodings half of a letter may look like "]" or "\\" ("能", "十段"): read as
    anything else a game breaks off there or loses moves. So what is no UTF-8 is read in each of them
    too, and the reading that finds most properties counts.
    """
    text = decode(content)
    if "\ufffd" not in text:
        return parse(text, name)
    readings = [
        (games, sum(len(node.properties) for game in games for node in game.nodes()))
        for games in (_parsed(content, encoding, name) for encoding in UNNAMED)
        if games
    ]
    try:
        plain = parse(text, name)
    except DataFault:
        if not readings:
            raise
        plain = []
    known = sum(len(node.properties) for game in plain for node in game.nodes())
    best, most = max(readings, key=lambda one: one[1], default=(plain, 0))
    return (
        best if most > known or (most == known and readings and best is readings[0][0]) else plain
    )


def _parsed(content: bytes, encoding: str, name: str) -> list[Node]:
    """The games as they read in an encoding; none where they do not."""
    try:
        text = content.decode(encoding)
        # Chinese bytes nearly always are half-width Japanese letters too, which nobody writes.
        return [] if re.search("[\uff61-\uff9f]", text) else parse(text, name)
    except (UnicodeError, DataFault):
        return []


def parse(text: str, name: str = "SGF") -> list[Node]:
    """The root of every game in ``text``; DataFault SGF-SYNTAX or SGF-EMPTY with line and column."""
    begin = text.find("(")
    if begin < 0 or ";" not in text[begin:]:
        raise _fault("SGF-EMPTY", name, text, 0, _("there is no game: no “(;”"))
    games: list[Node] = []
    open_: list[Node | None] = []  # the node to which each open parenthesis belongs
    node: Node | None = None
    values: list[str] | None = None
    place = begin
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            if not text[place:].strip() or (not open_ and games):
                break
            raise _fault("SGF-SYNTAX", name, text, place, repr(text[place:].lstrip()[:12]))
        if found["value"] is None and values == []:
            raise _fault("SGF-SYNTAX", name, text, place, _("a property without a value"))
        place = found.end()
        sign = found["sign"]
        if sign == "(":
            open_.append(node)
            values = None
        elif sign == ")":
            if not open_:
                break  # a game is whole; what follows it is no SGF
            node = open_.pop()
            values = None
        elif sign == ";":
            if not open_:
                raise _fault("SGF-SYNTAX", name, text, place - 1, _("a node outside of a game"))
            fresh = Node()
            (games if node is None else node.children).append(fresh)
            node, values = fresh, None
        elif node is None:
            raise _fault("SGF-SYNTAX", name, text, place - 1, _("a property outside of a node"))
        elif found["name"] is not None:
            # FF[3] and older wrote "White" for W: only capitals count.
            key = "".join(letter for letter in found["name"] if letter.isupper())
            values = node.properties.setdefault(key or found["name"].upper(), [])
        elif values is None:
            raise _fault("SGF-SYNTAX", name, text, place - 1, _("a value without a property"))
        else:
            values.append(re.sub(r"\\(\r\n|\n\r|.)", _unescaped, found["value"], flags=re.S))
    if open_:
        raise _fault("SGF-SYNTAX", name, text, len(text), _("the file ends inside of a game"))
    if not games:
        raise _fault("SGF-EMPTY", name, text, begin, _("there is no game: no “(;”"))
    return games


def _unescaped(found: re.Match[str]) -> str:
    return "" if found[1][0] in "\r\n" else found[1]


def write(root: Node) -> str:
    """One game as text; what ``parse`` gives for it is equal to ``root``."""
    pieces = ["("]
    waiting: list[Node | str] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        pieces.append("\n;" if len(node.properties) > 2 else ";")
        for key, values in node.properties.items():
            pieces.append(key + "".join(f"[{_escaped(value)}]" for value in values))
        if len(node.children) == 1:
            waiting.append(node.children[0])
        else:
            for child in reversed(node.children):
                waiting += [")", child, "\n("]
    return "".join([*pieces, ")\n"])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("]", "\\]")


def _fault(code: str, name: str, text: str, place: int, found: str) -> DataFault:
    line = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    return DataFault(
        code,
        place=f"{name}:{line}:{column}",
        found=found,
        why=_("the game cannot be read from here on"),
        next_step=_("mend the file there, or leave it out"),
    )
