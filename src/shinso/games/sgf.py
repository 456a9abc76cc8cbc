"""SGF: the text of a game tree, read and written (FF[4], www.red-bean.com/sgf).

Reading forgives what programs commonly write (lower-case letters in names, blanks anywhere, text
before the first parenthesis) and names what it cannot forgive with line and column. sgfmill is the
oracle in the tests; why it is not the reader: docs/decisions/013-our-own-sgf-reader.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shinso.faults import DataFault
from shinso.language import _

TOKEN = re.compile(
    r"\s*(?:(?P<sign>[();])|(?P<name>[A-Za-z]+)|\[(?P<value>(?:[^\\\]]|\\.)*)\])", re.S
)


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
    """The text of a file: in the encoding it names (CA), else UTF-8. Damaged bytes become "�": they
    stand in names and comments, never in moves."""
    named = re.search(rb"CA\s*\[\s*([A-Za-z0-9_.-]+)\s*\]", content[:4096])
    for encoding in [named.group(1).decode("ascii")] if named else []:
        try:
            return content.decode(encoding, errors="replace")
        except LookupError:
            break
    return content.decode("utf-8-sig", errors="replace")


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
