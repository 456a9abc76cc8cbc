"""Sentences that are longer than training or the network takes."""

from __future__ import annotations

from collections.abc import Sequence

from shinso.data.findings import Findings
from shinso.data.parallel_text import NAMES, ParallelText
from shinso.faults import DataFault
from shinso.language import _


def short_enough(
    source: Sequence[Sequence[int]], target: Sequence[Sequence[int]], longest: int
) -> list[int]:
    """Places of the pairs with at most ``longest`` subwords on either side."""
    return [i for i in range(len(source)) if max(len(source[i]), len(target[i])) <= longest]


def lengths_said(
    train: ParallelText,
    source: Sequence[Sequence[int]],
    target: Sequence[Sequence[int]],
    longest: int,
) -> list[str]:
    """A note where pairs of the train part are left out."""
    kept = set(short_enough(source, target, longest))
    long = [train.lines[i] for i in range(len(source)) if i not in kept]
    if not long:
        return []
    return [
        _(
            "{count:,} train pairs have more than {longest} subwords on a side and are left out of "
            "training (--longest): line {lines}"
        ).format(
            count=len(long),
            longest=longest,
            lines=", ".join(map(str, long[:5])) + (", …" if len(long) > 5 else ""),
        )
    ]


def nothing_short(train: ParallelText, longest: int) -> DataFault:
    return DataFault(
        "DATA-TOO-LONG",
        place=str(train.paths[0]),
        found=_("every train pair has more than {longest} subwords on a side").format(
            longest=longest
        ),
        why=_("there is nothing to learn from"),
        next_step=_("give a larger --longest, or cut the text into sentences"),
    )


def check_fits(
    pairs: ParallelText,
    source: Sequence[Sequence[int]],
    target: Sequence[Sequence[int]],
    capacity: int,
    next_step: str,
) -> None:
    """Both sides of every pair must fit into the positions that a network learns. One position is
    for the end of the source, and for the beginning of the target.

    Raises ManyDataFaults DATA-TOO-LONG.
    """
    findings = Findings(pairs.paths[0])
    for line, *sides in zip(pairs.lines, source, target, strict=True):
        for side, pieces in zip(NAMES, sides, strict=True):
            if len(pieces) >= capacity:
                found, why = _beyond(len(pieces), capacity)
                findings.fault(
                    "DATA-TOO-LONG",
                    line=line,
                    column=side,
                    found=found,
                    why=why,
                    next_step=next_step,
                )
    findings.stop()


def too_long_to_translate(place: str, subwords: int, capacity: int) -> DataFault:
    """A source that the positions of a trained network do not reach."""
    found, why = _beyond(subwords, capacity)
    return DataFault("DATA-TOO-LONG", place=place, found=found, why=why, next_step=cut_in_two())


def cut_in_two() -> str:
    return _("cut the line into sentences, or train with a larger capacity")


def _beyond(subwords: int, capacity: int) -> tuple[str, str]:
    return (
        _("{count:,} subwords and a sign").format(count=subwords),
        _("the network has learnt positions for {capacity:,} (capacity)").format(capacity=capacity),
    )
