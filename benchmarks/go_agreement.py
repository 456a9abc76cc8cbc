"""Thousands of random games beside an independent engine, move by move; exits with 1 at a difference.

    python benchmarks/go_agreement.py [games on 9×9, 10000] [games on 19×19, 1000] [first game, 0]

After each move: every stone (and so every capture), simple ko and the area score against
``sgfmill.boards``; in one move of eight also whether each point of the board is legal, found out by
playing it there. Game number k is the same in every run, so the work can be done in parts.
"""

from __future__ import annotations

import random
import sys
import time

import numpy as np
from sgfmill import boards

from shinso.games.go import Position, Rules

COLORS = {None: 0, "b": 1, "w": 2}
TELL_EVERY = 500


def stones_of(board: boards.Board) -> list[int]:
    """Row by row from the top, as the engine counts them; sgfmill's rows count from below."""
    return [COLORS[one] for row in reversed(board.board) for one in row]


def legal_of(board: boards.Board, turn: int, ko: int | None, side: int) -> list[int]:
    """Points where a stone may be put: empty, no ko, and it does not take its own life."""
    found = []
    for action in range(side * side):
        row, column = side - 1 - action // side, action % side
        if action == ko or board.get(row, column) is not None:
            continue
        beside = ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1))
        if any(0 <= r < side and 0 <= c < side and board.get(r, c) is None for r, c in beside):
            found.append(action)
            continue
        tried = board.copy()
        tried.play(row, column, "bw"[turn - 1])
        if tried.get(row, column) is not None:
            found.append(action)
    return found


def one_game(side: int, seed: int) -> int:
    """Plays until nothing is legal or 2·side² moves; the number of moves compared."""
    rng = random.Random(seed)
    position = Position.start(Rules(side=side, ko="simple", komi=0))
    board, ko = boards.Board(side), None
    for move in range(2 * side * side):
        legal = np.flatnonzero(position.legal()[:-1]).tolist()
        if rng.random() < 1 / 8:
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
        assert position.stones.tolist() == stones_of(board), (side, seed, move)
        assert position.score() == board.area_score(), (side, seed, move)
    return 2 * side * side


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    counts = asked[:2] or [10_000, 1_000]
    first = asked[2] if len(asked) > 2 else 0
    for side, games in zip((9, 19), counts, strict=False):
        began, moves = time.process_time(), 0
        for done in range(1, games + 1):
            moves += one_game(side, first + done - 1)
            if done == games or done % TELL_EVERY == 0:
                print(
                    f"{side}×{side}: games {first} to {first + done - 1}, {moves} moves, "
                    f"no difference ({time.process_time() - began:.0f} CPU-seconds)",
                    flush=True,
                )
