"""Words with a vector each: neighbours, analogies, and word2vec's two file formats.

A file begins with a line of two numbers, words and dimensions. In the text format a line follows
for each word, its numbers in decimals; in the binary format each word is followed by a blank and its
numbers as little-endian float32. gensim, spaCy and the tools of Mikolov et al. read and write both.
"""

from __future__ import annotations

import difflib
import gzip
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from shinso.data.text import GZIP, read_bytes
from shinso.faults import DataFault, UsageFault
from shinso.language import _

LONGEST_WORD = 10_000  # bytes in a binary file after which it is no such file


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

    Raises DataFault DATA-NOT-FOUND, DATA-FORMAT or DATA-ENCODING with the line or word.
    """
    raw = read_bytes(path)
    if raw.startswith(GZIP):
        raw = gzip.decompress(raw)
    head, _line, rest = raw.partition(b"\n")
    try:
        count, dim = (int(part) for part in head.split())
        if count < 1 or dim < 1:
            raise ValueError
    except ValueError:
        raise _format_fault(path, 1, repr(head[:40].decode("utf-8", "replace"))) from None
    text = _as_text(rest, dim)
    words, vectors = (
        _read_lines(path, text, count, dim) if text is not None
        else _read_binary(path, rest, count, dim)
    )  # fmt: skip
    if len(set(words)) != len(words):
        twice = next(word for place, word in enumerate(words) if word in words[:place])
        raise _format_fault(path, 0, _("the word {word} stands there twice").format(word=twice))
    return WordVectors(tuple(words), vectors)


def _as_text(rest: bytes, dim: int) -> str | None:
    """The lines, where the first one has a word and ``dim`` numbers."""
    first = rest.split(b"\n", 1)[0].split()
    try:
        numbers = [float(part) for part in first[-dim:]]
    except ValueError:
        return None
    if len(first) <= dim or len(numbers) != dim:
        # A text file with the wrong number of columns is still text; a binary one seldom is.
        printable = all(32 <= byte < 127 or byte in b"\t\r" for byte in rest.split(b"\n", 1)[0])
        return rest.decode("utf-8", "strict") if printable else None
    return rest.decode("utf-8", "strict")


def _read_lines(
    path: Path, text: str, count: int, dim: int
) -> tuple[list[str], Float32[np.ndarray, "word dim"]]:
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


def _read_binary(
    path: Path, content: bytes, count: int, dim: int
) -> tuple[list[str], Float32[np.ndarray, "word dim"]]:
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
            raise DataFault(
                "DATA-ENCODING",
                place=_("{path}, word {row}").format(path=path, row=row + 1),
                found=repr(word[:40]),
                why=_("words must be UTF-8"),
                next_step=_("write the file again with a tool that writes UTF-8"),
            ) from error
        vectors[row] = np.frombuffer(content, dtype="<f4", count=dim, offset=end + 1)
        at = end + 1 + size
    return words, vectors


def _format_fault(path: Path, line: int, found: str) -> DataFault:
    return DataFault(
        "DATA-FORMAT",
        place=f"{path}:{line}" if line else os.fspath(path),
        found=found,
        why=_("the file is not in word2vec's text or binary format"),
        next_step=_("begin it with a line: number of words, blank, number of dimensions"),
    )


def known_pairs(
    vectors: WordVectors, pairs: Sequence[tuple[str, str, float]]
) -> tuple[list[float], list[float]]:
    """People's scores and cosines of the pairs whose words are both known."""
    human, cosine = [], []
    for one, other, score in pairs:
        if one in vectors.number and other in vectors.number:
            human.append(score)
            cosine.append(vectors.similarity(one, other))
    return human, cosine
