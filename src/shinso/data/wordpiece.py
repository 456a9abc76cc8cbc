"""WordPiece, the pieces of words that BERT reads (Schuster & Nakajima 2012; Devlin et al. 2019).

A text is cleaned, cut at blanks and punctuation, and each word is cut into the longest pieces that
the vocabulary has, from the left; pieces within a word begin with ##.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from shinso.data.findings import Findings
from shinso.data.text import read_text
from shinso.faults import DataFault
from shinso.language import _

PAD, UNKNOWN, CLASS, SEPARATOR, MASK = SIGNS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INSIDE = "##"
VOICING = "\u3099\u309a"
MARKED_KANA = re.compile(f".[{VOICING}]")
LONGEST_WORD = 100  # letters; a longer word is unknown, as in the published tokenizer


def cut_words(text: str, *, lower: bool, voiced: bool = True) -> list[str]:
    """Words and signs of a text.

    Control characters are left out, Chinese characters and punctuation stand alone; ``lower`` also
    takes off accents. Japanese kana are not cut, as in the published tokenizer.

    voiced: whether が is another letter than か. Differs: the published tokenizer takes the marks
    of voiced kana for accents, which makes one word of かき and がき.
    """
    if text.isascii():
        text = text.lower() if lower else text
    else:
        text = "".join(f" {c} " if _is_chinese(ord(c)) else c for c in text)
        if lower:
            parts = unicodedata.normalize("NFD", text.lower())
            text = "".join(
                c for c in parts if unicodedata.category(c) != "Mn" or (voiced and c in VOICING)
            )
            text = MARKED_KANA.sub(lambda kana: unicodedata.normalize("NFC", kana.group()), text)
    words: list[str] = []
    word: list[str] = []
    for char in text:
        if char.isalnum():
            word.append(char)
            continue
        blank, sign = _kind(char)
        if not blank and not sign:
            if not _is_control(char):
                word.append(char)
            continue
        if word:
            words.append("".join(word))
            word = []
        if sign:
            words.append(char)
    if word:
        words.append("".join(word))
    return words


def _kind(char: str) -> tuple[bool, bool]:
    """Whether it is a blank, and whether it stands alone."""
    code = ord(char)
    if char in " \t\n\r" or unicodedata.category(char) == "Zs":
        return True, False
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return False, ascii_sign or unicodedata.category(char).startswith("P")


def _is_control(char: str) -> bool:
    return char in "\0\N{REPLACEMENT CHARACTER}" or unicodedata.category(char).startswith("C")


def _is_chinese(code: int) -> bool:
    return (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF or 0x2F800 <= code <= 0x2FA1F
    )  # fmt: skip


@dataclass(frozen=True)
class WordPieces:
    """pieces: by number. lower: whether capitals and accents count."""

    pieces: tuple[str, ...]
    lower: bool = True
    _known: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        missing = [sign for sign in SIGNS if sign not in self.pieces]
        if missing:
            raise ValueError(f"the vocabulary lacks {', '.join(missing)}")
        object.__setattr__(self, "number", {piece: n for n, piece in enumerate(self.pieces)})

    number: dict[str, int] = field(init=False, repr=False, compare=False)

    def cut(self, text: str) -> list[str]:
        """Words as the pieces were learnt from: published ones without voiced kana know none."""
        return cut_words(text, lower=self.lower, voiced=self._voiced)

    @cached_property
    def _voiced(self) -> bool:
        return bool(MARKED_KANA.search(unicodedata.normalize("NFD", "".join(self.pieces))))

    def __len__(self) -> int:
        return len(self.pieces)

    def encode_words(self, words: Iterable[str]) -> list[list[int]]:
        """Numbers of the pieces of each word."""
        return [self._of_word(word) for word in words]

    def encode(self, text: str) -> list[int]:
        """Numbers of the pieces of a text, without signs."""
        found: list[int] = []
        for word in self.cut(text):
            found += self._of_word(word)
        return found

    def _of_word(self, word: str) -> list[int]:
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = self._longest(word)
        return found

    def _longest(self, word: str) -> list[int]:
        unknown = [self.number[UNKNOWN]]
        if word in SIGNS:
            return [self.number[word]]
        if len(word) > LONGEST_WORD:
            return unknown
        found: list[int] = []
        begin = 0
        while begin < len(word):
            for end in range(len(word), begin, -1):
                piece = word[begin:end] if begin == 0 else INSIDE + word[begin:end]
                if piece in self.number:
                    found.append(self.number[piece])
                    begin = end
                    break
            else:
                return unknown
        return found

    @classmethod
    def learn(cls, texts: Iterable[str], size: int, *, lower: bool) -> WordPieces:
        """The signs, every letter, and pieces joined from the pair that is commonest, until there
        are ``size``.

        Differs: Schuster & Nakajima join the pair that raises the likelihood most; the commonest
        pair is what today's trainers take.

        Raises ValueError where size does not hold the signs and letters.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(cut_words(text, lower=lower))
        words = [
            (list(_letters(word)), n) for word, n in counts.items() if len(word) <= LONGEST_WORD
        ]
        letters = sorted({letter for parts, _n in words for letter in parts})
        if len(SIGNS) + len(letters) > size:
            raise ValueError(
                f"size is {size}; {len(letters)} letters and {len(SIGNS)} signs need more"
            )
        pieces = [*SIGNS, *letters]
        known = set(pieces)
        for joined in _merges(words):
            if len(pieces) >= size:
                break
            if joined not in known:
                known.add(joined)
                pieces.append(joined)
        return cls(tuple(pieces), lower)


def _letters(word: str) -> Iterable[str]:
    return (letter if place == 0 else INSIDE + letter for place, letter in enumerate(word))


def _merges(words: Sequence[tuple[list[str], int]]) -> Iterable[str]:
    """Joined pieces in the order in which their pairs are the commonest; words change."""
    counts: Counter[tuple[str, str]] = Counter()
    places: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for place, (parts, n) in enumerate(words):
        for pair in pairwise(parts):
            counts[pair] += n
            places[pair].add(place)
    import heapq

    # Entries grow stale as counts change; each is checked when it comes up.
    heap = [(-n, pair) for pair, n in counts.items()]
    heapq.heapify(heap)
    while heap:
        minus, pair = heapq.heappop(heap)
        if counts[pair] != -minus:
            if counts[pair] > 0:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if -minus < 2:
            return
        joined = pair[0] + pair[1].removeprefix(INSIDE)
        changed: set[tuple[str, str]] = set()
        for place in places.pop(pair):
            parts, n = words[place]
            begin = 0
            while begin < len(parts) - 1:
                if (parts[begin], parts[begin + 1]) != pair:
                    begin += 1
                    continue
                for side in (begin - 1, begin + 1):
                    if 0 <= side < len(parts) - 1:
                        counts[parts[side], parts[side + 1]] -= n
                parts[begin : begin + 2] = [joined]
                for side in (begin - 1, begin):
                    if 0 <= side < len(parts) - 1:
                        new = parts[side], parts[side + 1]
                        counts[new] += n
                        places[new].add(place)
                        changed.add(new)
        counts[pair] = 0
        for new in changed:
            heapq.heappush(heap, (-counts[new], new))
        yield joined


def read_vocabulary(path: Path, *, lower: bool) -> WordPieces:
    """``vocab.txt``: a piece a line. DataFault VOCABULARY-FORMAT where BERT's signs are missing or a
    piece stands there twice."""
    lines = read_text(path, Findings(path)).text.split("\n")
    pieces = tuple(line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1]))
    found = ""
    if len(set(pieces)) != len(pieces):
        found = _("{count} pieces stand there twice").format(count=len(pieces) - len(set(pieces)))
    missing = [sign for sign in SIGNS if sign not in pieces]
    if missing:
        found = _("{signs} are missing").format(signs=", ".join(missing))
    if found:
        raise DataFault(
            "VOCABULARY-FORMAT",
            place=str(path),
            found=found,
            why=_("this is no vocabulary of BERT"),
            next_step=_("give the vocab.txt that belongs to the weights"),
        )
    return WordPieces(pieces, lower)
