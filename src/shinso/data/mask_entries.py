"""Which mask belongs to which image: folders, archives and lists; nothing is decoded here.

A path's folders say what a file is: ``images/`` or ``masks/`` (under several usual names), ``train``,
``val`` or ``test`` above or below them, and CamVid's ``train`` beside ``trainannot``. Image and mask
have the same name but for the ending (``_mask`` and ``_L`` are passed over).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from shinso.data.archives import is_archive
from shinso.data.box_files import IMAGE_FOLDERS
from shinso.data.file_tree import file_tree
from shinso.data.findings import Findings
from shinso.data.image_decoding import ENDINGS
from shinso.data.image_entries import listed_rows, no_images
from shinso.data.splits import SplitPart
from shinso.data.text import read_bytes
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _

MASK_FOLDERS = {
    "masks", "mask", "labels", "label", "annotations", "annotation", "annot", "segmentationclass",
    "gtfine", "groundtruth",
}  # fmt: skip
PARTS: Mapping[str, SplitPart] = {
    "train": "train", "training": "train", "val": "valid", "valid": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
MASK_SUFFIXES = ("_mask", "_masks", "_L", "_label")
TABLES = ("classes.csv", "classes.txt", "label_colors.txt", "labels.txt")
Load = Callable[[], bytes]


@dataclass(frozen=True)
class Pair:
    """An image and its mask. places: where a fault in it is reported; mask: None where none is
    needed. part: where the data are divided already."""

    name: str
    part: SplitPart | None
    image_place: str
    image: Load
    mask_place: str = ""
    mask: Load | None = None


@dataclass(frozen=True)
class Pairs:
    """All pairs of ``path`` in the order of their names. table: the file of classes beside them,
    its name and content."""

    path: Path
    found: tuple[Pair, ...]
    notes: tuple[str, ...] = ()
    table: tuple[str, bytes] | None = None


def read_pairs(path: Path, *, needs_mask: bool) -> Pairs:
    """Raises ManyDataFaults DATA-NO-MASK and DATA-NO-IMAGE for what stands alone, DATA-EMPTY,
    DATA-FORMAT, DATA-NOT-FOUND."""
    if not path.exists():
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(path),
            found=_("no such file or folder"),
            next_step=_("check the path; it is taken from the folder you are in"),
        )
    if path.is_dir() or is_archive(path):
        return _by_folder(path, file_tree(path).loads, needs_mask=needs_mask)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _by_list(path, needs_mask=needs_mask)
    if not needs_mask and path.suffix.lower() in ENDINGS:
        return Pairs(path, (Pair(path.name, None, str(path), partial(read_bytes, path)),))
    raise DataFault(
        "DATA-FORMAT",
        place=str(path),
        found=_("a file of a form that is not known"),
        why=_(
            "masked images are a folder with images/ and masks/, an archive of it, or a CSV with "
            "columns image and mask"
        ),
        next_step=_("put images and masks of the same names into two folders"),
    )


Key = tuple[SplitPart | None, tuple[str, ...], str]
Kind = Literal["image", "mask"]


def _role(name: str) -> tuple[Kind | None, Key]:
    """What the folders of a path say: image or mask, of which part, and what names the pair."""
    path = PurePosixPath(name)
    kind: Kind | None = None
    part: SplitPart | None = None
    rest = []
    for folder in path.parts[:-1]:
        low = folder.lower()
        if low in IMAGE_FOLDERS:
            kind = "image"
        elif low in MASK_FOLDERS:
            kind = "mask"
        elif low in PARTS:
            part = PARTS[low]
        elif low.endswith("annot") and low.removesuffix("annot") in PARTS:
            kind, part = "mask", PARTS[low.removesuffix("annot")]
        else:
            rest.append(folder)
    if kind is None and part is not None:
        kind = "image"
    stem = path.stem
    if kind == "mask":
        for suffix in MASK_SUFFIXES:
            stem = stem.removesuffix(suffix)
    return kind, (part, tuple(rest), stem)


def _by_folder(path: Path, loads: Mapping[str, Load], *, needs_mask: bool) -> Pairs:
    images: dict[Key, str] = {}
    masks: dict[Key, str] = {}
    others, faults = [], []
    table = None
    for name, load in loads.items():
        last = PurePosixPath(name).name.lower()
        kind, key = _role(name)
        if last in TABLES:
            table = (str(path / name), load())
        elif PurePosixPath(name).suffix.lower() not in ENDINGS:
            others.append(name)
        elif kind == "mask" and not needs_mask:
            continue
        elif kind is None and needs_mask:
            others.append(name)
        else:
            side = masks if kind == "mask" else images
            if key in side:
                faults.append(_twice(path, name, side[key]))
            side[key] = name
    if needs_mask:
        faults += [_alone(path, images[key], "DATA-NO-MASK") for key in images.keys() - masks]
        faults += [_alone(path, masks[key], "DATA-NO-IMAGE") for key in masks.keys() - images]
    if not images and not masks:
        faults = [_nothing(path, needs_mask)]
    if faults:
        raise ManyDataFaults(sorted(faults, key=lambda one: one.place))
    notes = []
    if others:
        listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        notes.append(
            _("{count:,} files are no masked images and were not read: {names}").format(
                count=len(others), names=listed
            )
        )
    found = []
    for key, name in sorted(images.items(), key=lambda one: one[1]):
        mask = masks[key] if needs_mask else ""
        found.append(
            Pair(
                name,
                key[0],
                str(path / name),
                loads[name],
                str(path / mask) if mask else "",
                loads[mask] if mask else None,
            )
        )
    return Pairs(path, tuple(found), tuple(notes), table)


def _twice(path: Path, name: str, before: str) -> DataFault:
    return DataFault(
        "DATA-TWICE",
        place=str(path / name),
        found=_("{name} has the same name").format(name=before),
        why=_("it is not clear which of them belongs to the pair"),
        next_step=_("rename or remove one of them"),
    )


def _alone(path: Path, name: str, code: str) -> DataFault:
    no_mask = code == "DATA-NO-MASK"
    return DataFault(
        code,
        place=str(path / name),
        found=_("no mask of this name") if no_mask else _("no image of this name"),
        why=_("each image needs a mask of the same name, and each mask an image"),
        next_step=_("add the mask, or take the image out")
        if no_mask
        else _("add the image, or take the mask out"),
    )


def _nothing(path: Path, needs_mask: bool) -> DataFault:
    return no_images(
        path,
        _("images lie in images/ and their masks in masks/")
        if needs_mask
        else _("there is nothing to answer"),
    )


def _by_list(path: Path, *, needs_mask: bool) -> Pairs:
    """Columns ``image`` and ``mask``, and ``part`` where the data are divided already; paths are
    taken from the CSV's folder."""
    findings = Findings(path)
    needed = ("image", "mask") if needs_mask else ("image",)
    found = []
    for line, cells in listed_rows(path, needed, findings):
        pair = _listed(path, line, cells, needed, findings)
        if pair is not None:
            found.append(pair)
    findings.stop()
    if not found:
        raise _nothing(path, needs_mask)
    return Pairs(path, tuple(found), tuple(findings.notes))


def _listed(
    path: Path,
    line: int,
    cells: Mapping[str, str],
    needed: Sequence[str],
    findings: Findings,
) -> Pair | None:
    whole = True
    for name in needed:
        if not cells.get(name):
            whole = False
        elif not (path.parent / cells[name]).is_file():
            whole = False
            findings.fault(
                "DATA-NOT-FOUND", line=line, column=name, found=cells[name],
                why=_("no such file below {folder}").format(folder=path.parent),
                next_step=_("mend the path; it is taken from the folder of the CSV"),
            )  # fmt: skip
    said = cells.get("part", "").lower()
    if said and said not in PARTS:
        whole = False
        findings.fault(
            "DATA-PART", line=line, column="part", found=said,
            why=_("parts are train, valid and test"),
            next_step=_("write one of them, or leave the column out"),
        )  # fmt: skip
    if not whole:
        return None

    def load(name: str) -> tuple[str, Load]:
        where = path.parent / cells[name]
        return f"{path}:{line}: {where}", partial(read_bytes, where)

    image_place, image = load("image")
    part = PARTS.get(said)
    if "mask" not in needed:
        return Pair(cells["image"], part, image_place, image)
    return Pair(cells["image"], part, image_place, image, *load("mask"))
