"""Words with a vector each: neighbours, analogies, and word2vec's two file formats.

A file begins with a line of two numbers, words and dimensions. In the text format a line follows
for each word, its numbers in decimals; in the binary format each word is followed by a blank and its
numbers as little-endian float32. gensim, spaCy and the tools of Mikolov et al. read and write both.
"""

from __future__ import annotations

import difflib
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from shinso.data.text import read_bytes, unpacked
from shinso.faults import DataFault, UsageFault
from shinso.language import _

LONGEST_WORD = 10_000  # bytes in a binary file after which it is no such file
ROOM = 1 << 20  # numbers of a table that fits anywhere
PEEK = 100_000  # bytes that tell a text from what is none


@dataclass(frozen=True)
class WordVectors:
    """words: each once. vectors: a row each."""

    words: tuple[str, ...]
    vectors: Float32[np.ndarray, "word dim"]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def number(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    @cached_property
    def folded(self) -> dict[str, int]:
        """Numbers by the word in small letters; of words that differ in capitals alone the first,
        which is the commonest one where they are sorted so."""
        return {word.lower(): place for place, word in reversed(list(enumerate(self.words)))}

    @cached_property
    def unit(self) -> Float32[np.ndarray, "word dim"]:
        """Vectors of length 1; those of length 0 stay."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.where(lengths == 0, 1, lengths)

    def place(self, word: str) -> int:
        """The word's number; UsageFault WORD-UNKNOWN with the words spelled most like it."""
        if word in self.number:
            return self.number[word]
        near = difflib.get_close_matches(word.lower(), self.words[:50_000], n=3, cutoff=0.7)
        raise UsageFault(
            "WORD-UNKNOWN",
            place=word,
            found=_("the vocabulary of {count:,} words lacks it").format(count=len(self)),
            why=_("it did not occur often enough in the text that was learnt from"),
            next_step=_("did you mean {near}?").format(near=", ".join(near))
            if near
            else _("ask for another word, or train with more text or a smaller --min-count"),
        )

    def similarity(self, one: str, other: str) -> float:
        """Cosine of two words' vectors."""
        return float(self.unit[self.place(one)] @ self.unit[self.place(other)])

    def neighbours(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The nearest words by cosine, the word itself left out."""
        place = self.place(word)
        return self._nearest(self.unit[place], {place}, count)

    def analogy(self, a: str, b: str, c: str, count: int = 5) -> list[tuple[str, float]]:
        """d in "a is to b as c is to d": nearest to b − a + c, the three left out (3CosAdd: Mikolov
        et al. 2013c; each vector is first brought to length 1, as in their program)."""
        places = [self.place(word) for word in (a, b, c)]
        wanted = self.unit[places[1]] - self.unit[places[0]] + self.unit[places[2]]
        return self._nearest(wanted / max(np.linalg.norm(wanted), 1e-12), set(places), count)

    def _nearest(
        self, vector: Float[np.ndarray, " dim"], without: set[int], count: int
    ) -> list[tuple[str, float]]:
        cosines = self.unit @ vector
        cosines[list(without)] = -np.inf
        count = min(count, len(self) - len(without))
        some = np.argpartition(-cosines, max(count - 1, 0))[:count]
        best = some[np.argsort(-cosines[some], kind="stable")]
        return [(self.words[i], float(cosines[i])) for i in best]


def write_vectors(vectors: WordVectors, path: Path, *, binary: bool) -> None:
    """Write the file beside its place and rename it. Text keeps every bit of the numbers."""
    from shinso.runs.files import write_atomically

    out = io.BytesIO()
    dim = vectors.vectors.shape[1]
    out.write(f"{len(vectors)} {dim}\n".encode())
    for word, row in zip(vectors.words, vectors.vectors, strict=True):
        if binary:
            out.write(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n")
        else:
            numbers = " ".join(np.format_float_scientific(x, trim="-") for x in row)
            out.write(f"{word} {numbers}\n".encode())
    write_atomically(path, out.getvalue())


def read_vectors(path: Path) -> WordVectors:
    """Read either format, gzipped or not, found out from what stands after the first word.

    Raises DataFault DATA-NOT-FOUND, DATA-FORMAT, DATA-ENCODING or DATA-NAN with the line or word.
    """
    raw = unpacked(read_bytes(path), path)
    head, _line, rest = raw.partition(b"\n")
    try:
        count, dim = (int(part) for part in head.split())
        if count < 1 or dim < 1:
            raise ValueError
    except ValueError:
        raise _format_fault(path, 1, repr(head[:40].decode("utf-8", "replace"))) from None
    if count * dim > len(rest) + ROOM:  # no room is made for numbers that cannot be there
        found = _("{size:,} bytes follow; the first line says {head}")
        raise _format_fault(path, 1, found.format(size=len(rest), head=f"{count} {dim}"))
    words, vectors = _read_rows(path, rest, count, dim)
    twice = next((word for word, times in Counter(words).items() if times > 1), None)
    if twice is not None:
        raise _format_fault(
            path, 0, _("the word {word} stands there twice").format(word=twice),
            why=_("a word has one vector"), next_step=_("take one of the two out"),
        )  # fmt: skip
    strange = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(strange):
        raise DataFault(
            "DATA-NAN",
            place=_("{path}, word {row}").format(path=path, row=int(strange[0]) + 1),
            found=words[int(strange[0])],
            why=_("a number of its vector is endless or none at all, so nothing is near it"),
            next_step=_("take the word out, or write the file again"),
        )
    return WordVectors(tuple(words), vectors)


Rows = tuple[list[str], Float32[np.ndarray, "word dim"]]


def _read_rows(path: Path, rest: bytes, count: int, dim: int) -> Rows:
    fields = rest.split(b"\n", 1)[0].split()
    if _are_numbers(fields[-dim:] if len(fields) > dim else fields[1:]):
        return _read_lines(path, rest, count, dim)
    try:
        return _read_binary(path, rest, count, dim)
    except DataFault:
        # What is no binary file and holds nothing but letters is a text with a fault in it.
        if any(byte < 32 and byte not in b"\t\n\r" for byte in rest[:PEEK]):
            raise
        return _read_lines(path, rest, count, dim)


def _are_numbers(fields: Sequence[bytes]) -> bool:
    try:
        return len([float(field) for field in fields]) > 0
    except ValueError:
        return False


def _read_lines(path: Path, rest: bytes, count: int, dim: int) -> Rows:
    try:
        text = rest.decode("utf-8")
    except UnicodeDecodeError as error:
        line = rest.count(b"\n", 0, error.start)
        raise _encoding_fault(f"{path}:{line + 2}", rest.split(b"\n")[line]) from error
    words: list[str] = []
    vectors = np.empty((count, dim), dtype=np.float32)
    for line, content in enumerate(text.removesuffix("\n").split("\n"), 2):
        parts = content.rstrip(" \r").rsplit(" ", dim)
        if len(parts) != dim + 1 or len(words) == count:
            found = _("{columns} columns, {rows} words so far; the first line says {head}").format(
                columns=len(parts), rows=len(words), head=f"{count} {dim}"
            )
            raise _format_fault(path, line, found)
        try:
            vectors[len(words)] = [float(part) for part in parts[1:]]
        except ValueError as error:
            raise _format_fault(path, line, str(error)) from error
        words.append(parts[0])
    if len(words) != count:
        found = _("{rows} words; the first line says {head}").format(
            rows=len(words), head=f"{count} {dim}"
        )
        raise _format_fault(path, 0, found)
    return words, vectors


def _read_binary(path: Path, content: bytes, count: int, dim: int) -> Rows:
    words: list[str] = []
    at, size = 0, 4 * dim
    vectors = np.empty((count, dim), dtype=np.float32)
    for row in range(count):
        end = content.find(b" ", at, at + LONGEST_WORD)
        if end < 0 or end + 1 + size > len(content):
            found = _("the file ends within word {row} of {count}").format(row=row + 1, count=count)
            raise _format_fault(path, 0, found)
        word = content[at:end].lstrip(b"\n")
        try:
            words.append(word.decode("utf-8"))
        except UnicodeDecodeError as error:
            place = _("{path}, word {row}").format(path=path, row=row + 1)
            raise _encoding_fault(place, word) from error
        vectors[row] = np.frombuffer(content, dtype="<f4", count=dim, offset=end + 1)
        at = end + 1 + size
    if content[at:].strip():
        found = _("the file goes on behind its {count} words").format(count=count)
        raise _format_fault(path, 0, found)
    return words, vectors


def _encoding_fault(place: str, found: bytes) -> DataFault:
    return DataFault(
        "DATA-ENCODING",
        place=place,
        found=repr(found[:40]),
        why=_("words must be UTF-8"),
        next_step=_("write the file again with a tool that writes UTF-8"),
    )


def _format_fault(
    path: Path, line: int, found: str, *, why: str = "", next_step: str = ""
) -> DataFault:
    return DataFault(
        "DATA-FORMAT",
        place=f"{path}:{line}" if line else os.fspath(path),
        found=found,
        why=why or _("the file is not in word2vec's text or binary format"),
        next_step=next_step
        or _("begin it with a line: number of words, blank, number of dimensions"),
    )


def known_pairs(
    vectors: WordVectors, pairs: Sequence[tuple[str, str, float]]
) -> tuple[list[float], list[float]]:
    """People's scores and cosines of the pairs whose words are both known, capitals or not."""
    human, cosine = [], []
    for one, other, score in pairs:
        a, b = vectors.folded.get(one.lower()), vectors.folded.get(other.lower())
        if a is not None and b is not None:
            human.append(score)
            cosine.append(float(vectors.unit[a] @ vectors.unit[b]))
    return human, cosine
