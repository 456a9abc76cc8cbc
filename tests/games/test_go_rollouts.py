"""Games of the rollout policy: chances kept up to date equal those computed from nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.data.go_positions import pattern_forms
from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import (
    FEATURES,
    OFFSETS,
    PATTERNS,
    RESPONSES,
    TABLE,
    rows_of_position,
)
from shinso.games.go_playouts_numba import playouts
from shinso.games.go_rollouts_numba import chances_along, policy_games

WEIGHTS = np.exp(np.random.default_rng(0).normal(0, 0.5, TABLE)).astype(np.float32)
TACTICS_FIRST = PATTERNS + 2 * OFFSETS + RESPONSES


def plain_chances(position: Position, moves: list[int]) -> np.ndarray:
    """Product of the five weights of every legal point that fills no own eye."""
    last = moves[-1] if moves else -1
    before = moves[-2] if len(moves) > 1 else -1
    rows = np.zeros((position.rules.pass_action, FEATURES), np.int32)
    rows_of_position(position.board, last, before, pattern_forms(), rows)
    legal = (rows[:, 1] > 0) & ((rows[:, 4] - TACTICS_FIRST) & 16 == 0)
    return np.where(legal, WEIGHTS[rows].astype(float).prod(1), 0)


@settings(max_examples=15)
@given(st.integers(2, 7), st.booleans(), st.lists(st.integers(0, 10**6), max_size=150))
def test_chances_match_those_from_nothing_for_any_game(side, suicide, numbers):
    rules = Rules(side=side, ko="simple", suicide=suicide)
    position, moves, wanted = Position.start(rules), [], []
    for number in numbers:
        legal = np.flatnonzero(position.legal()[:-1])
        if not len(legal):
            break
        wanted.append(plain_chances(position, moves))
        moves.append(int(legal[number % len(legal)]))
        position = position.play_legal(moves[-1])
    found = np.empty((len(moves), side, side), np.float32)
    start = Position.start(rules).board
    chances_along(start, np.array(moves, np.int64), pattern_forms(), WEIGHTS, found)
    shaped = np.array(wanted).reshape(found.shape)
    assert found == pytest.approx(shaped, rel=1e-5)


def test_a_whole_large_game_matches():
    rng = np.random.default_rng(1)
    position, moves, wanted = Position.start(Rules(side=13, ko="simple")), [], []
    for _ in range(250):
        chances = plain_chances(position, moves)
        if not chances.sum():
            break
        wanted.append(chances)
        moves.append(int(rng.choice(len(chances), p=chances / chances.sum())))
        position = position.play_legal(moves[-1])
    found = np.empty((len(moves), 13, 13), np.float32)
    start = Position.start(Rules(side=13)).board
    chances_along(start, np.array(moves), pattern_forms(), WEIGHTS, found)
    assert found == pytest.approx(np.array(wanted).reshape(found.shape), rel=1e-5)


def test_games_end_and_follow_from_their_seed():
    board = Position.start(Rules(side=5)).board
    one = policy_games(board, 50, 1, pattern_forms(), WEIGHTS)
    assert one == policy_games(board, 50, 1, pattern_forms(), WEIGHTS)
    assert one != policy_games(board, 50, 2, pattern_forms(), WEIGHTS)
    assert 50 * 10 < one[1] < 50 * 75
    assert abs(one[0]) <= 50 * 25


def test_even_weights_play_as_random_games():
    """With all weights 1 a move is as likely as any other: the mean area is that of random games."""
    even = np.ones(TABLE, np.float32)
    board = Position.start(Rules(side=3)).board
    area, _moves = policy_games(board, 4000, 3, pattern_forms(), even)
    _wins, _total, plain = playouts(board, 4000, 5, 0.0)
    # Both means scatter by about 9 / √4000 = 0.14; four times the scatter of their difference.
    assert area / 4000 == pytest.approx(plain / 4000, abs=0.8)
