"""What files say of boxes, before anything is checked against the images: the three formats.

Each reader gives ``WrittenBoxes``: every image with its boxes as they are written, and where.
Files that cannot be understood are faults here; boxes that cannot be right are judged later, in
``labelled_boxes``, for all formats alike.
"""

from __future__ import annotations

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


class ImageFiles:
    """The images of a tree, found by their path, by its end, or by the name without its ending."""

    def __init__(self, tree: FileTree) -> None:
        self.tree = tree
        self.names = [n for n in tree.loads if PurePosixPath(n).suffix.lower() in ENDINGS]
        self._by_last: dict[str, str] = {}
        self._by_stem: dict[str, str] = {}
        for name in self.names:
            path = PurePosixPath(name)
            self._by_last.setdefault(path.name, name)
            self._by_stem.setdefault(path.stem, name)

    def find(self, wanted: str, *, below: str = "") -> str | None:
        """The image that a file calls ``wanted``. below: the folder to prefer."""
        wanted = wanted.replace("\\", "/").lstrip("./")
        for name in (f"{below}{wanted}", wanted):
            if name in self.tree.loads:
                return name
        last = PurePosixPath(wanted).name
        return self._by_last.get(last)

    def of_stem(self, stem: str) -> str | None:
        return self._by_stem.get(stem)


def no_image(found: WrittenBoxes, place: str, name: str) -> None:
    """The fault for an image that is named and not there."""
    found.fault(
        "DATA-NOT-FOUND",
        place,
        name,
        _("this image is named, but there is no such file"),
        _("bring the image, or take its entry out"),
    )
