"""Shares of points: of all games together, and of every training by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from shinso.claims import intervals
from shinso.claims.claim import Measurement, Verdict
from shinso.claims.measured import column
from shinso.language import Text

TRAININGS_AGREE = Text(
    "Changed on 2026-12-01: before, the interval over all games decided alone. It treats the games of a few "
    "trainings as independent, and two trainings that differ in nothing but their random numbers can differ by "
    "more than it allows; now every training must point the same way.",
    "2026-12-01 に変更。以前は、全対局の区間だけで判定していた。この区間は少数の学習による対局を互いに独立とみなすが、"
    "乱数だけが異なる二つの学習の間にも、区間を超える差が生じうる。そこで、どの学習も同じ側を示すことを条件に加えた。",
)
"""Why claims on shares of points changed their rule."""


def share_of_points(measurements: Sequence[Measurement]) -> tuple[intervals.Interval, int]:
    """The share of all seeds' games, with an interval that draws do not narrow; and their number.

    The interval is over games: how far another training would differ is not in it.
    """
    points = sum(column(measurements, "points"))
    games = round(sum(column(measurements, "games")))
    low = intervals.proportion(math.floor(points), games).low
    high = intervals.proportion(math.ceil(points), games).high
    return intervals.Interval(points / games, low, high), games


def shares_by_seed(measurements: Sequence[Measurement]) -> list[float]:
    """The share of points of every training."""
    points, games = column(measurements, "points"), column(measurements, "games")
    return [won / of for won, of in zip(points, games, strict=True)]


def beyond_at_every_seed(
    share: intervals.Interval, own: Sequence[float], bound: float = 0.5
) -> Verdict:
    """Holds where the interval over games and the share of every seed lie above ``bound``, refuted
    where all lie below, else undecided."""
    if share.low > bound and min(own) > bound:
        return Verdict.HOLDS
    if share.high < bound and max(own) < bound:
        return Verdict.REFUTED
    return Verdict.UNDECIDED


def spoken_by_seed(own: Sequence[float]) -> Text:
    """Every seed's share, to stand in a sentence."""
    listed = [f"{one:.0%}" for one in own]
    return Text(f"(seed by seed: {', '.join(listed)})", f"(シードごとに {'、'.join(listed)})")
