"""From a trained model's next-word scores to sentences: greedy and beam search, in batches.

A batch gives exactly what its sentences give one at a time: nothing that happens to one depends on
another. A sentence that is done leaves the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NEVER = float("-inf")


@runtime_checkable
class Writer(Protocol):
    """Translations of a batch on their way, as models give them (``begin``)."""

    def step(
        self, words: Int[Tensor, "sentence beam"], /
    ) -> Float[Tensor, "sentence beam vocabulary"]:
        """Scores of the next word, after ``words`` were written."""
        ...

    def take(
        self, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept beam"], /
    ) -> None:
        """Go on with these sentences (None: all), and in each with these of its beams."""
        ...


@runtime_checkable
class Writes(Protocol):
    """A model that writes."""

    def begin(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"] | None,
        beams: int,
        steps: int,
        /,
    ) -> Writer: ...


@dataclass(frozen=True)
class Written:
    """words: without the signs of begin and end. log_p: of the words and the end, in nats. score:
    log_p by the length penalty. ended: False where the longest length cut it off."""

    words: tuple[int, ...]
    log_p: float
    score: float
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to look for the best translation.

    beams: hypotheses kept at each step (1: greedy). length_penalty: α of Wu et al. 2016, eq. 14,

        score = log p / ((5 + n) / 6)^α        n words, the end among them

    begin, end: numbers of the signs. never: of the words not to be written.
    """

    begin: int
    end: int
    beams: int = 5
    length_penalty: float = 1.0
    never: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise ValueError(f"beams is {self.beams}; give at least 1")
        if self.length_penalty < 0:
            raise ValueError(f"length_penalty is {self.length_penalty}; give 0 or more")

    def score(self, log_p: float, words: int) -> float:
        """Of a hypothesis of so many words, the end counted."""
        return log_p / ((5 + words) / 6) ** self.length_penalty


@torch.inference_mode()
def search(
    model: Writes,
    source: Int[Tensor, "batch source"],
    mask: Bool[Tensor, "batch source"] | None,
    longest: Sequence[int],
    how: Search,
) -> list[list[Written]]:
    """Up to ``beams`` translations of each sentence, the best first.

    longest: most words of each, the end counted. A sentence is done when it has ``beams`` finished
    hypotheses of which the worst is as good as the best unfinished one would be if it ended now.
    Raises ValueError where the model's scores are no numbers.
    """
    if not longest:
        return []
    writer = model.begin(source, mask, how.beams, max(longest))
    never = torch.tensor(how.never, dtype=torch.int64, device=source.device)
    if how.beams == 1:
        return _greedy(writer, longest, how, never)
    done: list[list[Written]] = [[] for _ in longest]
    alive = list(range(len(longest)))
    sizes = (len(alive), how.beams)
    history = torch.empty((*sizes, 0), dtype=torch.int64, device=source.device)
    last = torch.full(sizes, how.begin, dtype=torch.int64, device=source.device)
    log_p: Tensor | None = None
    for step in range(1, max(longest) + 1):
        before = last.shape
        scores = writer.step(last)
        scores.index_fill_(-1, never, NEVER)
        if log_p is None:  # all beams are alike, so one stands for them
            log_p = scores.new_full(sizes, NEVER)
            log_p[:, 0] = 0
        total, beams, words = _candidates(scores, log_p, 2 * how.beams)
        finish = words == how.end
        for row, place in finish[:, : how.beams].nonzero().tolist():
            one = float(total[row, place])
            if one > NEVER:
                path = history[row, beams[row, place]].tolist()
                done[alive[row]].append(Written(tuple(path), one, how.score(one, step), True))
        # The first beams that do not end go on; there are enough among twice as many.
        order = finish.to(torch.int8).argsort(dim=1, stable=True)[:, : how.beams]
        log_p, beams, last = (part.gather(1, order) for part in (total, beams, words))
        log_p = log_p.masked_fill(finish.gather(1, order), NEVER)
        history = torch.cat(
            [history.gather(1, beams.unsqueeze(-1).expand(-1, -1, step - 1)), last.unsqueeze(-1)],
            -1,
        )
        going = []
        best = log_p[:, 0].tolist()
        _check(best)
        for row, number in enumerate(alive):
            if step == longest[number]:
                _cut_off(done[number], history[row], log_p[row], how)
            elif not _is_done(done[number], best[row], step, how):
                going.append(row)
        if not going:
            break
        if len(going) < len(alive):
            kept = torch.tensor(going, device=source.device)
            alive = [alive[row] for row in going]
            history, last, log_p, beams = (
                part.index_select(0, kept) for part in (history, last, log_p, beams)
            )
            writer.take(kept, beams)
        elif beams.shape != before or bool((beams != torch.arange(before[1]).to(beams)).any()):
            writer.take(None, beams)
    return [sorted(some, key=lambda one: -one.score)[: how.beams] for some in done]


def _greedy(
    writer: Writer, longest: Sequence[int], how: Search, never: Tensor
) -> list[list[Written]]:
    """The likeliest word each time: what one beam comes to, with less to keep."""
    done: list[list[Written]] = [[] for _ in longest]
    alive = list(range(len(longest)))
    last = torch.full((len(alive), 1), how.begin, dtype=torch.int64, device=never.device)
    history: list[list[int]] = [[] for _ in longest]
    total = [0.0] * len(longest)
    for step in range(1, max(longest) + 1):
        log_p, last = writer.step(last).index_fill_(-1, never, NEVER).log_softmax(-1).max(-1)
        going = []
        ones = log_p[:, 0].tolist()
        _check(ones)
        new = zip(alive, ones, last[:, 0].tolist(), strict=True)
        for row, (number, one, word) in enumerate(new):
            total[number] += one
            ended = word == how.end
            if not ended:
                history[number].append(word)
            if ended or step == longest[number]:
                found = total[number]
                words = tuple(history[number])
                done[number] = [Written(words, found, how.score(found, step), ended)]
            else:
                going.append(row)
        if not going:
            break
        if len(going) < len(alive):
            kept = torch.tensor(going, device=last.device)
            alive = [alive[row] for row in going]
            last = last.index_select(0, kept)
            writer.take(kept, torch.zeros_like(last))
    return done


def _check(log_p: list[float]) -> None:
    if any(map(isnan, log_p)):
        raise ValueError("the network's scores are not numbers (NaN); its weights are damaged")


def _candidates(scores: Tensor, log_p: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The likeliest continuations of each sentence: their log p, beam and word, best first."""
    each = min(count, scores.shape[-1])
    top, words = scores.log_softmax(-1).topk(each, dim=-1)
    every = (top + log_p.unsqueeze(-1)).flatten(1)
    total, places = every.topk(min(count, every.shape[1]), dim=-1)
    return total, places // each, words.flatten(1).gather(1, places)


def _is_done(done: list[Written], best: float, step: int, how: Search) -> bool:
    if best == NEVER:
        return bool(done)
    if len(done) < how.beams:
        return False
    worst = sorted((one.score for one in done), reverse=True)[how.beams - 1]
    return worst >= how.score(best, step)


def _cut_off(done: list[Written], history: Tensor, log_p: Tensor, how: Search) -> None:
    """Where the longest length is reached, unfinished hypotheses stand as they are."""
    for words, one in zip(history.tolist(), log_p.tolist(), strict=True):
        if one > NEVER:
            done.append(Written(tuple(words), one, how.score(one, len(words)), False))
