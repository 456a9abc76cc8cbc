"""Words and their numbers, from the train part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

PAD = "<pad>"
UNKNOWN = "<unk>"
PAD_ID = 0
UNKNOWN_ID = 1


@dataclass(frozen=True)
class Vocabulary:
    """words: by number; the first two stand for padding and for every word not in the list."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[:2] != (PAD, UNKNOWN):
            raise ValueError(f"words begin with {self.words[:2]}; they begin with {PAD}, {UNKNOWN}")

    @classmethod
    def build(cls, words: Iterable[str], min_count: int = 1) -> Vocabulary:
        """All words that occur at least ``min_count`` times, the frequent first, then by alphabet.

        A word that is spelled like one of the two signs counts as unknown.
        Raises ValueError where min_count is below 1.
        """
        if min_count < 1:
            raise ValueError(f"min_count is {min_count}; give 1 or more")
        counts = Counter(words)
        kept = [word for word in counts if counts[word] >= min_count and word not in (PAD, UNKNOWN)]
        return cls((PAD, UNKNOWN, *sorted(kept, key=lambda word: (-counts[word], word))))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words) if number > UNKNOWN_ID}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Sequence[str]) -> list[int]:
        """The number of each word."""
        return [self._numbers.get(word, UNKNOWN_ID) for word in words]

    def unknown_share(self, words: Iterable[str]) -> float:
        """How many of the words are not in the list, from 0 to 1; 0 for no words."""
        known = [word in self._numbers for word in words]
        return 1 - sum(known) / len(known) if known else 0.0

    def to_list(self) -> list[str]:
        """JSON-able; ``from_list`` is its inverse."""
        return list(self.words)

    @classmethod
    def from_list(cls, words: Sequence[str]) -> Vocabulary:
        return cls(tuple(words))
