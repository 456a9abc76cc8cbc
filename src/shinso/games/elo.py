"""Strength as Elo points: from the share of games won, and for many players at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from shinso.intervals import Interval, proportion

POINTS = 400 / math.log(10)
"""Elo points for a factor e in the odds of winning."""


def elo_of(won: float, games: int) -> Interval:
    """Elo difference from points won (a draw counts half), with its interval from Wilson's.

    Infinite where all or none are won: then one end alone is known. games: at least one.
    """
    low = proportion(math.floor(won), games).low
    high = proportion(math.ceil(won), games).high
    return Interval(*(_points(share) for share in (won / games, low, high)))


def _points(share: float) -> float:
    if share in (0.0, 1.0):
        return math.inf if share else -math.inf
    return POINTS * math.log(share / (1 - share))


def ratings(
    players: Sequence[str], results: Mapping[tuple[str, str], tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Elo of every player, the first at 0, and half of the 95 % interval (Bradley & Terry 1952).

    results: (a, b) → (points of a, points of b). A prior of one draw between those who met keeps
    ratings finite. Newton's steps on the log-likelihood; the interval is from its curvature.
    """
    number = {name: place for place, name in enumerate(players)}
    strength: Float[np.ndarray, " player"] = np.zeros(len(players))
    curvature = np.eye(len(players))
    for _round in range(50):
        slope = np.zeros(len(players))
        curvature = np.zeros((len(players), len(players)))
        for (one, two), (won, lost) in results.items():
            a, b = number[one], number[two]
            total = won + lost + 1
            chance = 1 / (1 + math.exp(strength[b] - strength[a]))
            slope[a] += won + 0.5 - total * chance
            slope[b] -= won + 0.5 - total * chance
            weight = total * chance * (1 - chance)
            curvature[[a, b], [a, b]] += weight
            curvature[[a, b], [b, a]] -= weight
        step = np.zeros(len(players))
        inner = curvature[1:, 1:] + 1e-9 * np.eye(len(players) - 1)
        step[1:] = np.linalg.solve(inner, slope[1:])
        strength += np.clip(step, -2, 2)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    spread = np.zeros(len(players))
    inner = curvature[1:, 1:] + 1e-9 * np.eye(len(players) - 1)
    spread[1:] = np.sqrt(np.diag(np.linalg.inv(inner))) if len(players) > 1 else 0
    return {
        name: (float(strength[i] * POINTS), float(1.96 * spread[i] * POINTS))
        for name, i in number.items()
    }
