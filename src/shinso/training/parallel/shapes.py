"""How layers are shared out among stages, and what that costs. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence


def even_cuts(sizes: Sequence[int], count: int) -> list[tuple[int, int]]:
    """``count`` neighbouring pieces whose largest sum is the smallest possible, none empty."""
    total = len(sizes)
    sums = [0]
    for size in sizes:
        sums.append(sums[-1] + size)
    best: list[dict[int, tuple[int, int]]] = [{0: (0, 0)}]
    for _piece in range(count):
        row: dict[int, tuple[int, int]] = {}
        for end in range(1, total + 1):
            options = [
                (max(largest, sums[end] - sums[begin]), begin)
                for begin, (largest, _before) in best[-1].items()
                if begin < end
            ]
            if options:
                row[end] = min(options)
        best.append(row)
    cuts, end = [], total
    for row in reversed(best[1:]):
        begin = row[end][1]
        cuts.append((begin, end))
        end = begin
    return cuts[::-1]


def bubble(stages: int, micro_batches: int) -> float:
    """The share of a step in which a worker waits: (K − 1) / (M + K − 1)."""
    return (stages - 1) / (micro_batches + stages - 1)
