"""Random games from a position to its end: what a rollout is made of."""

import numpy as np

from shinso.games.compile_numba import kernel, part
from shinso.games.go_board_numba import (
    BLACK,
    COLOR,
    END,
    KO,
    LISTED,
    NEAR,
    NO_KO,
    PLACE,
    RECORD,
    ROW,
    SIDE,
    TURN,
    WHITE,
    U,
    below,
    copy_into,
    is_eye,
    is_legal,
    place,
)
from shinso.games.go_rules_numba import point_of


@part
def random_move(s, c, row, rng):  # pragma: no cover
    """Play a move drawn uniformly from the legal ones that fill no own eye; False: there is none.

    Points that turn out unplayable change places with the last one still in question, so each is
    looked at once.
    """
    left = U(s[END])
    while left > RECORD:
        i = (below(rng, (left >> U(3)) - U(1)) << U(3)) + RECORD
        p = U(s[i + LISTED])
        if not is_eye(s, p, c, row) and is_legal(s, p, c, row):
            place(s, p, c, row)
            return True
        left -= RECORD
        q = U(s[left + LISTED])
        s[left + LISTED] = p
        s[p + PLACE] = left
        s[i + LISTED] = q
        s[q + PLACE] = i
    return False


@part
def finished_area(s):  # pragma: no cover
    """Black's area minus White's where every empty point is an eye or beside both colours."""
    area = 0
    i = RECORD
    while i < U(s[END]):
        near = s[U(s[i + LISTED]) + NEAR]
        area += ((near >> 4) & 15 == 4) - ((near >> 8) & 15 == 4)
        i += RECORD
    p = RECORD
    while p < U(s.shape[0]):
        color = s[p + COLOR]
        area += (color == BLACK) - (color == WHITE)
        p += RECORD
    return area


@kernel
def play_out(s, rng):  # pragma: no cover
    """Play random moves until two passes (or 3·SIDE² moves); Black's area minus White's.

    Simple ko only: a longer repetition ends at the limit of moves. Returns (area, moves).
    """
    row = U(s[ROW])
    c = np.int16(s[TURN])
    passes = 0
    moves = 0
    limit = 3 * s[SIDE] * s[SIDE]
    while passes < 2 and moves < limit:
        if random_move(s, c, row, rng):
            passes = 0
        else:
            passes += 1
            s[KO] = NO_KO
        moves += 1
        c = np.int16(np.int16(3) - c)
    return finished_area(s), moves


@kernel
def playouts(start, count, seed, komi):  # pragma: no cover
    """``count`` random games from ``start``: Black's wins, moves played, sum of areas."""
    rng = np.empty(1, np.uint64)
    rng[0] = U(seed) * U(2654435761) + U(88172645463325252)
    s = start.copy()
    wins, total, areas = 0, 0, 0
    for _ in range(count):
        copy_into(s, start)
        area, moves = play_out(s, rng)
        wins += area > komi
        total += moves
        areas += area
    return wins, total, areas


@kernel
def ownership(start, count, seed, owned):  # pragma: no cover
    """Add to ``owned`` (point) how often a random game ended with the point Black's, less White's."""
    rng = np.empty(1, np.uint64)
    rng[0] = U(seed) * U(2654435761) + U(88172645463325252)
    s = start.copy()
    side = np.int64(s[SIDE])
    for _ in range(count):
        copy_into(s, start)
        play_out(s, rng)
        for action in range(side * side):
            near = s[point_of(s, action) + NEAR]
            color = s[point_of(s, action) + COLOR]
            owned[action] += color == BLACK or (color == 0 and (near >> 4) & 15 == 4)
            owned[action] -= color == WHITE or (color == 0 and (near >> 8) & 15 == 4)
