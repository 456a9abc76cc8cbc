"""What files say of boxes, before anything is checked against the images: the three formats.

Each reader gives ``WrittenBoxes``: every image with its boxes as they are written, and where.
Files that cannot be understood are faults here; boxes that cannot be right are judged later, in
``labelled_boxes``, for all formats alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from shinso.data.file_tree import FileTree
from shinso.data.image_decoding import ENDINGS
from shinso.data.splits import SplitPart
from shinso.faults import DataFault
from shinso.language import _

Format = Literal["coco", "voc", "yolo"]
LISTS: dict[str, SplitPart] = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
IMAGE_FOLDERS = {"images", "image", "imgs", "img", "jpegimages", "leftimg8bit"}
NAMED = 5


@dataclass(frozen=True)
class WrittenBox:
    """One box as it stands in its file, its edges already real numbers.

    xyxy: in pixels, or in shares of the image where ``relative``. label: "" where ``wrong_class``
    says which class the file names that does not exist. area_px2: of the object, where it is told.
    """

    xyxy: tuple[float, float, float, float]
    label: str
    place: str
    relative: bool = False
    ignored: bool = False
    crowd: bool = False
    area_px2: float | None = None
    wrong_class: str = ""


@dataclass(frozen=True)
class WrittenImage:
    """size_px: width and height, where the file tells them. part: "" where it is in none."""

    name: str
    place: str
    load: Callable[[], bytes]
    boxes: tuple[WrittenBox, ...]
    size_px: tuple[int, int] | None = None
    part: SplitPart | Literal[""] = ""


@dataclass
class WrittenBoxes:
    """classes: in the order of their numbers; empty where the format has names only."""

    format: Format
    images: list[WrittenImage] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    faults: list[DataFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, code: str, place: str, found: str, why: str, next_step: str) -> None:
        self.faults.append(DataFault(code, place=place, found=found, why=why, next_step=next_step))


def part_of(name: str) -> SplitPart | Literal[""]:
    """The part that the folders of a path name, the innermost first."""
    folders = [one for one in PurePosixPath(name).parts[:-1] if one in LISTS]
    return LISTS[folders[-1]] if folders else ""


class ImageFiles:
    """The images of a tree, found by their path, by its end, or by the name without its ending.

    Parts and classes often number their images alike, so a name alone says little: what is in
    another part is never meant, and of the others those that lie nearest.
    """

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.names = [n for n in tree.loads if PurePosixPath(n).suffix.lower() in ENDINGS]
        self._by_last: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for name in self.names:
            path = PurePosixPath(name)
            self._by_last.setdefault(path.name, []).append(name)
            self._by_stem.setdefault(path.stem, []).append(name)

    def find(
        self, wanted: str, source: str, *, below: str = "", part: SplitPart | Literal[""] = ""
    ) -> list[str]:
        """The images that the file ``source`` may call ``wanted``: one, none, or several between
        which nothing decides. below: a folder that is not always written. part: of the source,
        where no folder says it."""
        wanted = wanted.replace("\\", "/").lstrip("./")
        beside = PurePosixPath(source).parent
        written = [(beside / wanted).as_posix(), wanted]
        with_folder = [(beside / below / wanted).as_posix(), below + wanted]
        # A folder that is written is meant; without one, the usual folder comes first.
        for name in (*written, *with_folder) if "/" in wanted else (*with_folder, *written):
            if name in self.tree.loads:
                return [name]
        found = self._by_last.get(PurePosixPath(wanted).name, [])
        ends = [one for one in found if one.endswith(f"/{wanted}")]
        return _nearest(ends or found, source, part)

    def of_stem(self, source: str) -> list[str]:
        """The images that have the name of the file ``source`` but for the ending; as ``find``."""
        return _nearest(self._by_stem.get(PurePosixPath(source).stem, []), source, "")


def _nearest(found: list[str], source: str, part: SplitPart | Literal[""]) -> list[str]:
    part = _loosely(source) or part
    left = [one for one in found if not part or _loosely(one) in ("", part)]
    left = [one for one in left if part and _loosely(one) == part] or left
    nearness = [_nearness(PurePosixPath(one), PurePosixPath(source)) for one in left]
    return [one for one, near in zip(left, nearness, strict=True) if near == max(nearness)]


def _loosely(name: str) -> SplitPart | Literal[""]:
    """``part_of``, whether a year stands behind it or not: val2017."""
    return part_of(re.sub("[0-9]+/", "/", name.lower()))


def _nearness(image: PurePosixPath, source: PurePosixPath) -> tuple[bool, int, int]:
    """Beside; where one folder is another, such as JPEGImages for Annotations; and by how many
    outer folders the two share."""
    one, other = image.parts[:-1], source.parts[:-1]
    mirrored = 0
    if len(one) == len(other):
        differ = [a.lower() for a, b in zip(one, other, strict=True) if a != b]
        mirrored = (1 + (differ[0] in IMAGE_FOLDERS)) if len(differ) == 1 else 0
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return one == other, mirrored, shared


def chosen(found: WrittenBoxes, place: str, wanted: str, names: list[str]) -> str | None:
    """The one image among ``names``; None and a fault where there is none or more than one."""
    if not names:
        no_image(found, place, wanted)
    if len(names) > 1:
        found.fault(
            "DATA-TWICE",
            place,
            f"{wanted}: {', '.join(names[:NAMED])}" + (", …" if len(names) > NAMED else ""),
            _("it is not clear which of these images is meant"),
            _("write the folder of the image, or rename or remove the others"),
        )
    return names[0] if len(names) == 1 else None


def named_twice(found: WrittenBoxes, place: str, name: str, before: str) -> None:
    """The fault for an image to which two files or entries give boxes."""
    found.fault(
        "DATA-TWICE",
        place,
        name,
        _("it has its boxes from {other} already").format(other=before),
        _("put all boxes of an image together, or bring the image that is meant"),
    )


def no_image(found: WrittenBoxes, place: str, name: str) -> None:
    """The fault for an image that is named and not there."""
    found.fault(
        "DATA-NOT-FOUND",
        place,
        name,
        _("this image is named, but there is no such file"),
        _("bring the image, or take its entry out"),
    )
