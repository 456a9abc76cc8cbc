"""A text file's content with its encoding found out and said; compressed or not."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from shinso.data.findings import Findings
from shinso.data.limits import limits, too_large
from shinso.faults import DataFault
from shinso.language import Text, _

GZIP = b"\x1f\x8b"
# First bytes of files that people mistake for text tables.
NOT_TEXT = {
    b"PK\x03\x04": Text("an Excel workbook or a zip archive", "Excel ブックか zip 書庫"),
    b"\xd0\xcf\x11\xe0": Text("an old Excel workbook", "古い形式の Excel ブック"),
    b"%PDF": Text("a PDF", "PDF"),
    b"PAR1": Text("a Parquet file", "Parquet ファイル"),
    b"\xfd7zXZ\x00": Text("an xz archive", "xz 書庫"),
    b"BZh": Text("a bzip2 archive", "bzip2 書庫"),
}


def read_bytes(path: Path) -> bytes:
    """What the file holds, as stored. DataFault DATA-NOT-FOUND, or DATA-FORMAT for a folder."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        near = sorted(path.parent.glob(path.stem[:4] + "*")) if path.parent.is_dir() else []
        offer = _("did you mean {name}?").format(name=near[0]) if near and path.stem else ""
        raise DataFault(
            "DATA-NOT-FOUND",
            place=str(path),
            found=_("no such file"),
            next_step=offer or _("check the path; it is taken from the folder you are in"),
        ) from error
    except OSError as error:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=error.strerror or str(error),
            why=_("a readable file is needed here"),
            next_step=_("give the path of one file that you may read"),
        ) from error


def first_bytes(path: Path, count: int = 200) -> bytes:
    """How a file begins, without its gzip cover."""
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            file.seek(0)
            return file.read(count)
    with gzip.open(path) as file:
        try:
            return file.read(count)
        except (EOFError, OSError, zlib.error):
            return b""  # whoever reads the whole file finds fault with it


def sha256_of(raw: bytes) -> str:
    """Which data it was, for the run folder's ``data.json``."""
    return hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True)
class FileText:
    """A text file's content, whose line ends are all ``\\n``.

    encoding: as Python calls it. sha256: of the file as stored, compressed or not.
    """

    text: str
    encoding: str
    sha256: str


def read_text(path: Path, findings: Findings) -> FileText:
    """The content of a text file, gzipped or not.

    UTF-8 with or without a byte-order mark, UTF-16 with one, or cp932 (what Japanese Windows
    calls ANSI), found out and named in a note.

    Raises DataFault DATA-NOT-FOUND, DATA-FORMAT, DATA-ENCODING or DATA-EMPTY.
    """
    raw = read_bytes(path)
    text, encoding = decode(unpacked(raw, path), path, findings)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataFault(
            "DATA-EMPTY",
            place=str(path),
            found=_("the file holds no text"),
            why=_("there is nothing to work on"),
            next_step=_("check that the right file was saved"),
        )
    return FileText(text, encoding, sha256_of(raw))


def unpacked(raw: bytes, path: Path) -> bytes:
    """``raw`` without its gzip cover, known by its first bytes and not by the file's name.

    Raises DataFault DATA-FORMAT, and DATA-TOO-LARGE beyond ``limits().most_bytes``.
    """
    if not raw.startswith(GZIP):
        return raw
    try:
        return _unzipped(raw, path)
    except (EOFError, OSError, zlib.error) as error:
        raise DataFault(
            "DATA-FORMAT",
            place=str(path),
            found=str(error),
            why=_("the compressed file is damaged or cut off"),
            next_step=_("copy or download the file again"),
        ) from error


def _unzipped(raw: bytes, path: Path) -> bytes:
    """As gzip.decompress does, but no more than is allowed."""
    left = limits().most_bytes
    parts = []
    while raw:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        parts.append(member.decompress(raw, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise too_large(path)
        if not member.eof:
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")
        raw = member.unused_data.lstrip(b"\0")  # what fills up the last block of a tape
    return b"".join(parts)


def decode(content: bytes, path: Path, findings: Findings, lines: int = 0) -> tuple[str, str]:
    """The text in ``content`` and its encoding, noted in ``findings`` where it is not UTF-8.

    lines: of the file before ``content``, where that is a piece of a longer one.
    """
    for start, kind in NOT_TEXT.items():
        if content.startswith(start):
            raise _not_text(path, _("the file is {kind}").format(kind=kind))
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\x00" in content and not wide:
        line = lines + content.count(b"\n", 0, content.index(b"\x00")) + 1
        raise _not_text(path, _("a zero byte in line {line}").format(line=line))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        if not wide and _mostly_utf8(content):
            raise broken_line(error.object, error.start, path, lines) from error
        text = "" if wide else _as_cp932(content)
        if not text:
            # A byte-order mark is cut off before decoding, so the place is counted after it.
            raise encoding_fault(error.object, error.start, path, lines) from error
        findings.note(_("{path} is not UTF-8; it is read as cp932").format(path=path))
        return text, "cp932"
    if wide:
        findings.note(_("{path} is read as UTF-16").format(path=path))
    return text, "utf-16" if wide else "utf-8"


def _mostly_utf8(content: bytes) -> bool:
    """Whether of the lines that tell (ASCII reads alike in both) more are UTF-8 than are not."""
    told = [line for line in content.split(b"\n") if not line.isascii()]
    return sum(_is_utf8(line) for line in told) > len(told) / 2


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _as_cp932(content: bytes) -> str:
    """The text if it is Japanese in cp932, else nothing.

    Nearly any Latin-1 text decodes as cp932 without an error: an accented letter swallows the
    letter after it and becomes a lone sign inside a word. Japanese words stand by themselves.
    """
    try:
        text = content.decode("cp932")
    except UnicodeDecodeError:
        return ""
    # Python gives a sign to the bytes 80, A0 and FD to FF, too, to which Japanese Windows gives none.
    if re.search("[\x80\uf8f0-\uf8f3]", text):
        return ""
    foreign = len(re.findall(r"[^\x00-\x7f]", text))
    inside_words = len(re.findall(r"(?<=[A-Za-z])[^\x00-\x7f]|[^\x00-\x7f](?=[A-Za-z])", text))
    return text if inside_words <= foreign / 2 else ""


def encoding_fault(content: bytes, at: int, path: Path, lines: int = 0) -> DataFault:
    """A byte of a file whose encoding is not known. lines: before ``content``."""
    place, found = _at_byte(content, at, path, lines)
    step = _("save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path} > utf8_{name}")
    return DataFault(
        "DATA-ENCODING",
        place=place,
        found=found,
        why=_("the file is neither UTF-8 nor cp932, so its letters would be guessed"),
        next_step=step.format(path=path, name=path.name),
    )


def broken_line(content: bytes, at: int, path: Path, lines: int = 0) -> DataFault:
    """A byte that is none of UTF-8 in a file that otherwise is. lines: before ``content``."""
    place, found = _at_byte(content, at, path, lines)
    return DataFault(
        "DATA-ENCODING",
        place=place,
        found=found,
        why=_("most lines with such letters are UTF-8, so this one is broken"),
        next_step=_("write the line anew and save the file as UTF-8"),
    )


def _at_byte(content: bytes, at: int, path: Path, lines: int) -> tuple[str, str]:
    """Where a byte stands, and the byte with the beginning of its line."""
    line = lines + content.count(b"\n", 0, at) + 1
    around = content[content.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0][:40]
    found = _("byte 0x{byte:02x} in {around}").format(
        byte=content[at], around=repr(around.decode("utf-8", errors="replace"))
    )
    return f"{path}:{line}", found


def _not_text(path: Path, found: str) -> DataFault:
    return DataFault(
        "DATA-FORMAT",
        place=str(path),
        found=found,
        why=_("a text file is needed here"),
        next_step=_("save it as plain text, a table as CSV (UTF-8), and give that file"),
    )
