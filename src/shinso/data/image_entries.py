"""Where images lie and how they are labelled: folders, archives, lists; nothing is decoded here."""

from __future__ import annotations

import csv
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from shinso.data.findings import Findings
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


def _is_hidden(name: str) -> bool:
    """What file managers leave behind; nobody misses it."""
    last = PurePosixPath(name).name
    return last.startswith((".", "__MACOSX")) or last.lower() in ("thumbs.db", "desktop.ini")


def folder_entries(path: Path, *, needs_label: bool) -> Entries:
    """A folder per class; without labels needed, images anywhere below.

    Raises ManyDataFaults DATA-EMPTY for each class folder without an image.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file() and not _is_hidden(one.name))
    names = {one.relative_to(path).as_posix(): one for one in files}
    classes = {
        one.name: 0 for one in sorted(path.iterdir()) if one.is_dir() and not _is_hidden(one.name)
    }
    loads = {name: partial(read_bytes, one) for name, one in names.items()}
    return _by_folder(path, loads, classes, needs_label=needs_label)


def archive_entries(path: Path, *, needs_label: bool) -> Entries:
    """The same from a tar (however compressed) or zip archive; it is read whole, not unpacked."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                folders = [one.filename for one in archive.infolist() if one.is_dir()]
                contents = {
                    one.filename: archive.read(one)
                    for one in archive.infolist()
                    if not one.is_dir()
                }
        else:
            with tarfile.open(path, "r:*") as archive:
                folders, contents = [], {}
                for member in archive:
                    if member.isdir():
                        folders.append(member.name)
                    elif file := archive.extractfile(member):
                        contents[member.name] = file.read()
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
        OSError,
        EOFError,
    ) as e:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=f"{type(e).__name__}: {e}",
            why=_("the archive is damaged"),
            next_step=_("bring a whole copy of the file"),
        ) from e
    kept = {name: content for name, content in contents.items() if not _is_hidden(name)}
    root = _root(list(kept))
    inside = {name.removeprefix(root): content for name, content in sorted(kept.items())}
    below = [one.strip("/") for one in folders if (one.strip("/") + "/").startswith(root)]
    classes = [one.removeprefix(root) for one in below if one + "/" != root]
    top = {one: 0 for one in sorted(classes) if one and "/" not in one}
    loads = {name: partial(_kept, content) for name, content in inside.items()}
    return _by_folder(path, loads, top, needs_label=needs_label)


def _kept(content: bytes) -> bytes:
    return content


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


def csv_entries(path: Path, *, needs_label: bool) -> Entries:
    """Columns ``path`` and ``label`` under a head line; paths are taken from the CSV's folder.

    Raises ManyDataFaults: DATA-MISSING-COLUMN, DATA-NAN for an empty cell, DATA-NOT-FOUND.
    """
    findings = Findings(path)
    text = read_text(path, findings).text
    rows = csv.reader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",")
    head = [cell.strip() for cell in next(rows, [])]
    needed = ("path", "label") if needs_label else ("path",)
    for name in needed:
        if name not in head:
            findings.missing_column(name, head, role=name)
    findings.stop()
    found = []
    for row in rows:
        if not row:
            continue
        cells = dict(zip(head, (cell.strip() for cell in row), strict=False))
        line = rows.line_num
        for name in needed:
            if not cells.get(name):
                findings.fault(
                    "DATA-NAN", line=line, column=name, found=repr(",".join(row)),
                    why=_("the cell is empty"), next_step=_("write it, or take the line out"),
                )  # fmt: skip
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
