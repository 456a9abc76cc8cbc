"""PASCAL VOC's XML of boxes, a file an image, with the line of every object.

Folders ``Annotations``, ``JPEGImages`` and, where there is a split, ``ImageSets/Main`` with
``train.txt``, ``val.txt`` and ``test.txt``, in a folder or an archive, at whatever depth.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Literal
from xml.etree import ElementTree
from xml.parsers import expat

from shinso.data.box_files import (
    LISTS,
    ImageFiles,
    WrittenBox,
    WrittenBoxes,
    WrittenImage,
    chosen,
    named_twice,
)
from shinso.data.file_tree import FileTree, decoded
from shinso.data.splits import SplitPart
from shinso.language import _

CountsFrom = Literal["0", "1"]
SIDES = ("xmin", "ymin", "xmax", "ymax")


class LinedElement(ElementTree.Element):
    """An element that knows the line it begins in."""

    line: int = 0


def lined_xml(content: bytes) -> LinedElement:
    """The root of an XML text. ValueError where it is none, or declares entities: no file of boxes
    has any, and they can be made to fill the memory."""
    parser = expat.ParserCreate()
    builder = ElementTree.TreeBuilder(element_factory=LinedElement)

    def begin(tag: str, attributes: dict[str, str]) -> None:
        element = builder.start(tag, attributes)
        assert isinstance(element, LinedElement)
        element.line = parser.CurrentLineNumber

    def refuse(*_what: object) -> None:
        raise ValueError("it declares entities")

    parser.StartElementHandler = begin
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from error
    root = builder.close()
    assert isinstance(root, LinedElement)
    return root


def is_voc(content: bytes) -> bool:
    return b"<annotation" in content[:2000]


def read_voc(tree: FileTree, names: list[str], counts_from: CountsFrom) -> WrittenBoxes:
    """names: of the XML files. counts_from: "1" where a file counts pixels from 1 and names the
    last one inside (VOC), "0" where it gives edges."""
    found = WrittenBoxes("voc")
    files = ImageFiles(tree)
    parts = _parts(found, tree)
    unlisted = 0
    seen: dict[str, str] = {}
    for name in names:
        place = tree.place(name)
        try:
            root = lined_xml(tree.loads[name]())
        except ValueError as error:
            found.fault(
                "DATA-FORMAT",
                place,
                str(error),
                _("it is no XML as VOC has it"),
                _("export it anew, or take it out together with its image"),
            )
            continue
        stem = PurePosixPath(name).stem
        wanted = (root.findtext("filename") or "").strip()
        # Copies are often renamed while the file name inside stays; the XML's own name counts first.
        candidates = files.of_stem(name) or (files.find(wanted, name) if wanted else [])
        if len(candidates) > 1:
            exact = [one for one in candidates if PurePosixPath(one).name == wanted]
            candidates = exact if len(exact) == 1 else candidates
        image = chosen(found, place, wanted or stem, candidates)
        if image is None:
            continue
        if image in seen:
            named_twice(found, place, image, seen[image])
            continue
        seen[image] = name
        boxes = _objects(found, place, root, float(counts_from))
        part: SplitPart | Literal[""] = parts.get(stem, "")
        unlisted += bool(parts) and not part
        found.images.append(WrittenImage(image, place, tree.loads[image], boxes, _size(root), part))
    _missing(found, tree, parts, {PurePosixPath(name).stem for name in names})
    if unlisted:
        found.images = [one for one in found.images if one.part]
        found.notes.append(
            _("{count:,} images are in no list of ImageSets/Main and were not used").format(
                count=unlisted
            )
        )
    return found


def _size(root: LinedElement) -> tuple[int, int] | None:
    texts = [(root.findtext(f"size/{side}") or "").strip() for side in ("width", "height")]
    width, height = (int(one) if re.fullmatch("[0-9]{1,9}", one) else 0 for one in texts)
    return (width, height) if width and height else None


def _objects(
    found: WrittenBoxes, place: str, root: LinedElement, shift: float
) -> tuple[WrittenBox, ...]:
    boxes = []
    for one in root.iter("object"):
        line = f"{place}:{one.line}" if isinstance(one, LinedElement) else place
        label = (one.findtext("name") or "").strip()
        texts = [(one.findtext(f"bndbox/{side}") or "").strip() for side in SIDES]
        try:
            left, top, right, bottom = map(float, texts)
            if not label:
                raise ValueError("no name")
        except ValueError:
            found.fault(
                "DATA-FORMAT",
                line,
                f"{label!r} " + ", ".join(f"{s} {t!r}" for s, t in zip(SIDES, texts, strict=True)),
                _("an object needs a name and four numbers"),
                _("mend it, or take the object out"),
            )
            continue
        # A slip of the mouse leaves both ends on one pixel: no box, whichever way pixels count.
        empty = right <= left or bottom <= top
        by = 0.0 if empty else shift
        boxes.append(
            WrittenBox(
                (left - by, top - by, right, bottom),
                label,
                line,
                ignored=(one.findtext("difficult") or "0").strip() == "1",
            )
        )
    return tuple(boxes)


def _parts(found: WrittenBoxes, tree: FileTree) -> dict[str, SplitPart]:
    """Name of each listed image -> its part. A fault for one that two lists have."""
    parts: dict[str, SplitPart] = {}
    for name in tree.ending(".txt"):
        path = PurePosixPath(name)
        if path.parent.name != "Main" or path.stem not in LISTS:
            continue
        part = LISTS[path.stem]
        for number, line in enumerate(decoded(tree, name, found.notes).splitlines(), 1):
            stem = line.split()[0] if line.split() else ""
            if not stem:
                continue
            if parts.setdefault(stem, part) != part:
                found.fault(
                    "DATA-SPLIT",
                    f"{tree.place(name)}:{number}",
                    stem,
                    _("it stands in the {part} list too").format(part=parts[stem]),
                    _("keep it in one of them: what is learnt cannot be tested on"),
                )
    return parts


def _missing(
    found: WrittenBoxes, tree: FileTree, parts: dict[str, SplitPart], known: set[str]
) -> None:
    for stem in parts:
        if stem not in known:
            found.fault(
                "DATA-NOT-FOUND",
                str(tree.path),
                stem,
                _("a list of ImageSets/Main names it, and Annotations lacks it"),
                _("bring its XML file, or take it out of the list"),
            )
