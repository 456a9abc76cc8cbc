"""COCO's JSON of boxes, with the line of every entry.

``{"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "category_id",
"bbox": [left, top, width, height], "iscrowd"}], "categories": [{"id", "name"}]}``. The mark
``ignore``, which some tools write, is heeded too.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeGuard

from shinso.data.box_files import (
    LISTS,
    ImageFiles,
    WrittenBox,
    WrittenBoxes,
    WrittenImage,
    chosen,
    named_twice,
)
from shinso.data.file_tree import FileTree
from shinso.data.image_decoding import ENDINGS
from shinso.data.splits import SplitPart
from shinso.faults import DataFault
from shinso.language import _

SPACE = " \t\r\n"


class LinedJson:
    """The lists of a JSON object, each entry with the line it begins in.

    Python's decoder does not tell lines, so the outermost braces are walked here and every value
    is left to the decoder. ValueError where the text is no such object.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._decode = json.JSONDecoder().raw_decode
        self._breaks = [place for place, letter in enumerate(text) if letter == "\n"]

    def line(self, place: int) -> int:
        return bisect_right(self._breaks, place - 1) + 1

    def lists(self) -> dict[str, list[tuple[int, Any]]]:
        """name -> (line, entry) of each list; other values are passed over."""
        found: dict[str, list[tuple[int, Any]]] = {}
        place = self._expect(self._after_space(0), "{")
        while self._letter(place) != "}":
            name, place = self._decode(self.text, place)
            place = self._expect(self._after_space(place), ":")
            if self._letter(place) == "[":
                entries = found[name] = []
                place = self._expect(place, "[")
                while self._letter(place) != "]":
                    entry, end = self._decode(self.text, place)
                    entries.append((self.line(place), entry))
                    place = self._next(end, "]")
                place += 1
            else:
                _value, place = self._decode(self.text, place)
            place = self._next(place, "}")
        return found

    def _letter(self, place: int) -> str:
        if place >= len(self.text):
            raise ValueError("the text ends too early")
        return self.text[place]

    def _after_space(self, place: int) -> int:
        while place < len(self.text) and self.text[place] in SPACE:
            place += 1
        return place

    def _expect(self, place: int, letter: str) -> int:
        if self._letter(place) != letter:
            raise ValueError(f"line {self.line(place)}: expected {letter!r}")
        return self._after_space(place + 1)

    def _next(self, place: int, end: str) -> int:
        """Behind a value: past the comma, or at the closing letter."""
        place = self._after_space(place)
        return place if self._letter(place) == end else self._expect(place, ",")


def is_coco(text: bytes) -> bool:
    return b'"annotations"' in text and b'"images"' in text


def read_coco_parts(tree: FileTree, names: Sequence[str]) -> WrittenBoxes:
    """Several files of one set, each a part by its name (``instances_val2017.json``), joined.

    Raises DataFault DATA-SPLIT where a name tells no part, or the files do not share their classes.
    """
    if len(names) == 1:
        return read_coco(tree.path / names[0], tree.loads[names[0]](), tree)
    joined = WrittenBoxes("coco")
    for name in names:
        said = re.findall("train|val|test", PurePosixPath(name).stem.lower())
        part = LISTS[said[0]] if len(set(said)) == 1 else ""
        one = read_coco(tree.path / name, tree.loads[name](), tree, part=part)
        other = bool(joined.classes) and one.classes != joined.classes
        if not part or other:
            raise DataFault(
                "DATA-SPLIT",
                place=tree.place(name),
                found=", ".join(one.classes) if other else PurePosixPath(name).name,
                why=_("the classes are not those of {other}").format(other=names[0])
                if other
                else _("of several files each must be named after its part: train, val, test"),
                next_step=_("give one file as DATA and others as --valid and --test"),
            )
        joined.classes = one.classes
        joined.images += [replace(image, part=part) for image in one.images]
        joined.faults += one.faults
        joined.notes += one.notes
    return joined


def read_coco(
    path: Path, content: bytes, tree: FileTree, *, part: SplitPart | Literal[""] = ""
) -> WrittenBoxes:
    """path: of the JSON file. tree: in which its images lie. part: that its name tells."""
    try:
        lists = LinedJson(content.decode("utf-8-sig")).lists()
    except (ValueError, RecursionError) as error:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=str(error),
            why=_("it is no JSON object as COCO has it"),
            next_step=_("export it anew, or bring a whole copy"),
        ) from error
    found = WrittenBoxes("coco")
    names = _categories(found, path, lists)
    boxes = _boxes(found, path, lists, names)
    files = ImageFiles(tree)
    source = path.relative_to(tree.path).as_posix()
    ids: dict[Any, tuple[int, str]] = {}
    seen: dict[str, str] = {}
    for line, entry in _dicts(found, path, lists, "images", ("id", "file_name")):
        place, wanted = f"{path}:{line}", str(entry["file_name"])
        if entry["id"] in ids:
            _same_id(found, place, entry["id"], wanted, *ids[entry["id"]])
            continue
        ids[entry["id"]] = line, wanted
        candidates = files.find(wanted, source, below="images/", part=part)
        name = chosen(found, place, wanted, candidates)
        if name is None:
            boxes.pop(entry["id"], None)
            continue
        if name in seen:
            boxes.pop(entry["id"], None)
            named_twice(found, place, name, seen[name])
            continue
        seen[name] = place
        if PurePosixPath(name).suffix.lower() not in ENDINGS:
            continue
        width, height = entry.get("width"), entry.get("height")
        stated = None
        if isinstance(width, int) and isinstance(height, int):
            stated = (width, height)
        own = tuple(boxes.pop(entry["id"], []))
        found.images.append(WrittenImage(name, place, tree.loads[name], own, stated))
    for number, lost in boxes.items():
        for box in lost:
            found.fault(
                "BOX-NO-IMAGE",
                box.place,
                f"image_id {number}",
                _("no image of this file has this id"),
                _("mend the id, or take the box out"),
            )
    return found


def _dicts(
    found: WrittenBoxes, path: Path, lists: dict[str, Any], name: str, needed: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of a list that have what they need; a fault for each other."""
    for line, entry in lists.get(name, []):
        lacking = [n for n in needed if not isinstance(entry, dict) or not _holds(entry, n)]
        if lacking:
            found.fault(
                "DATA-FORMAT",
                f"{path}:{line}",
                f"{name}: " + json.dumps(entry, ensure_ascii=False)[:80],
                _("it lacks {names}").format(names=", ".join(lacking)),
                _("export it anew, or write what is missing"),
            )
        else:
            yield line, entry


def _holds(entry: dict[str, Any], name: str) -> bool:
    """Whether it is there; an id must be one value."""
    return name in entry and (not name.endswith("id") or isinstance(entry[name], str | int | float))


def _same_id(
    found: WrittenBoxes, place: str, number: Any, name: str, line: int, before: str
) -> None:
    found.fault(
        "DATA-TWICE",
        place,
        _("id {number}: {name}").format(number=number, name=name),
        _("line {line} gives this id to {other}").format(line=line, other=before),
        _("give each its own id, and mend the boxes that name it"),
    )


def _categories(found: WrittenBoxes, path: Path, lists: dict[str, Any]) -> dict[Any, str]:
    names: dict[Any, str] = {}
    lines: dict[Any, int] = {}
    for line, entry in _dicts(found, path, lists, "categories", ("id", "name")):
        number, name = entry["id"], str(entry["name"])
        if number in names:
            _same_id(found, f"{path}:{line}", number, name, lines[number], names[number])
        elif names and isinstance(number, str) != isinstance(next(iter(names)), str):
            first = next(iter(names))
            found.fault(
                "DATA-FORMAT",
                f"{path}:{line}",
                f"id {number!r}: {name}",
                _("line {line} has the id {first}, which is of another kind").format(
                    line=lines[first], first=repr(first)
                ),
                _("write all ids as numbers, or all as text"),
            )
        else:
            names[number], lines[number] = name, line
    found.classes = [names[number] for number in sorted(names)]
    return names


def _is_number(one: Any) -> TypeGuard[float]:
    """Also one beyond all bounds is a number; but a whole one of hundreds of digits is no float."""
    try:
        return isinstance(one, int | float) and isinstance(float(one), float)
    except OverflowError:
        return False


def _boxes(
    found: WrittenBoxes, path: Path, lists: dict[str, Any], names: dict[Any, str]
) -> dict[Any, list[WrittenBox]]:
    boxes: dict[Any, list[WrittenBox]] = {}
    needed = ("image_id", "category_id", "bbox")
    for line, entry in _dicts(found, path, lists, "annotations", needed):
        place, box = f"{path}:{line}", entry["bbox"]
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            found.fault(
                "DATA-FORMAT",
                place,
                f"bbox: {json.dumps(box)[:60]}",
                _("a box is four numbers: left, top, width, height in pixels"),
                _("export it anew, or take the box out"),
            )
            continue
        left, top, width, height = map(float, box)
        label = names.get(entry["category_id"], "")
        area = entry.get("area")
        boxes.setdefault(entry["image_id"], []).append(
            WrittenBox(
                (left, top, left + width, top + height),
                label,
                place,
                ignored=bool(entry.get("ignore", 0)),
                crowd=bool(entry.get("iscrowd", 0)),
                area_px2=float(area) if _is_number(area) else None,
                wrong_class="" if label else f"category_id {entry['category_id']}",
            )
        )
    return boxes
