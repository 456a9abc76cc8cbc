"""Many games of policies side by side: what each network sees, where it may play, a move in each."""

import numpy as np

from shinso.games.compile_numba import kernel
from shinso.games.go_board_numba import (
    END,
    KO,
    LISTED,
    MOVES,
    NO_KO,
    PASSES,
    RECORD,
    ROW,
    SIDE,
    TURN,
    U,
    is_eye,
    is_legal,
    place,
)
from shinso.games.go_planes_numba import AGES, lee_planes
from shinso.games.go_rules_numba import action_of, area, point_of, safe_area


@kernel
def look(boards, lasts, planes, allowed):  # pragma: no cover
    """Write for each game its Lee planes (game, plane, point) and which actions are worth playing.

    Those are legal by the rule of simple ko, outside of Benson-safe areas and no own one-point eye; a
    pass where there is no other, or in answer to a pass. So games come to an end with no dead stone
    left on the board, whoever plays. lasts: the last actions of each game, newest first, −1 for none.
    """
    points = np.int64(boards[0, SIDE]) * boards[0, SIDE]
    owner = np.empty(points, np.int8)
    marked = np.zeros(boards.shape[1], np.int32)
    for g in range(boards.shape[0]):
        s = boards[g]
        lee_planes(s, lasts[g], marked, planes[g])
        safe_area(s, owner)
        c, row = np.int16(s[TURN]), U(s[ROW])
        allowed[g, :] = 0
        count = 0
        i = RECORD
        while i < U(s[END]):
            p = U(s[i + LISTED])
            i += RECORD
            action = action_of(s, p)
            if owner[action] == 0 and not is_eye(s, p, c, row) and is_legal(s, p, c, row):
                allowed[g, action] = 1
                count += 1
        allowed[g, points] = count == 0 or s[PASSES] > 0


@kernel
def move(boards, lasts, actions):  # pragma: no cover
    """Play an allowed action in each game."""
    points = np.int64(boards[0, SIDE]) * boards[0, SIDE]
    for g in range(boards.shape[0]):
        s = boards[g]
        c = np.int16(s[TURN])
        if actions[g] == points:
            s[KO] = NO_KO
            s[PASSES] += 1
        else:
            place(s, point_of(s, actions[g]), c, U(s[ROW]))
            s[PASSES] = 0
        s[TURN] = np.int16(3) - c
        s[MOVES] += 1
        for age in range(AGES - 1, 0, -1):
            lasts[g, age] = lasts[g, age - 1]
        lasts[g, 0] = actions[g]


@kernel
def judge(boards, longest, areas, over):  # pragma: no cover
    """Write Black's area minus White's, and whether the game is over: decided, two passes, or too
    long. Where all is safe, enemy stones inside are dead; elsewhere every stone counts as alive."""
    points = np.int64(boards[0, SIDE]) * boards[0, SIDE]
    owner = np.empty(points, np.int8)
    for g in range(boards.shape[0]):
        s = boards[g]
        safe_area(s, owner)
        total, open_ = 0, 0
        for point in range(points):
            total += owner[point]
            open_ += owner[point] == 0
        over[g] = open_ == 0 or s[PASSES] >= 2 or s[MOVES] >= longest
        areas[g] = total if open_ == 0 else area(s, owner)
