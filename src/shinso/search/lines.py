"""Lines of play: the best one below each action of a tree, and the moves between two positions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32

from shinso.games.go import Position
from shinso.search.go_tree_numba import ACTION, COUNT, FIRST, VISITS

LONGEST = 12


def best_lines(nodes: Int32[np.ndarray, "node 4"]) -> list[list[int]]:
    """For each action of the root the most visited line after it; [] where there is no child."""
    first, count = int(nodes[0, FIRST]), int(nodes[0, COUNT])
    children = range(first, first + count)
    found: list[list[int]] = [
        [] for _ in range(max((int(nodes[c, ACTION]) for c in children), default=0) + 1)
    ]
    for child in children:
        node, line = child, [int(nodes[child, ACTION])]
        while nodes[node, FIRST] and len(line) < LONGEST:
            below = int(nodes[node, FIRST])
            node = below + int(nodes[below : below + int(nodes[node, COUNT]), VISITS].argmax())
            if not nodes[node, VISITS]:
                break
            line.append(int(nodes[node, ACTION]))
        found[line[0]] = line
    return found


def moves_between(old: Position | None, new: Position) -> list[int] | None:
    """The actions that lead from one position to another, at most two; None where none do."""
    if old is None or old.rules != new.rules:
        return None
    steps = len(new.seen) - len(old.seen)
    if not 0 <= steps <= 2 or not np.array_equal(old.seen, new.seen[: len(old.seen)]):
        return None
    found: list[int] = []
    position = old
    for step in range(steps):
        wanted = new.seen[len(old.seen) + step]
        legal = np.flatnonzero(position.legal())
        following = next(
            ((int(a), p) for a in legal if (p := position.play_legal(int(a))).hash == wanted), None
        )
        if following is None:
            return None
        found.append(following[0])
        position = following[1]
    same = np.array_equal(position.board, new.board)
    return found if same else None
