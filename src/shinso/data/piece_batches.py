"""Texts as pieces side by side, for BERT: padded, with sentence types; and pieces hidden at random."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from shinso.data.shuffled import Numbers, ShuffledSource
from shinso.data.wordpiece import CLASS, MASK, PAD, SEPARATOR, SIGNS, WordPieces
from shinso.language import _

NONE = -100  # a label that does not count


class PieceBatch(NamedTuple):
    """types: 1 in a second sentence. there: False behind the end. labels: a class for each text, or
    a number for each piece, NONE where it does not count. follows: whether the second sentence
    really follows the first; NONE where that is not asked."""

    pieces: Int[Tensor, "batch time"]
    types: Int[Tensor, "batch time"]
    there: Bool[Tensor, "batch time"]
    labels: Int[Tensor, "*shape"]
    follows: Int[Tensor, " batch"]

    def to(self, device: torch.device | str) -> PieceBatch:
        return PieceBatch(*(part.to(device) for part in self))


def joined(
    first: Sequence[int], second: Sequence[int], pieces: WordPieces, longest: int
) -> tuple[list[int], list[int]]:
    """[CLS] first [SEP] second [SEP] and its types; cut where it is too long, the longer sentence
    first."""
    number = pieces.number
    a, b = list(first), list(second)
    room = longest - (3 if b else 2)
    while len(a) + len(b) > room:
        (a if len(a) >= len(b) else b).pop()
    found = [number[CLASS], *a, number[SEPARATOR]]
    types = [0] * len(found)
    if b:
        found += [*b, number[SEPARATOR]]
        types += [1] * (len(b) + 1)
    return found, types


class PieceSamples:
    """Texts with a label each as samples."""

    def __init__(
        self,
        texts: Sequence[tuple[Sequence[int], Sequence[int]]],
        labels: Sequence[Any],
        pieces: WordPieces,
        longest: int,
    ) -> None:
        """texts: first and second sentence as pieces. labels: a number each, or one for each piece
        of the joined text; empty where none is known."""
        both = [joined(first, second, pieces, longest) for first, second in texts]
        self.longest = longest
        self.num_cut = sum(
            len(first) + len(second) + (3 if second else 2) > longest for first, second in texts
        )
        self._pieces = [torch.tensor(found) for found, _types in both]
        self._types = [torch.tensor(types) for _found, types in both]
        self._labels = labels
        self._pad = pieces.number[PAD]
        self.lengths = np.array([len(found) for found, _types in both], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._pieces)

    @property
    def num_labelled(self) -> list[int]:
        """For labels a piece: how many of each text's pieces have one."""
        return [sum(label != NONE for label in own) for own in self._labels]

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> PieceBatch:
        pad = torch.nn.utils.rnn.pad_sequence
        chosen = np.asarray(indices, dtype=np.int64).tolist()
        pieces = pad([self._pieces[i] for i in chosen], True, self._pad)
        lengths = torch.from_numpy(self.lengths[chosen])
        there = torch.arange(pieces.shape[1]) < lengths[:, None]
        labels = torch.full((len(chosen),), NONE)
        if len(self._labels):
            own = [torch.as_tensor(self._labels[i]) for i in chosen]
            labels = torch.stack(own) if own[0].dim() == 0 else pad(own, True, NONE)
        types = pad([self._types[i] for i in chosen], True, 0)
        return PieceBatch(pieces, types, there, labels, torch.full((len(chosen),), NONE))

    def batches(self, batch_size: int) -> Iterator[PieceBatch]:
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))


def cut_notes(samples: Iterable[PieceSamples]) -> list[str]:
    """Says how many texts are longer than what is read of them."""
    parts = list(samples)
    count = sum(part.num_cut for part in parts)
    if not count:
        return []
    note = _("{count:,} of {all:,} texts have more than {longest} pieces; their ends are not read")
    return [note.format(count=count, all=sum(map(len, parts)), longest=parts[0].longest)]


class Stretches:
    """A text cut into stretches of equal length, as samples without labels.

    With ``pairs`` each is two halves: the second is the one that follows, or, for every other
    sample, one from elsewhere in the text (Devlin et al. 2019, section 3.1).
    """

    def __init__(
        self,
        numbers: Int[np.ndarray, " piece"],
        begins: Bool[np.ndarray, " piece"],
        pieces: WordPieces,
        length: int,
        *,
        pairs: bool,
    ) -> None:
        """begins: whether a piece begins a word. length: of a sample, signs included."""
        self.pieces, self.length, self.pairs = pieces, length, pairs
        self.room = length - (3 if pairs else 2)
        whole = len(numbers) // self.room * self.room
        self.numbers = np.asarray(numbers[:whole], np.int64).reshape(-1, self.room)
        self.begins = np.asarray(begins[:whole]).reshape(-1, self.room)

    def __len__(self) -> int:
        return len(self.numbers)

    def cut(
        self, chosen: Int[np.ndarray, " batch"], rng: np.random.Generator
    ) -> tuple[PieceBatch, Bool[np.ndarray, "batch time"]]:
        """The samples unhidden, and where words begin; rng draws the foreign second halves."""
        number, batch = self.pieces.number, len(chosen)
        pieces = np.full((batch, self.length), number[SEPARATOR])
        begins = np.ones((batch, self.length), dtype=bool)
        types = np.zeros((batch, self.length), dtype=np.int64)
        follows = np.full(batch, NONE)
        pieces[:, 0] = number[CLASS]
        if not self.pairs:
            pieces[:, 1:-1], begins[:, 1:-1] = self.numbers[chosen], self.begins[chosen]
        else:
            half = self.room // 2
            follows = rng.integers(0, 2, batch)
            other = rng.integers(0, len(self), batch)
            second = np.where(follows == 1, chosen, other)
            # A sample drawn to be foreign may be the same one; then it follows after all.
            follows = (second == chosen).astype(np.int64)
            pieces[:, 1 : 1 + half] = self.numbers[chosen, :half]
            begins[:, 1 : 1 + half] = self.begins[chosen, :half]
            pieces[:, 2 + half : -1] = self.numbers[second, half:]
            begins[:, 2 + half : -1] = self.begins[second, half:]
            types[:, 2 + half :] = 1
        there = torch.ones(batch, self.length, dtype=torch.bool)
        labels = torch.full((batch, self.length), NONE)
        tensor = torch.from_numpy
        return PieceBatch(tensor(pieces), tensor(types), there, labels, tensor(follows)), begins


def hide(
    batch: PieceBatch,
    begins: Bool[np.ndarray, "batch time"],
    pieces: WordPieces,
    rng: np.random.Generator,
    *,
    share: float,
    whole_words: bool,
) -> PieceBatch:
    """Choose pieces to be guessed: 8 of 10 become [MASK], 1 of 10 any piece, 1 of 10 stays (Devlin
    et al. 2019, section 3.1). whole_words: all pieces of a word or none.

    Differs: every word is chosen with chance ``share`` by itself, so the number varies.
    """
    found = batch.pieces.numpy().copy()
    unit = np.cumsum(begins if whole_words else np.ones_like(begins), axis=1)
    draws = rng.random((len(found), unit.max() + 1))
    chosen = np.take_along_axis(draws, unit, axis=1) < share
    signs = np.array([pieces.number[sign] for sign in SIGNS if sign != "[UNK]"])
    chosen &= ~np.isin(found, signs)
    labels = np.where(chosen, found, NONE)
    kind = rng.random(found.shape)
    found[chosen & (kind < 0.8)] = pieces.number[MASK]
    strange = chosen & (kind >= 0.8) & (kind < 0.9)
    found[strange] = rng.integers(len(SIGNS), len(pieces), int(strange.sum()))
    return batch._replace(pieces=torch.from_numpy(found), labels=torch.from_numpy(labels))


class HidingSource:
    """Shuffled stretches whose hidden pieces are drawn anew each time."""

    def __init__(
        self, stretches: Stretches, batch_size: int, seed: int, *, share: float, whole_words: bool,
        only: Int[np.ndarray, " some"] | None = None,
    ) -> None:  # fmt: skip
        self.stretches, self.seed = stretches, seed
        self.share, self.whole_words = share, whole_words
        self.order = ShuffledSource(Numbers(len(stretches)), batch_size, seed, only=only)
        self.given = 0  # batches so far

    def next_batch(self) -> PieceBatch:
        rng = np.random.default_rng([self.seed, self.given, 2])
        self.given += 1
        batch, begins = self.stretches.cut(self.order.next_batch(), rng)
        return hide(
            batch, begins, self.stretches.pieces, rng,
            share=self.share, whole_words=self.whole_words,
        )  # fmt: skip

    def first(self, samples: int) -> HidingSource:
        """The first so many samples, hidden anew each time."""
        return HidingSource(
            self.stretches, self.order.batch_size, self.seed, share=self.share,
            whole_words=self.whole_words, only=np.arange(min(samples, len(self.stretches))),
        )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        return {"order": self.order.state_dict(), "given": self.given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state["order"])
        self.given = state["given"]
