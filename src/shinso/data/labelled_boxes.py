"""Images with labelled boxes, for ``detect``: COCO JSON, VOC XML and YOLO text as one structure.

Every box is judged here, whichever file it comes from: outside its image, without area, of a class
that does not exist. Such boxes are listed by file and line; a setting says whether they stop
everything, are cut to the image, or are left out aloud.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from shinso.data.box_files import Format, WrittenBox, WrittenBoxes, WrittenImage
from shinso.data.boxes_coco import is_coco, read_coco, read_coco_parts
from shinso.data.boxes_voc import CountsFrom, is_voc, read_voc
from shinso.data.boxes_yolo import read_yolo
from shinso.data.file_tree import file_tree
from shinso.data.image_decoding import ENDINGS, Header, Target, decode, read_header
from shinso.data.limits import decoding_pool
from shinso.data.splits import PARTS, SplitPart
from shinso.data.text import read_bytes, sha256_of
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

Faulty = Literal["fail", "clip", "drop"]
ROUNDING_PX = 0.5
"""A box may reach so far beyond its image: shares of six digits are rounded."""
SMALLEST_PX = 1.0
LISTED = 20


@dataclass(frozen=True, eq=False)
class BoxedImage:
    """One image and what is in it. ignored: need not be found (VOC: difficult); crowd: a region of
    many (COCO). area_px2: of the objects, that of their boxes where the file tells none."""

    name: str
    place: str
    load: Callable[[], bytes]
    width: int
    height: int
    boxes_xyxy_px: Float[np.ndarray, "box 4"]
    classes: Int[np.ndarray, " box"]
    ignored: Bool[np.ndarray, " box"]
    crowd: Bool[np.ndarray, " box"]
    area_px2: Float[np.ndarray, " box"]
    part: SplitPart | Literal[""] = ""

    def pixels(self, channels: int) -> UInt8[np.ndarray, "channel height width"]:
        """Decoded anew at every call."""
        return decode(self.load(), self.place, Target(channels, self.height, self.width))


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """All images of ``path``. format: in which they were written; "" for images alone."""

    path: Path
    format: Format | Literal[""]
    images: tuple[BoxedImage, ...]
    classes: tuple[str, ...]
    channels: int
    sha256: str
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.images)

    def of_part(self, part: SplitPart) -> tuple[BoxedImage, ...]:
        return tuple(one for one in self.images if one.part == part)

    def facts(self) -> dict[str, Any]:
        """JSON-able: which data it was."""
        counts = Counter(int(number) for one in self.images for number in one.classes)
        return {
            "file": self.path.name,
            "format": self.format,
            "sha256": self.sha256,
            "samples": len(self),
            "boxes": {name: counts[number] for number, name in enumerate(self.classes)},
            "background_images": sum(not len(one.classes) for one in self.images),
            "channels": self.channels,
        }


def read_boxes(
    paths: Sequence[Path],
    *,
    faulty: Faulty = "fail",
    counts_from: CountsFrom = "1",
    classes: Sequence[str] | None = None,
    channels: int = 0,
    needs_boxes: bool = True,
) -> LabelledBoxes:
    """Read images with boxes, in whichever of the three formats.

    faulty: what becomes of boxes that cannot be right: all are listed and nothing is read; they are
    cut to their image, or left out where nothing is left of them; they are left out. counts_from:
    of VOC's pixels. classes: the names that a run knows; others are faults then. channels: 1 or 3,
    0 as the images say. needs_boxes: False for new images without any.

    Raises DataFaults: BOX-OUTSIDE, BOX-EMPTY, BOX-CLASS, BOX-NO-IMAGE, BOX-OTHER-SIZE, DATA-SPLIT,
    DATA-IMAGE, DATA-NOT-FOUND, DATA-FORMAT, DATA-EMPTY.
    """
    paths = [Path(path) for path in paths]
    written = _written(paths, counts_from, needs_boxes=needs_boxes)
    if not written.images and not written.faults:
        raise DataFault(
            "DATA-EMPTY",
            place=str(paths[0]),
            found=_("no image ({endings})").format(endings=", ".join(sorted(ENDINGS))),
            why=_("there is nothing to look at"),
            next_step=_("give the folder that holds the images"),
        )
    with decoding_pool() as pool:
        heads = list(pool.map(_head, written.images))
    faults = [*written.faults, *(head for head in heads if isinstance(head, DataFault))]
    if faults:
        raise ManyDataFaults(faults)
    known = tuple(classes) if classes is not None else _class_names(written)
    judge = _Judge(faulty, known)
    images, digest = [], hashlib.sha256()
    grey = True
    for one, head in zip(written.images, heads, strict=True):
        assert not isinstance(head, DataFault)
        header, content = head
        grey &= header.grey
        found = judge.image(one, header)
        images.append(found)
        digest.update(f"{one.name}\0{content}\0{one.part}\n".encode())
        digest.update(found.boxes_xyxy_px.tobytes() + found.classes.tobytes())
    judge.stop()
    notes = [*written.notes, *judge.notes()]
    background = sum(not len(one.classes) for one in images)
    if background and needs_boxes:
        notes.append(
            _("{count:,} of {all:,} images have no box; they are kept as background").format(
                count=background, all=len(images)
            )
        )
    return LabelledBoxes(
        paths[0],
        written.format if needs_boxes else "",
        tuple(images),
        known,
        channels or (1 if grey else 3),
        digest.hexdigest(),
        tuple(notes),
    )


def _head(image: WrittenImage) -> tuple[Header, str] | DataFault:
    try:
        content = image.load()
        return read_header(content, image.place), sha256_of(content)
    except DataFault as fault:
        return fault


def _class_names(written: WrittenBoxes) -> tuple[str, ...]:
    """Those that the format lists; else every name that occurs, in the order of the alphabet."""
    if written.classes:
        return tuple(written.classes)
    return tuple(sorted({box.label for one in written.images for box in one.boxes if box.label}))


def _written(paths: Sequence[Path], counts_from: CountsFrom, *, needs_boxes: bool) -> WrittenBoxes:
    first = paths[0]
    if first.is_file() and first.suffix.lower() == ".json":
        return read_coco(first, read_bytes(first), file_tree(first.parent))
    if first.is_file() and first.suffix.lower() in ENDINGS and not needs_boxes:
        images = [WrittenImage(one.name, str(one), partial(read_bytes, one), ()) for one in paths]
        return WrittenBoxes("yolo", images)
    tree = file_tree(first)
    coco = [name for name in tree.ending(".json") if is_coco(tree.loads[name]())]
    if coco:
        return read_coco_parts(tree, coco)
    xml = [name for name in tree.ending(".xml") if is_voc(tree.loads[name]())]
    if xml:
        return read_voc(tree, xml, counts_from)
    found = read_yolo(tree)
    nothing = found.images and not found.faults and not any(one.boxes for one in found.images)
    if needs_boxes and nothing:
        raise DataFault(
            "DATA-FORMAT",
            place=str(first),
            found=_("no boxes in a form that is known"),
            why=_("boxes are COCO's JSON, VOC's XML or YOLO's text beside the images"),
            next_step=_("the forms are told by: shinso train detect --help"),
        )
    if not needs_boxes:
        found.notes.clear()
    return found


class _Judge:
    """Tells right boxes from wrong ones, and remembers what was done with those."""

    def __init__(self, faulty: Faulty, classes: Sequence[str]) -> None:
        self.faulty = faulty
        self.number = {name: place for place, name in enumerate(classes)}
        self.faults: list[DataFault] = []
        self.done: dict[str, list[str]] = {"clip": [], "drop": []}

    def image(self, written: WrittenImage, header: Header) -> BoxedImage:
        size = (header.width, header.height)
        if written.size_px and written.size_px != size:
            self.faults.append(
                DataFault(
                    "BOX-OTHER-SIZE",
                    place=written.place,
                    found=_("{one} × {two} is written, the image is {width} × {height}").format(
                        one=written.size_px[0], two=written.size_px[1],
                        width=header.width, height=header.height,
                    ),
                    why=_("its boxes were drawn on an image of another size"),
                    next_step=_("bring the image that the boxes belong to"),
                )
            )  # fmt: skip
        kept = [(box, found) for box in written.boxes if (found := self._box(box, *size))]
        boxes = np.array([found for _box, found in kept], dtype=np.float64).reshape(-1, 4)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        for place, (box, _found) in enumerate(kept):
            areas[place] = areas[place] if box.area_px2 is None else box.area_px2
        return BoxedImage(
            written.name,
            written.place,
            written.load,
            header.width,
            header.height,
            boxes,
            np.array([self.number[box.label] for box, _found in kept], dtype=np.int64),
            np.array([box.ignored for box, _found in kept], dtype=bool),
            np.array([box.crowd for box, _found in kept], dtype=bool),
            areas,
            written.part,
        )

    def _box(
        self, box: WrittenBox, width: int, height: int
    ) -> tuple[float, float, float, float] | None:
        """The box in pixels within its image; None where it is left out."""
        scale = (width, height, width, height) if box.relative else (1, 1, 1, 1)
        left, top, right, bottom = (e * s for e, s in zip(box.xyxy, scale, strict=True))
        said = f"{box.label or box.wrong_class}: {left:g}, {top:g}, {right:g}, {bottom:g}"
        inside = (max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height))
        beyond = max(abs(a - b) for a, b in zip(inside, (left, top, right, bottom), strict=True))
        if box.label not in self.number:
            return self._wrong("BOX-CLASS", box, said, None)
        if not all(np.isfinite(box.xyxy)):
            return self._wrong("BOX-EMPTY", box, said, None)
        if right - left <= 0 or bottom - top <= 0:
            return self._wrong("BOX-EMPTY", box, said, None)
        if beyond > ROUNDING_PX:
            large = min(inside[2] - inside[0], inside[3] - inside[1]) >= SMALLEST_PX
            return self._wrong("BOX-OUTSIDE", box, said, inside if large else None)
        return inside

    def _wrong(
        self,
        code: str,
        box: WrittenBox,
        said: str,
        inside: tuple[float, float, float, float] | None,
    ) -> tuple[float, float, float, float] | None:
        if self.faulty == "fail":
            why = {
                "BOX-CLASS": _("this class does not exist; the classes are {classes}").format(
                    classes=", ".join(self.number)
                ),
                "BOX-EMPTY": _("the box has no area"),
                "BOX-OUTSIDE": _("the box reaches beyond its image (left, top, right, bottom)"),
            }[code]
            step = _("mend it, or cut or leave out such boxes aloud: --faulty clip, --faulty drop")
            self.faults.append(
                DataFault(code, place=box.place, found=said, why=why, next_step=step)
            )
            return None
        kept = inside if self.faulty == "clip" else None
        self.done["clip" if kept else "drop"].append(f"{box.place} ({code}: {said})")
        return kept

    def stop(self) -> None:
        if self.faults:
            raise ManyDataFaults(self.faults)

    def notes(self) -> list[str]:
        texts = {
            "clip": _("{count:,} boxes reached beyond their image and were cut: {list}"),
            "drop": _("{count:,} boxes were left out: {list}"),
        }
        return [
            texts[what].format(
                count=len(places),
                list="; ".join(places[:LISTED]) + ("; …" if len(places) > LISTED else ""),
            )
            for what, places in self.done.items()
            if places
        ]


def own_split(boxes: LabelledBoxes) -> dict[SplitPart, int]:
    """How many images the data put into each part themselves; empty where they put none."""
    counts: dict[SplitPart, int] = {part: len(boxes.of_part(part)) for part in PARTS}
    return {part: count for part, count in counts.items() if count}
