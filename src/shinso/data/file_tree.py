"""The files of a folder or of an archive, by name, whichever of the two it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shinso.data.archives import ARCHIVES, every, hidden, is_archive, read_archive
from shinso.data.findings import Findings
from shinso.data.text import decode, read_bytes
from shinso.faults import DataFault
from shinso.language import _


@dataclass(frozen=True, eq=False)
class FileTree:
    """loads: what reads each file, by its name below ``path`` with slashes; in alphabetical order,
    what file managers leave behind left out. folders: those below, with or without files. An
    archive is read whole, never unpacked."""

    path: Path
    loads: Mapping[str, Callable[[], bytes]]
    folders: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """How a file in it is called in a fault."""
        return str(self.path / name)

    def ending(self, *endings: str) -> list[str]:
        """Names that end so, in any case."""
        return [one for one in self.loads if one.lower().endswith(endings)]


def file_tree(path: Path, wanted: Callable[[str], bool] = every) -> FileTree:
    """wanted: of which files, by their names, others being left out.

    Raises DataFault DATA-NOT-FOUND, DATA-FORMAT for a damaged archive or a single file, and
    DATA-TOO-LARGE for an archive."""
    if not path.exists():
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(path),
            found=_("no such file or folder"),
            next_step=_("check the path; it is taken from the folder you are in"),
        )
    if path.is_dir():
        below = [(one.relative_to(path).as_posix(), one) for one in sorted(path.rglob("*"))]
        seen = [(name, one) for name, one in below if not hidden(name)]
        loads = {
            name: partial(read_bytes, one) for name, one in seen if wanted(name) and one.is_file()
        }
        folders = tuple(name for name, one in seen if name not in loads and one.is_dir())
    elif is_archive(path):
        archive = read_archive(path, wanted)
        loads = {name: partial(_kept, content) for name, content in archive.files.items()}
        folders = archive.folders
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
    return FileTree(path, loads, folders)


def _kept(content: bytes) -> bytes:
    return content


def decoded(tree: FileTree, name: str, notes: list[str]) -> str:
    """The text of a file in it. notes: to which it is added where the encoding had to be found out.

    Raises DataFault DATA-ENCODING, DATA-FORMAT."""
    findings = Findings(Path(tree.place(name)))
    text = decode(tree.loads[name](), findings.path, findings)[0]
    notes += findings.notes
    return text
