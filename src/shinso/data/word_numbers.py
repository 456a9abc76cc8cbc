"""A text of any length as numbers of words, read once in pieces; the words found on the way.

The numbers go to a file of their own where a memory map reads them, so that a text larger than
memory can be learnt from. What grows with the text in memory is its number of different words.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import Int, Int32, UInt8

from shinso.data.findings import Findings
from shinso.data.text import GZIP, broken_line, decode, encoding_fault
from shinso.faults import DataFault
from shinso.language import _

Tokens = Literal["words", "spaces"]
XZ = b"\xfd7zXZ\x00"
PIECE = 1 << 24  # bytes read at a time
LONGEST_LINE = 1 << 26  # bytes without a line end after which a piece is cut at a space
LINE_END = -1


class TextPieces:
    """The text of a file, plain, gzip or xz, in pieces that end at a line's end where they can.

    UTF-8, or cp932 if that is what the first letters beyond ASCII say. After the last piece
    ``sha256`` is that of the file as stored and ``notes`` says what was noticed.

    Iterating raises DataFault DATA-NOT-FOUND, DATA-FORMAT, DATA-ENCODING, or DATA-EMPTY.
    """

    def __init__(self, path: Path, piece: int = PIECE) -> None:
        self.path, self.piece = path, piece
        self.sha256 = ""
        self.notes: list[str] = []
        self.encoding = "utf-8"

    def __iter__(self) -> Iterator[str]:
        findings = Findings(self.path)
        lines, ascii_only, empty = 0, True, True
        for number, raw in enumerate(self._cut()):
            if number == 0 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise self._wide_fault()
            content = raw.removeprefix(codecs.BOM_UTF8) if number == 0 else raw
            try:
                text = content.decode(self.encoding)
                if self.encoding == "utf-8" and ascii_only and b"\x00" in content:
                    decode(content, self.path, findings, lines)  # raises with the reason
            except UnicodeDecodeError as error:
                if not ascii_only:  # what the encoding is was seen before, so a line is broken
                    fault = encoding_fault if self.encoding == "cp932" else broken_line
                    raise fault(content, error.start, self.path, lines) from error
                text, self.encoding = decode(content, self.path, findings, lines)
                self.notes = findings.notes
            ascii_only = ascii_only and text.isascii()
            lines += content.count(b"\n")
            empty = empty and not text.strip()
            yield text
        if empty:
            raise DataFault(
                "DATA-EMPTY",
                place=str(self.path),
                found=_("the file holds no text"),
                why=_("there is nothing to learn from"),
                next_step=_("check that the right file was saved"),
            )

    def _cut(self) -> Iterator[bytes]:
        """Bytes up to a line's end, or up to a space where a line has none for very long."""
        waiting: list[bytes] = []
        length = 0
        for raw in self._unpacked():
            waiting.append(raw)
            length += len(raw)
            end = raw.rfind(b"\n") + 1
            if not end and length > LONGEST_LINE:
                end = raw.rfind(b" ") + 1
            if end:
                yield b"".join([*waiting[:-1], raw[:end]])
                waiting = [raw[end:]]
                length = len(raw) - end
        if length:
            yield b"".join(waiting)

    def _unpacked(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as stored:
                digest = _Digest(stored)
                start = stored.read(6)
                stored.seek(0)
                opened = (
                    gzip.GzipFile(fileobj=digest) if start.startswith(GZIP)  # pyright: ignore[reportArgumentType]
                    else lzma.LZMAFile(digest) if start == XZ  # noqa: SIM115  # pyright: ignore[reportArgumentType]
                    else digest
                )  # fmt: skip
                while raw := opened.read(self.piece):
                    yield raw
                digest.finish()
                self.sha256 = digest.hexdigest()
        except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
            raise DataFault(
                "DATA-FORMAT",
                place=str(self.path),
                found=str(error),
                why=_("the compressed file is damaged or cut off"),
                next_step=_("copy or download the file again"),
            ) from error
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            raise DataFault(
                "DATA-NOT-FOUND" if missing else "DATA-FORMAT",
                place=str(self.path),
                found=error.strerror or str(error),
                why=_("a readable file is needed here"),
                next_step=_("give the path of one file that you may read"),
            ) from error

    def _wide_fault(self) -> DataFault:
        step = _("save it as UTF-8, for example: iconv -f utf-16 -t utf-8 {path} > utf8_{name}")
        return DataFault(
            "DATA-ENCODING",
            place=str(self.path),
            found=_("the file is UTF-16"),
            why=_("a text of any length is read in pieces, and these end at bytes"),
            next_step=step.format(path=self.path, name=self.path.name),
        )


class _Digest:
    """A file as it is read, hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        raw = self.file.read(size)
        self.hash.update(raw)
        return raw

    def finish(self) -> None:
        while self.read(1 << 20):
            pass

    def hexdigest(self) -> str:
        return self.hash.hexdigest()

    def seekable(self) -> bool:
        return False


class WordNumbers:
    """Words get numbers in the order in which they are first seen.

    tokens: "words" are runs of letters, digits and inner apostrophes, lower-cased if asked for;
    "spaces" takes what stands between blanks as it is (text that is tokenized already).
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        lower: bool,
        known: Sequence[str] | None = None,
        grows: bool = False,
    ) -> None:
        """known: words with the numbers 0, 1 …; others are then left out, or follow where it
        ``grows``."""
        from shinso.nn.kernels import words_numba

        self._kernels = words_numba
        self.tokens, self.lower = tokens, lower
        self._kinds = _byte_kinds(tokens)
        self._table = np.zeros(1 << 16, dtype=np.int32)
        self._hashes = np.zeros(1 << 14, dtype=np.uint64)
        self._starts = np.zeros(1 << 14, dtype=np.int64)
        self._spelled = np.zeros(1 << 18, dtype=np.uint8)
        self._state = np.zeros(4, dtype=np.int64)
        self._adds = True
        if known is not None:
            self._kinds = _byte_kinds("spaces")
            for begin in range(0, len(known), 100_000):
                self._numbers("\n".join(known[begin : begin + 100_000]))
            if len(self) != len(known):
                raise ValueError(f"{len(known) - len(self)} of the known words are not words")
            self._kinds = _byte_kinds(tokens)
            self._adds = grows

    def __len__(self) -> int:
        return int(self._state[self._kernels.WORDS])

    def words(self) -> list[str]:
        """All words by number."""
        whole = self._spelled[: self._state[self._kernels.USED]].tobytes()
        starts = self._starts[: len(self) + 1].tolist()
        return [whole[a:b].decode("utf-8") for a, b in pairwise(starts)]

    def of(self, text: str) -> Int32[np.ndarray, " token"]:
        """Numbers of a text's words, LINE_END at each line's end."""
        if self.lower:
            text = text.lower()
        if self.tokens == "words" and not text.isascii():
            text = re.sub(r"[^\w\x00-\x7f]+", " ", text)
        elif not text.isascii():
            text = re.sub(r"[^\S\x00-\x7f]+", " ", text)
        return self._numbers(text)

    def _numbers(self, text: str) -> Int32[np.ndarray, " token"]:
        content: UInt8[np.ndarray, " byte"] = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
        out = np.empty(len(content) + 1, dtype=np.int32)
        kernels, state = self._kernels, self._state
        state[kernels.POSITION] = state[kernels.FOUND] = 0
        while not kernels.number_words(
            content, self._kinds, self._table, self._hashes, self._starts, self._spelled,
            state, out, self._adds,
        ):  # fmt: skip
            self._grow(len(content))
        return out[: state[kernels.FOUND]]

    def _grow(self, text_bytes: int) -> None:
        kernels, count = self._kernels, len(self)
        if count + 2 >= len(self._starts):
            self._starts = np.concatenate([self._starts, np.zeros_like(self._starts)])
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        if 2 * (count + 2) >= len(self._table):
            self._table = np.zeros(2 * len(self._table), dtype=np.int32)
            kernels.fill_table(self._table, self._hashes, count)
        # The word that found no room may be as long as the text itself.
        if self._state[kernels.USED] + text_bytes > len(self._spelled):
            more = np.zeros(max(len(self._spelled), text_bytes), dtype=np.uint8)
            self._spelled = np.concatenate([self._spelled, more])


def _byte_kinds(tokens: Tokens) -> UInt8[np.ndarray, " 256"]:
    from shinso.nn.kernels import words_numba as kernels

    kinds = np.full(256, kernels.LETTER, dtype=np.uint8)
    kinds[:33] = kinds[127] = kernels.SEPARATOR
    if tokens == "words":
        for byte in range(33, 127):
            if not chr(byte).isalnum():
                kinds[byte] = kernels.SEPARATOR
        kinds[ord("_")] = kernels.LETTER
        kinds[ord("'")] = kernels.INNER
    kinds[ord("\n")] = kernels.LINE_END
    return kinds


def numbers_on_disk(
    texts: Iterator[str], numbers_of: Callable[[str], Int32[np.ndarray, " token"]]
) -> Int[np.ndarray, " token"]:
    """The numbers of all pieces of text as a memory map of a file without a name.

    The file is gone when the process ends, however it ends. Each text ends a line.
    """
    with tempfile.TemporaryFile(prefix="shinso-words-") as file:
        count = 0
        for text in texts:
            numbers = numbers_of(text)
            if not len(numbers) or numbers[-1] != LINE_END:
                numbers = np.append(numbers, np.int32(LINE_END))
            file.write(numbers.tobytes())
            count += len(numbers)
        file.flush()
        return np.memmap(file, dtype=np.int32, mode="r+", shape=(count,))
