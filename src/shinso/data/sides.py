"""Which language is which: a file whose columns are swapped must not pass in silence.

A profile of each side, the shares of its pairs of neighbouring letters, tells two languages apart
in a sentence or two. It says nothing where both sides are one language.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from shinso.data.findings import Findings
from shinso.data.parallel_text import ParallelText
from shinso.language import _

KEPT = 400  # commonest pairs of letters of each side
LOOKED_AT = 20_000  # sentences
SURE = 12.0  # nats by which one pair of sentences must fit better when swapped, to be named

Profile = Mapping[str, float]


def profile(sentences: Sequence[str]) -> dict[str, float]:
    """log share of the commonest pairs of letters; "" stands for any other."""
    counts: Counter[str] = Counter()
    for sentence in sentences[:LOOKED_AT]:
        counts.update(_letters(sentence))
    total = counts.total() + 1
    kept = dict(counts.most_common(KEPT))
    rest = (total - sum(kept.values())) / total
    found = {pair: math.log(count / total) for pair, count in kept.items()}
    # What is not among them is shared out over as many again.
    return {**found, "": math.log(max(rest, 1 / total) / KEPT)}


def _letters(sentence: str) -> list[str]:
    return ["".join(pair) for pair in pairwise(f" {sentence} ".lower())]


def _fit(sentence: str, one: Profile) -> float:
    other = one[""]
    return sum(one.get(pair, other) for pair in _letters(sentence))


def swap_gains(
    pairs: ParallelText, source: Profile, target: Profile, most: int = LOOKED_AT
) -> list[float]:
    """Nats by which each pair would fit the profiles better with its sides swapped."""
    return [
        _fit(left, target) + _fit(right, source) - _fit(left, source) - _fit(right, target)
        for left, right in zip(pairs.source[:most], pairs.target[:most], strict=True)
    ]


def check_sides(pairs: ParallelText, source: Profile, target: Profile) -> list[str]:
    """Notes on single pairs that look swapped; the profiles are those of the train part.

    Raises ManyDataFaults DATA-SWAPPED where the whole file looks so.
    """
    gains = swap_gains(pairs, source, target)
    suspects = [place for place, gain in enumerate(gains) if gain > SURE]
    if sum(gains) > 0 and len(suspects) > len(gains) / 2:
        findings = Findings(pairs.paths[0])
        findings.fault(
            "DATA-SWAPPED",
            line=pairs.lines[suspects[0]],
            found=_("{count:,} of {all:,} pairs fit better with source and target swapped").format(
                count=len(suspects), all=len(gains)
            ),
            why=_("the other direction was trained"),
            next_step=_("swap the two files or columns"),
        )
        findings.stop()
    if not suspects:
        return []
    return [
        _("{path}: {count:,} pairs look as if source and target were swapped: line {lines}").format(
            path=pairs.paths[0],
            count=len(suspects),
            lines=", ".join(str(pairs.lines[place]) for place in suspects[:5])
            + (", …" if len(suspects) > 5 else ""),
        )
    ]
