"""Where images lie and how they are labelled: folders, archives, lists; nothing is decoded here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from shinso.data.delimited import records
from shinso.data.file_tree import file_tree
from shinso.data.findings import Findings, shown
from shinso.data.image_decoding import ENDINGS
from shinso.data.text import read_bytes, read_text
from shinso.faults import DataFault, ManyDataFaults
from shinso.language import _


@dataclass(frozen=True)
class Entry:
    """One image. place: where a fault in it is reported."""

    name: str
    label: str
    place: str
    load: Callable[[], bytes]


@dataclass(frozen=True)
class Entries:
    """All images of ``path``, in the order of their names, and what to say about them."""

    path: Path
    found: tuple[Entry, ...]
    notes: tuple[str, ...] = field(default=())


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ENDINGS


def tree_entries(path: Path, *, needs_label: bool) -> Entries:
    """A folder per class, in a folder or an archive; without labels needed, images anywhere below.

    Raises ManyDataFaults DATA-EMPTY for each class folder without an image.
    """
    tree = file_tree(path)
    root = "" if path.is_dir() else _root(list(tree.loads))
    loads = {name.removeprefix(root): load for name, load in tree.loads.items()}
    below = [one.removeprefix(root) for one in tree.folders if one.startswith(root)]
    classes = {one: 0 for one in sorted(below) if "/" not in one}
    return _by_folder(path, loads, classes, needs_label=needs_label)


def _root(names: Sequence[str]) -> str:
    """Folders that all files share above the class folders, such as ``cifar10/train/``."""
    root = ""
    while True:
        tops = {PurePosixPath(name[len(root) :]).parts for name in names}
        first = {parts[0] for parts in tops if len(parts) > 1}
        if len(first) != 1 or any(len(parts) < 3 for parts in tops):
            return root
        root += first.pop() + "/"


def _by_folder(
    path: Path,
    loads: dict[str, Callable[[], bytes]],
    classes: dict[str, int],
    *,
    needs_label: bool,
) -> Entries:
    """classes: the folders that there are, with or without images."""
    counts = dict(classes)
    found, others = [], []
    for name, load in loads.items():
        parts = PurePosixPath(name).parts
        if not _is_image(name) or (needs_label and len(parts) < 2):
            others.append(name)
        else:
            label = parts[0] if len(parts) > 1 else ""
            counts[label] = counts.get(label, 0) + 1
            found.append(Entry(name, label, str(path / name), load))
    faults = [
        DataFault(
            "DATA-EMPTY",
            place=str(path / name),
            found=_("no image in this folder"),
            why=_("each folder is a class, and a class without images cannot be learnt"),
            next_step=_("put images into it, or remove the folder"),
        )
        for name, count in counts.items()
        if needs_label and not count
    ]
    if not found and not faults:
        faults = [_nothing(path, needs_label)]
    if faults:
        raise ManyDataFaults(faults)
    notes = []
    if others:
        notes.append(
            _("{count:,} files are no images of a class and were not read: {names}").format(
                count=len(others), names=", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            )
        )
    return Entries(path, tuple(found), tuple(notes))


def _nothing(path: Path, needs_label: bool) -> DataFault:
    return no_images(
        path,
        _("each class needs a folder of its own with images in it")
        if needs_label
        else _("there is nothing to answer"),
    )


def no_images(path: Path, why: str) -> DataFault:
    """DATA-EMPTY: there is not one image below ``path``."""
    return DataFault(
        "DATA-EMPTY",
        place=str(path),
        found=_("no image ({endings})").format(endings=", ".join(sorted(ENDINGS))),
        why=why,
        next_step=_("give the folder that holds the images"),
    )


def file_entries(paths: Sequence[Path]) -> Entries:
    """Single image files without labels."""
    found = [Entry(one.name, "", str(one), partial(read_bytes, one)) for one in paths]
    return Entries(paths[0], tuple(found))


def listed_rows(
    path: Path, needed: Sequence[str], findings: Findings
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells, by their columns' names, of each row of a list. A fault in ``findings`` for
    each needed cell that is empty, and for a cell that runs over several lines.

    Raises ManyDataFaults where a needed column is missing.
    """
    text = read_text(path, findings).text
    rows = records(text, "\t" if path.suffix.lower() == ".tsv" else ",", findings)
    head = [cell.strip() for cell in next((row for _line, row in rows if row), [])]
    for name in needed:
        if name not in head:
            findings.missing_column(name, head, role=name)
    findings.stop()
    for line, row in rows:
        if not row:
            continue
        if any("\n" in cell for cell in row):
            findings.fault(
                "DATA-FORMAT", line=line, found=shown(",".join(row), 80),
                why=_("a quoted cell that begins here does not end"),
                next_step=_("close the quotes in this line"),
            )  # fmt: skip
            continue
        cells = dict(zip(head, (cell.strip() for cell in row), strict=False))
        for name in needed:
            if not cells.get(name):
                findings.fault(
                    "DATA-NAN", line=line, column=name, found=repr(",".join(row)),
                    why=_("the cell is empty"), next_step=_("write it, or take the line out"),
                )  # fmt: skip
        yield line, cells


def csv_entries(path: Path, *, needs_label: bool) -> Entries:
    """Columns ``path`` and ``label`` under a head line; paths are taken from the CSV's folder.

    Raises ManyDataFaults: DATA-MISSING-COLUMN, DATA-NAN for an empty cell, DATA-NOT-FOUND, and
    DATA-FORMAT for quotes that are not closed.
    """
    findings = Findings(path)
    found = []
    for line, cells in listed_rows(path, ("path", "label") if needs_label else ("path",), findings):
        where = path.parent / cells.get("path", "")
        if cells.get("path") and not where.is_file():
            findings.fault(
                "DATA-NOT-FOUND", line=line, column="path", found=cells["path"],
                why=_("no such file below {folder}").format(folder=path.parent),
                next_step=_("mend the path; it is taken from the folder of the CSV"),
            )  # fmt: skip
        found.append(
            Entry(cells.get("path", ""), cells.get("label", ""), f"{path}:{line}: {where}",
                  partial(read_bytes, where))
        )  # fmt: skip
    findings.stop()
    if not found:
        raise _nothing(path, needs_label)
    return Entries(path, tuple(found), tuple(findings.notes))
