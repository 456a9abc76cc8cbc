"""One mask file becomes class numbers: by ids, or by colours and a table of classes.

A mask of 8 or 16 bits holds ids. One with a palette holds ids too, unless the table gives colours:
then its palette is read as colours. An RGB mask needs the table. What counts as no class becomes
``VOID``; an id or a colour that is neither is a fault with its first pixel.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Integer, UInt8

from shinso.data.findings import Findings
from shinso.data.image_decoding import opened
from shinso.data.text import decode
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

VOID = 255
"""The class number of pixels that do not count. It may stand in a mask as itself, too."""
MOST_CLASSES = 254
COLOURS_NAMED = 5
SMALL = 1 << 16


@dataclass(frozen=True)
class ClassTable:
    """names: in the order of class numbers. ids: in masks. colours: 0xRRGGBB, or none at all.
    void: ids or colours that do not count."""

    names: tuple[str, ...]
    ids: tuple[int, ...]
    colours: tuple[int, ...] = ()
    void_ids: tuple[int, ...] = (VOID,)
    void_colours: tuple[int, ...] = ()

    def as_facts(self) -> dict[str, Any]:
        return {
            "class_names": list(self.names),
            "class_ids": list(self.ids),
            "class_colours": [hexadecimal(one) for one in self.colours],
            "void_ids": list(self.void_ids),
            "void_colours": [hexadecimal(one) for one in self.void_colours],
        }

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> ClassTable:
        return cls(
            tuple(facts["class_names"]),
            tuple(facts["class_ids"]),
            tuple(int(one[1:], 16) for one in facts["class_colours"]),
            tuple(facts["void_ids"]),
            tuple(int(one[1:], 16) for one in facts["void_colours"]),
        )


def hexadecimal(colour: int) -> str:
    return f"#{colour:06x}"


def is_colour(text: str) -> bool:
    return bool(re.fullmatch(r"#[0-9a-fA-F]{6}", text))


def read_table(
    place: str, content: bytes, void: Sequence[str], notes: list[str] | None = None
) -> ClassTable:
    """The classes of a table: lines of a name; of ``R G B name``; or CSV with a head line and the
    columns name and, where wanted, id and colour (#rrggbb) or r, g, b.

    void: names, ids or colours that do not count; a name of the table leaves its classes. notes:
    to which it is added where the encoding had to be found out.

    Raises ManyDataFaults DATA-CLASS-TABLE with the line, DataFault DATA-ENCODING, DATA-FORMAT.
    """
    findings = Findings(Path(place))
    text = decode(content, findings.path, findings)[0]
    if notes is not None:
        notes += findings.notes
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows: list[tuple[str, int, int | None]] = []
    faults: list[DataFault] = []
    with_head = bool(lines) and "," in lines[0][1] and "name" in lines[0][1].lower().split(",")
    for number, line in lines[1:] if with_head else lines:
        found = _with_head(lines[0][1], line) if with_head else _plain(line)
        if isinstance(found, str):
            faults.append(_table_fault(f"{place}:{number}", found))
            continue
        name, given, colour = found
        rows.append((name, len(rows) if given is None else given, colour))
    faults += _contradictions(place, rows)
    if not rows and not faults:
        faults = [_table_fault(place, _("no class"))]
    if faults:
        raise ManyDataFaults(faults)
    return _without_void(rows, void)


def _table_fault(place: str, found: str) -> DataFault:
    return DataFault(
        "DATA-CLASS-TABLE",
        place=place,
        found=found,
        why=_("a table of classes has a line for each: name, or R G B name, or CSV with a head"),
        next_step=_("mend the line, such as 64 128 64 tree, or name,id,colour and tree,3,#408040"),
    )


def _plain(line: str) -> tuple[str, int | None, int | None] | str:
    match = re.fullmatch(r"(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(.+)", line)
    if not match:
        return line, None, None
    rgb = [int(one) for one in match.groups()[:3]]
    if max(rgb) > 255:
        return line
    return match[4].strip(), None, rgb[0] << 16 | rgb[1] << 8 | rgb[2]


def _with_head(head: str, line: str) -> tuple[str, int | None, int | None] | str:
    names = [one.strip().lower() for one in head.split(",")]
    cells = dict(zip(names, (c.strip() for c in next(csv.reader(io.StringIO(line)))), strict=False))
    given = cells.get("id", "")
    text = cells.get("colour", cells.get("color", ""))
    if not cells.get("name") or (given and not given.isdecimal()) or (text and not is_colour(text)):
        return line
    colour = int(text[1:], 16) if text else None
    if colour is None and {"r", "g", "b"} <= cells.keys():
        parts = [cells[one] for one in "rgb"]
        if not all(one.isdecimal() and int(one) <= 255 for one in parts):
            return line
        colour = int(parts[0]) << 16 | int(parts[1]) << 8 | int(parts[2])
    return cells["name"], int(given) if given else None, colour


def _contradictions(place: str, rows: Sequence[tuple[str, int, int | None]]) -> list[DataFault]:
    faults = []
    for what, column in ((_("name"), 0), (_("id"), 1), (_("colour"), 2)):
        values = [row[column] for row in rows if row[column] is not None]
        for value in sorted({one for one in values if values.count(one) > 1}, key=str):
            shown = hexadecimal(value) if column == 2 and isinstance(value, int) else value
            found = _("the {what} {value} stands there more than once").format(
                what=what, value=shown
            )
            faults.append(_table_fault(place, found))
    with_colour = [row for row in rows if row[2] is not None]
    if with_colour and len(with_colour) < len(rows):
        faults.append(_table_fault(place, _("some classes have a colour and some have none")))
    return faults


def _without_void(rows: Sequence[tuple[str, int, int | None]], void: Sequence[str]) -> ClassTable:
    kept = [
        row for row in rows
        if not {row[0], str(row[1]), hexadecimal(row[2]) if row[2] is not None else ""} & set(void)
    ]  # fmt: skip
    out = [row for row in rows if row not in kept]
    ids = {int(one) for one in void if one.isdigit()} | {row[1] for row in out}
    colours = {int(one[1:], 16) for one in void if is_colour(one)}
    colours |= {row[2] for row in out if row[2] is not None}
    return ClassTable(
        tuple(row[0] for row in kept),
        tuple(row[1] for row in kept),
        tuple(row[2] for row in kept if row[2] is not None),
        tuple(sorted(ids)),
        tuple(sorted(colours)),
    )


@dataclass(frozen=True)
class RawMask:
    """A mask as it stands in its file: the id of each pixel, or its colour 0xRRGGBB."""

    values: Integer[np.ndarray, "height width"]
    coloured: bool

    def distinct(self) -> tuple[Integer[np.ndarray, " value"], Int[np.ndarray, " value"]]:
        """The values that occur, ascending, and how many pixels have each."""
        if self.coloured or int(self.values.max()) >= SMALL or int(self.values.min()) < 0:
            return np.unique(self.values, return_counts=True)
        counts = np.bincount(self.values.ravel())  # no sorting: masks of ids are read at once
        values = counts.nonzero()[0]
        return values, counts[values]


def read_mask(content: bytes, place: str, *, colours: bool) -> RawMask:
    """colours: the table has colours, so a palette is read as colours. Raises DataFault DATA-IMAGE
    for a damaged file, DATA-MASK for one of a kind that holds no classes."""
    with opened(content, place) as image:
        try:
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise DataFault(
                "DATA-IMAGE",
                place=place,
                found=str(error),
                why=_("it cannot be read as an image"),
                next_step=_("bring a whole copy of it, convert it to PNG, or take it out"),
            ) from error
        mode = image.mode
        if mode in ("L", "1") or (mode == "P" and not colours):
            return RawMask(np.asarray(image).astype(np.uint8), False)
        if mode.startswith("I"):
            return RawMask(np.asarray(image).astype(np.int32), False)
        if mode in ("P", "RGB", "RGBA"):
            rgb = np.asarray(image.convert("RGB")).astype(np.int32)
            return RawMask(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], True)
    raise DataFault(
        "DATA-MASK",
        place=place,
        found=_("pixels of mode {mode}").format(mode=mode),
        why=_("a mask holds ids of 8 or 16 bits, or RGB colours"),
        next_step=_("save it as a grey or indexed PNG"),
    )


def numbered(raw: RawMask, table: ClassTable, place: str) -> UInt8[np.ndarray, "height width"]:
    """Class numbers, ``VOID`` where no class counts. Raises DataFault DATA-UNKNOWN-ID or
    DATA-UNKNOWN-COLOUR with the first pixel of the commonest value that is unknown."""
    if raw.coloured and not table.colours:
        raise _no_colours(raw, place)
    known = table.colours if raw.coloured else table.ids
    void = table.void_colours if raw.coloured else table.void_ids
    values, counts = raw.distinct()
    number = {**dict.fromkeys(void, VOID), **{one: n for n, one in enumerate(known)}}
    unknown = [place_ for place_, one in enumerate(values) if int(one) not in number]
    if unknown:
        raise _unknown(raw, values, counts, unknown, table, place)
    look = np.array([number[int(one)] for one in values], dtype=np.uint8)
    return look[np.searchsorted(values, raw.values)]


def _unknown(
    raw: RawMask,
    values: np.ndarray,
    counts: np.ndarray,
    unknown: Sequence[int],
    table: ClassTable,
    place: str,
) -> DataFault:
    worst = max(unknown, key=lambda one: counts[one])
    row, column = np.argwhere(raw.values == values[worst])[0]
    shown = hexadecimal(int(values[worst])) if raw.coloured else str(values[worst])
    found = _("{value} in {count:,} pixels, the first in row {row}, column {column}").format(
        value=shown, count=int(counts[worst]), row=int(row) + 1, column=int(column) + 1
    )
    if len(unknown) > 1:
        found += _("; {count} further unknown values").format(count=len(unknown) - 1)
    known = ", ".join(
        hexadecimal(one) if raw.coloured else str(one)
        for one in (table.colours if raw.coloured else table.ids)
    )
    return DataFault(
        "DATA-UNKNOWN-COLOUR" if raw.coloured else "DATA-UNKNOWN-ID",
        place=place,
        found=found,
        why=_("the classes have {known}").format(known=known),
        next_step=_("mend the mask, add the class to the table, or name it in --void"),
    )


def _no_colours(raw: RawMask, place: str) -> DataFault:
    values, counts = raw.distinct()
    most = np.argsort(-counts)[:COLOURS_NAMED]
    shown = ", ".join(hexadecimal(int(values[one])) for one in most)
    return DataFault(
        "DATA-NO-CLASS-TABLE",
        place=place,
        found=_("a mask of {count:,} colours: {shown}").format(count=len(values), shown=shown),
        why=_("nothing says which class a colour means"),
        next_step=_("write a line R G B name for each class into classes.txt beside the folders"),
    )
