"""Thousands of random games beside an independent engine, move by move; exits with 1 at a difference.

    python benchmarks/go_agreement.py [games on 9×9, 10000] [games on 19×19, 1000]

After each move: legal points, simple ko, every stone and the area score against ``sgfmill.boards``
(legality by playing every point on a copy in one move of thirty, since that is slow).
"""

from __future__ import annotations

import random
import sys
import time

import numpy as np
from sgfmill import boards

from shinso.games.go import Position, Rules


def stones_of(board: boards.Board, side: int) -> np.ndarray:
    stones = np.zeros((side, side), np.int8)
    for color, (row, column) in board.list_occupied_points():
        stones[side - 1 - row, column] = 1 + "bw".index(color)
    return stones.reshape(-1)


def legal_of(board: boards.Board, turn: int, ko: int | None, side: int) -> list[int]:
    """Points where a stone may be put: empty, no ko, and it does not take its own life."""
    found = []
    for row in range(side):
        for column in range(side):
            action = (side - 1 - row) * side + column
            if action != ko and board.get(row, column) is None:
                tried = board.copy()
                tried.play(row, column, "bw"[turn - 1])
                if tried.get(row, column) is not None:
                    found.append(action)
    return sorted(found)


def one_game(side: int, seed: int) -> int:
    """Plays until nothing is legal or 2·side² moves; the number of moves compared."""
    rng = random.Random(seed)
    position = Position.start(Rules(side=side, ko="simple", komi=0))
    board, ko = boards.Board(side), None
    for move in range(2 * side * side):
        legal = np.flatnonzero(position.legal()[:-1]).tolist()
        if rng.random() < 1 / 30:
            assert legal == legal_of(board, position.turn, ko, side), (side, seed, move)
        if ko is not None:
            assert ko not in legal, (side, seed, move)
        if not legal:
            return move
        chosen = rng.choice(legal)
        row, column = divmod(chosen, side)
        found = board.play(side - 1 - row, column, "bw"[position.turn - 1])
        ko = None if found is None else (side - 1 - found[0]) * side + found[1]
        position = position.play_legal(chosen)
        assert np.array_equal(position.stones, stones_of(board, side)), (side, seed, move)
        assert position.score() == board.area_score(), (side, seed, move)
    return 2 * side * side


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]] or [10_000, 1_000]
    for side, games in zip((9, 19), asked, strict=False):
        began, moves = time.process_time(), 0
        for seed in range(games):
            moves += one_game(side, seed)
        print(
            f"{side}×{side}: {games} games, {moves} moves, no difference "
            f"({time.process_time() - began:.0f} CPU-seconds)",
            flush=True,
        )
