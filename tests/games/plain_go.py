"""Go written for clearness alone: sets, floods and a list of everything that was there.

An independent reference for the engine. It shares no code with it and is some thousand times slower.
"""

from __future__ import annotations


class PlainGo:
    """Stones as a dict of (row, column) -> 1 or 2, row 0 at the top."""

    def __init__(self, side: int, *, superko: bool = True, suicide: bool = False) -> None:
        self.side, self.superko, self.suicide = side, superko, suicide
        self.stones: dict[tuple[int, int], int] = {}
        self.seen = [dict(self.stones)]
        self.turn = 1
        self.ko: tuple[int, int] | None = None

    def beside(self, point):
        row, column = point
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < self.side and 0 <= c < self.side:
                yield r, c

    def chain(self, stones, point):
        """The chain's stones and its liberties."""
        found, waiting, liberties = {point}, [point], set()
        while waiting:
            for other in self.beside(waiting.pop()):
                if other not in stones:
                    liberties.add(other)
                elif stones[other] == stones[point] and other not in found:
                    found.add(other)
                    waiting.append(other)
        return found, liberties

    def after(self, point):
        """Stones after the move and the number taken, or None where the rules forbid it."""
        if point in self.stones or (not self.superko and point == self.ko):
            return None
        stones = {**self.stones, point: self.turn}
        taken = set()
        for other in self.beside(point):
            if stones.get(other) == 3 - self.turn:
                chain, liberties = self.chain(stones, other)
                if not liberties:
                    taken |= chain
        for other in taken:
            stones.pop(other, None)
        own, liberties = self.chain(stones, point)
        if not liberties:
            if not self.suicide or len(own) == 1:
                return None
            for other in own:
                del stones[other]
        if self.superko and stones in self.seen:
            return None
        lone = len(own) == 1 and len(taken) == 1 and len(liberties) == 1
        return stones, next(iter(taken)) if lone else None

    def legal(self):
        """Actions as numbers, the pass among them."""
        points = ((r, c) for r in range(self.side) for c in range(self.side))
        found = [r * self.side + c for r, c in points if self.after((r, c)) is not None]
        return [*found, self.side**2]

    def play(self, action):
        self.ko = None
        if action != self.side**2:
            self.stones, self.ko = self.after(divmod(action, self.side))
            self.seen.append(dict(self.stones))
        self.turn = 3 - self.turn

    def area(self):
        """Black's area minus White's."""
        total, reached = 0, set()
        for r in range(self.side):
            for c in range(self.side):
                if (r, c) in self.stones:
                    total += 1 if self.stones[r, c] == 1 else -1
                elif (r, c) not in reached:
                    region, waiting, colors = {(r, c)}, [(r, c)], set()
                    while waiting:
                        for other in self.beside(waiting.pop()):
                            if other in self.stones:
                                colors.add(self.stones[other])
                            elif other not in region:
                                region.add(other)
                                waiting.append(other)
                    reached |= region
                    if len(colors) == 1:
                        total += len(region) * (1 if colors == {1} else -1)
        return total
