"""The clock of a game: what is left of each player's time, and how much of it a move may take.

Main time, then overtime: Canadian (so many stones in each period; one stone makes it a fixed time a
move) or Japanese byo-yomi (a number of periods, each good for a move). Players count their own time
too: by GTP a referee may tell what is left (``time_left``), and many never do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

MOVES_KEPT = 8
"""Main time is always shared out over at least so many own moves to come."""
LAG_S = 0.05
"""Of every move, for the way of the answer."""
SHORTEST_S = 0.01


@dataclass(frozen=True)
class Left:
    """Time that is left. stones: still to play in this period (Canadian) or periods left (byo-yomi);
    0 in main time."""

    seconds: float
    stones: int = 0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was agreed. main, period: seconds. stones: in a Canadian period; 0 with a period means no
    limit, 0 without one that main time is all. byoyomi: ``stones`` is the number of periods."""

    main: float = 0.0
    period: float = 0.0
    stones: int = 0
    byoyomi: bool = False

    @property
    def limited(self) -> bool:
        return self.main > 0 if not self.period else self.stones > 0

    @property
    def overtime(self) -> bool:
        return self.period > 0 and self.stones > 0

    @property
    def first(self) -> Left:
        """What a player has at the beginning."""
        if self.main or not self.overtime:
            return Left(self.main)
        return Left(self.period, self.stones)


@final
class Clock:
    """left: what each player (1 black, 2 white) has; those who have not moved are not in it.

    A referee's clock and a player's own are the same.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.left: dict[int, Left] = {}

    def set(self, main: float, period: float, stones: int, *, byoyomi: bool = False) -> None:
        """GTP's ``time_settings`` in seconds and stones; both players begin anew."""
        self.settings = Settings(main=main, period=period, stones=stones, byoyomi=byoyomi)
        self.left = {}

    def restart(self) -> None:
        """A new game with the same settings."""
        self.left = {}

    def tell(self, color: int, seconds: float, stones: int) -> None:
        """GTP's ``time_left``: what the referee's clock shows."""
        self.left[color] = Left(max(seconds, 0.0), stones)

    def of(self, color: int) -> Left:
        """What a player has left; a main time that is used up is the first period."""
        agreed = self.settings
        left = self.left.get(color, agreed.first)
        if left.seconds <= 0 and not left.stones and agreed.overtime:
            return Left(agreed.period, agreed.stones)
        return left

    def spend(self, color: int, seconds: float) -> bool:
        """A move took ``seconds``; False where the player's time ran out over it."""
        agreed = self.settings
        if not agreed.limited and color not in self.left:
            return True
        left = self.of(color)
        rest = left.seconds - seconds
        if not left.stones:  # main time
            if rest >= 0 or not agreed.overtime:
                self.left[color] = Left(max(rest, 0.0))
                return rest >= 0
            left, rest = Left(agreed.period, agreed.stones), agreed.period + rest
        if agreed.byoyomi:
            while rest < 0 and left.stones > 1:
                left, rest = replace(left, stones=left.stones - 1), rest + agreed.period
            self.left[color] = Left(agreed.period, left.stones)
            return rest >= 0
        last = left.stones == 1
        self.left[color] = (
            Left(agreed.period, agreed.stones) if last else Left(max(rest, 0.0), left.stones - 1)
        )
        return rest >= 0

    def budget_s(self, color: int, moves_left: int) -> float | None:
        """Seconds for the next move, a little less than the share that keeps the clock from running
        out; None without a clock. moves_left: own moves that main time must still be enough for."""
        agreed = self.settings
        if not agreed.limited and color not in self.left:
            return None  # GTP: byo-yomi time without stones means no limit
        left = self.of(color)
        if left.stones:
            share = left.seconds / (1 if agreed.byoyomi else left.stones)
        else:
            share = left.seconds / max(moves_left, MOVES_KEPT)
            if agreed.overtime:  # behind main time there is as much for every move
                share = max(share, agreed.period / (1 if agreed.byoyomi else agreed.stones))
        return max(SHORTEST_S, 0.9 * share - LAG_S)
