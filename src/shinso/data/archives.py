"""Archives of files: zip, or tar however compressed; read whole into memory, never unpacked to disk.

``tarfile`` takes a damaged header, and the end of a file that was cut off between two members, for
the end of the archive, so that samples are lost without a word. Here a tar must end as tars do, and
a compressed one is read to its end, where its checksum stands.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from shinso.data.limits import limits, too_large
from shinso.faults import DataFault
from shinso.language import _

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip")
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
COMPRESSED: tuple[tuple[bytes, Callable[[io.BufferedReader], io.BufferedIOBase]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x5d\x00\x00", lzma.LZMAFile),
    (b"BZh", bz2.BZ2File),
)
END_BYTES = 2 * tarfile.BLOCKSIZE
PIECE_BYTES = 1 << 20
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    KeyError,  # a link to what is not there
    RuntimeError,  # a password, a kind of compression that is not known, links in a circle
)
LEFT_BEHIND = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True, eq=False)
class Archive:
    """files: what each holds, in the order of their names. folders: those that are listed, with or
    without files. What file managers leave behind is in neither."""

    files: dict[str, bytes]
    folders: tuple[str, ...]


def is_archive(path: Path) -> bool:
    """Whether a file's name says that it is one."""
    return path.name.lower().endswith(ARCHIVES)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is what file managers and editors leave behind, or
    lies in such a folder; nobody misses it."""
    return any(
        (one.startswith(".") and one not in (".", ".."))
        or one == "__MACOSX"
        or one.lower() in LEFT_BEHIND
        for one in name.split("/")
    )


def every(_name: str) -> bool:
    """Wants every file."""
    return True


def read_archive(path: Path, wanted: Callable[[str], bool] = every) -> Archive:
    """wanted: of which files the content is read, by their names.

    Raises DataFault DATA-FORMAT where the archive is damaged, cut off or locked, with the last file
    that is whole, and DATA-TOO-LARGE.
    """
    found = _Found(path, wanted)
    try:
        with path.open("rb") as file:
            begin = file.read(6)
            file.seek(0)
            if begin.startswith(ZIP):
                found.take_zip(file)
            else:
                opens = next((one for start, one in COMPRESSED if begin.startswith(start)), None)
                found.take_tar(_Measured(opens(file), path) if opens else file)
    except DAMAGED as error:
        raise found.damaged(f"{type(error).__name__}: {error}") from error
    files = {name: found.files[name] for name in sorted(found.files)}
    return Archive(files, tuple(sorted(found.folders)))


@dataclass
class _Found:
    """What is read so far. whole: the last file of which nothing is missing."""

    path: Path
    wanted: Callable[[str], bool]
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    whole: str = ""
    left_bytes: int = field(default_factory=lambda: limits().most_bytes)

    def take_zip(self, file: io.BufferedIOBase) -> None:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            # Reading gives no more than is announced here.
            if sum(one.file_size for one in members) > self.left_bytes:
                raise too_large(self.path)
            for member in members:
                if member.is_dir():
                    self._folder(member.filename)
                elif name := self._name(member.filename):
                    self.files[name] = archive.read(member)
                    self.whole = name

    def take_tar(self, stream: io.BufferedIOBase) -> None:
        offset = -1
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if member.offset <= offset:  # a negative length leads back
                    raise tarfile.ReadError("a member of negative length")
                offset = member.offset
                if member.isdir():
                    self._folder(member.name)
                elif name := self._name(member.name):
                    self._member(archive, member, name)
            offset = archive.offset
        stream.seek(offset)
        end = stream.read(END_BYTES)
        if len(end) < END_BYTES or any(end):
            raise self.damaged(_("the archive's end is missing"))
        while piece := stream.read(PIECE_BYTES):
            if piece.strip(b"\0"):
                raise self.damaged(_("something stands behind the archive's end"))

    def _member(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> None:
        file = archive.extractfile(member)
        if file is None:  # a device, a link to a folder
            return
        size = member.size
        if not member.isreg():  # a link has none of its own
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
        # Links and holes can make much of a short stream.
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise too_large(self.path)
        self.files[name] = file.read()
        self.whole = name

    def _folder(self, name: str) -> None:
        name = name.removeprefix("./").strip("/")
        if name not in ("", ".") and not hidden(name):
            self.folders.add(name)

    def _name(self, name: str) -> str:
        """How the file is called here; nothing where it is not wanted."""
        name = name.removeprefix("./")
        return name if not hidden(name) and self.wanted(name) else ""

    def damaged(self, found: str) -> DataFault:
        if self.whole:
            found += _("; the last whole file is {name}").format(name=self.whole)
        return DataFault(
            "DATA-FORMAT",
            place=str(self.path),
            found=found,
            why=_("the archive is damaged or cut off"),
            next_step=_("bring a whole copy of the file"),
        )


class _Measured(io.BufferedIOBase):
    """An unpacked stream that raises DataFault DATA-TOO-LARGE where it is longer than it may be."""

    def __init__(self, stream: io.BufferedIOBase, path: Path) -> None:
        self.stream, self.path, self.most = stream, path, limits().most_bytes
        self.place = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def read(self, size: int | None = -1, /) -> bytes:
        most = self.most + 1
        content = self.stream.read(most if size is None or size < 0 else min(size, most))
        self.place += len(content)
        if self.place > self.most:
            raise too_large(self.path)
        return content

    def seek(self, place: int, whence: int = 0, /) -> int:
        if place > self.most:
            raise too_large(self.path)
        self.place = self.stream.seek(place, whence)
        return self.place
