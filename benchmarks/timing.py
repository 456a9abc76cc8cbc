"""Ours and a peer's in turn in one process; medians and their ratio, never times as facts.

CPU seconds of the process by default: on a quiet core they equal the time that passes, and on a
shared one they leave out what other processes take. ``CLOCK=wall`` measures the time that passes.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping

from shinso.intervals import median

clock = time.perf_counter if os.environ.get("CLOCK") == "wall" else time.process_time


def in_turn(
    functions: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 2,
    at_least_s: float = 0.0,
) -> dict[str, list[float]]:
    """Seconds of each function in each round. Every round calls each once, every other one backwards,
    so that a drift of the machine and what a neighbour leaves in the caches hit all alike. A
    function shorter than ``at_least_s`` is repeated within a round until it has taken that long;
    the mean counts."""
    repeats = dict.fromkeys(functions, 1)
    for _ in range(warm_up):
        for name, function in functions.items():
            began = clock()
            function()
            repeats[name] = max(1, int(at_least_s / max(clock() - began, 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    forwards = list(functions.items())
    for number in range(rounds):
        for name, function in forwards if number % 2 == 0 else reversed(forwards):
            began = clock()
            for _ in range(repeats[name]):
                function()
            seconds[name].append((clock() - began) / repeats[name])
    return seconds


def ratio(ours: list[float], peers: list[float]) -> tuple[float, float, float]:
    """Median over median, with the least and the largest ratio of a round."""
    rounds = [own / peer for own, peer in zip(ours, peers, strict=True)]
    return statistics.median(ours) / statistics.median(peers), min(rounds), max(rounds)


def shown_interval(ours: list[float], peers: list[float]) -> str:
    """Median of the rounds' ratios, and where it lies with 95 %."""
    found = median(own / peer for own, peer in zip(ours, peers, strict=True))
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Aligned columns, as a Markdown table."""
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    for line in [head, ["-" * width for width in widths], *rows]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("| " + " | ".join(cells) + " |", flush=True)
