"""The files of a folder or of an archive, by name, whichever of the two it is."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from shinso.data.text import read_bytes
from shinso.faults import DataFault
from shinso.language import _

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip")
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, OSError, EOFError)


@dataclass(frozen=True, eq=False)
class FileTree:
    """loads: what reads each file, by its name below ``path`` with slashes; in alphabetical order,
    what file managers leave behind left out. An archive is read whole, never unpacked."""

    path: Path
    loads: Mapping[str, Callable[[], bytes]]

    def place(self, name: str) -> str:
        """How a file in it is called in a fault."""
        return str(self.path / name)

    def ending(self, *endings: str) -> list[str]:
        """Names that end so, in any case."""
        return [one for one in self.loads if one.lower().endswith(endings)]


def file_tree(path: Path) -> FileTree:
    """Raises DataFault DATA-NOT-FOUND, and DATA-FORMAT for a damaged archive or a single file."""
    if not path.exists():
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(path),
            found=_("no such file or folder"),
            next_step=_("check the path; it is taken from the folder you are in"),
        )
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        loads = {one.relative_to(path).as_posix(): partial(read_bytes, one) for one in files}
    elif path.name.lower().endswith(ARCHIVES):
        contents = _archive(path)
        loads = {name: partial(_kept, contents[name]) for name in sorted(contents)}
    else:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=_("neither a folder nor an archive"),
            why=_("images and what is in them lie beside each other"),
            next_step=_("give the folder, or an archive of it: {endings}").format(
                endings=", ".join(ARCHIVES)
            ),
        )
    return FileTree(path, {name: load for name, load in loads.items() if not _hidden(name)})


def _kept(content: bytes) -> bytes:
    return content


def _hidden(name: str) -> bool:
    last = PurePosixPath(name).name
    return last.startswith(".") or "__MACOSX" in name or last.lower() == "thumbs.db"


def _archive(path: Path) -> dict[str, bytes]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return {o.filename: archive.read(o) for o in archive.infolist() if not o.is_dir()}
        with tarfile.open(path, "r:*") as archive:
            found = {member.name: archive.extractfile(member) for member in archive}
            return {name: file.read() for name, file in found.items() if file}
    except DAMAGED as error:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=f"{type(error).__name__}: {error}",
            why=_("the archive is damaged"),
            next_step=_("bring a whole copy of the file"),
        ) from error
