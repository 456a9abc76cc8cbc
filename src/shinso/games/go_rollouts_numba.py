"""Whole games by the rollout policy, with features computed only where a move has changed them.

A move's chance is a product of five weights (``go_patterns_numba``). Two of them, its pattern and its
tactics, depend on the stones around it and on the liberties of their chains: their product is kept for
every empty point and either colour, and computed anew where it may have changed. The other three
depend on the last two moves and are multiplied in row by row, from small tables.

Numbers of points here are those of their records (p / RECORD), so that a row of the board is a row of
memory. What changes with a move, and is *stale* until its colour's turn comes:

* the eight points around every stone that comes or goes, and the points of stones that go;
* the liberties of every chain whose pseudo-liberties change from or to a number up to CLOSE: beyond it
  neither pattern nor tactics nor legality can tell numbers apart;
* the point of a ko, when it comes and when it goes.
"""

import numpy as np

from shinso.games.compile_numba import kernel, part
from shinso.games.go_board_numba import (
    COLOR,
    EMPTY,
    END,
    FREE,
    HEAD,
    KO,
    LISTED,
    NEAR,
    NEXT,
    NO_KO,
    RECORD,
    ROW,
    SIDE,
    TURN,
    U,
    below,
    copy_into,
    is_eye,
    is_legal,
    place,
)
from shinso.games.go_patterns_numba import (
    FAR,
    OFFSETS,
    PATTERNS,
    RESPONSES,
    pattern_of,
    response_hash,
    tactics_of,
)
from shinso.games.go_playouts_numba import finished_area
from shinso.games.go_rules_numba import action_of, point_of

CLOSE = 5
ALONE = PATTERNS + 2 * OFFSETS + RESPONSES + 32
"""The row of ``tactics_of`` a point with nothing beside it."""
NEAR_OFFSETS = 28
"""Offsets below it lie within six lines of the last move and have response patterns."""
HASH = U(0x9E3779B97F4A7C15)


@part
def offset_weights(weights, side, lasts, befores):  # pragma: no cover
    """Fill tables (rows apart, columns apart + side − 1) of the weights that follow from how far a point
    lies from the last move (``lasts``) and from the one before; their last rows: there is none."""
    far = weights[PATTERNS + OFFSETS]
    for rows in range(side):
        for at in range(2 * side - 1):
            columns = abs(at - side + 1)
            larger, smaller = max(rows, columns), min(rows, columns)
            offset = FAR - 1 if larger > 10 else larger * (larger + 1) // 2 + smaller
            lasts[rows, at] = weights[PATTERNS + offset]
            if offset >= NEAR_OFFSETS:
                lasts[rows, at] *= far
            befores[rows, at] = weights[PATTERNS + OFFSETS + RESPONSES + offset]
    lasts[side, :] = weights[PATTERNS + FAR] * far
    befores[side, :] = weights[PATTERNS + OFFSETS + RESPONSES + FAR]


@part
def mark(s, p, stale, listed, counts):  # pragma: no cover
    """The empty point p has to be looked at again, for either colour."""
    if s[p + COLOR] == EMPTY:
        at = p >> U(3)
        for color in range(2):
            if stale[color, at] == 0:
                stale[color, at] = 1
                listed[color, counts[color]] = at
                counts[color] += 1


@part
def mark_around(s, p, row, stale, listed, counts):  # pragma: no cover
    """The eight points around p."""
    for q in (
        p + RECORD, p - RECORD, p + row, p - row,
        p + row + RECORD, p + row - RECORD, p - row + RECORD, p - row - RECORD,
    ):  # fmt: skip
        mark(s, q, stale, listed, counts)


@part
def mark_liberties(s, h, row, stale, listed, counts):  # pragma: no cover
    """All liberties of the chain h."""
    stone = h
    while True:
        for q in (stone + RECORD, stone - RECORD, stone + row, stone - row):
            mark(s, q, stale, listed, counts)
        stone = U(s[stone + NEXT])
        if stone == h:
            break


@part
def place_and_mark(s, p, c, row, stale, listed, counts):  # pragma: no cover
    """``place``, and what may have changed by it becomes stale."""
    o = np.int16(np.int16(3) - c)
    if U(s[KO]) != NO_KO:
        mark(s, U(s[KO]), stale, listed, counts)
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] == c and s[U(s[q + HEAD]) + FREE] <= CLOSE:
            mark_liberties(s, U(s[q + HEAD]), row, stale, listed, counts)
    before = U(s[END])
    place(s, p, c, row)
    mark_around(s, p, row, stale, listed, counts)
    if s[p + COLOR] == c and s[U(s[p + HEAD]) + FREE] <= CLOSE:
        mark_liberties(s, U(s[p + HEAD]), row, stale, listed, counts)
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] == o and s[U(s[q + HEAD]) + FREE] <= CLOSE:
            mark_liberties(s, U(s[q + HEAD]), row, stale, listed, counts)
    # ``put`` shortened the list of empty points by one; stones that went came to its end.
    i = before - RECORD
    while i < U(s[END]):
        gone = U(s[i + LISTED])
        mark(s, gone, stale, listed, counts)
        mark_around(s, gone, row, stale, listed, counts)
        for q in (gone + RECORD, gone - RECORD, gone + row, gone - row):
            if s[q + COLOR] == c or s[q + COLOR] == o:
                mark_liberties(s, U(s[q + HEAD]), row, stale, listed, counts)
        i += RECORD
    if U(s[KO]) != NO_KO:
        mark(s, U(s[KO]), stale, listed, counts)


@part
def refresh(s, c, row, forms, weights, base, stale, listed, counts):  # pragma: no cover
    """Compute pattern and tactics of c's stale points; 0 where c may not play or fills an own eye."""
    color = np.int64(c) - 1
    for i in range(counts[color]):
        at = listed[color, i]
        stale[color, at] = 0
        p = U(at) << U(3)
        chance = np.float32(0.0)
        if s[p + COLOR] != EMPTY:
            pass
        elif (s[p + NEAR] & 15) == 4:  # most points: all around is empty, and tactics are known
            chance = weights[forms[pattern_of(s, p, c, row)]] * weights[ALONE]
        elif not is_eye(s, p, c, row) and is_legal(s, p, c, row):
            chance = weights[forms[pattern_of(s, p, c, row)]]
            chance *= weights[PATTERNS + 2 * OFFSETS + RESPONSES + tactics_of(s, p, c, row)]
        base[color, at] = chance
    counts[color] = 0


@part
def multiply(
    s, c, row, last, before, weights, base, lasts, befores, chances, columns
):  # pragma: no cover
    """Write the chance of every point into ``chances`` (row, column) and their sums into ``columns``."""
    side = np.int64(s[SIDE])
    points = side * side
    one = 0 <= last < points
    two = 0 <= before < points
    row1, column1 = (last // side, last % side) if one else (0, 0)
    row2, column2 = (before // side, before % side) if two else (0, 0)
    begin1, begin2 = side - 1 - column1, side - 1 - column2
    # Slices from 0 on: numba then sees that no index is negative, and eight columns go at a time.
    for k in range(side):
        columns[k] = 0.0
    for r in range(side):
        first = (r + 1) * (side + 1) + 2
        own = base[c - 1, first : first + side]
        near = lasts[abs(r - row1) if one else side, begin1 : begin1 + side]
        far = befores[abs(r - row2) if two else side, begin2 : begin2 + side]
        out = chances[r]
        for k in range(side):
            out[k] = own[k] * near[k] * far[k]
    if one:
        response = response_hash(s, last, c, row)
        for r in range(max(row1 - 6, 0), min(row1 + 7, side)):
            for k in range(max(column1 - 6, 0), min(column1 + 7, side)):
                if chances[r, k] > 0:
                    answer = response * U(169) + U((r - row1 + 6) * 13 + k - column1 + 6)
                    answer = U(1) + ((answer * HASH) >> U(40)) % U(RESPONSES - 1)
                    chances[r, k] *= weights[PATTERNS + OFFSETS + np.int64(answer)]
    for r in range(side):
        out = chances[r]
        for k in range(side):
            columns[k] += out[k]


@part
def draw_point(s, chances, columns, rng):  # pragma: no cover
    """A point in proportion to its chance; NO point is 0."""
    side = np.int64(s[SIDE])
    total = np.float32(0.0)
    for k in range(side):
        total += columns[k]
    if total <= 0:
        return U(0)
    left = np.float32(np.float64(below(rng, U(1 << 24))) / (1 << 24)) * total
    last = -1
    for k in range(side):
        if columns[k] > 0:
            last = k
            if left < columns[k]:
                break
            left -= columns[k]
    chosen = -1
    for r in range(side):
        if chances[r, last] > 0:
            chosen = r
            if left < chances[r, last]:
                break
            left -= chances[r, last]
    return point_of(s, chosen * side + last)


@part
def all_stale(s, weights):  # pragma: no cover
    """Memory for a game in which every empty point is still to be looked at: products of pattern and
    tactics (colour, record), which of them are stale, a list of those and its lengths, and the tables
    of ``offset_weights``."""
    records, side = s.shape[0] // 8, np.int64(s[SIDE])
    base = np.zeros((2, records), np.float32)
    stale = np.zeros((2, records), np.uint8)
    listed = np.empty((2, records), np.int32)
    counts = np.zeros(2, np.int64)
    lasts = np.empty((side + 1, 2 * side - 1), np.float32)
    befores = np.empty((side + 1, 2 * side - 1), np.float32)
    offset_weights(weights, side, lasts, befores)
    i = RECORD
    while i < U(s[END]):
        mark(s, U(s[i + LISTED]), stale, listed, counts)
        i += RECORD
    return base, stale, listed, counts, lasts, befores


@kernel
def play_out_by_policy(s, forms, weights, last, before, rng):  # pragma: no cover
    """Play moves of the rollout policy to the end. Returns (Black's area minus White's, moves).

    weights: exp of the table, so that a product stands for the exponential of a sum. last, before: the
    actions before this position, −1 for none.
    """
    row, side = U(s[ROW]), np.int64(s[SIDE])
    base, stale, listed, counts, lasts, befores = all_stale(s, weights)
    chances = np.empty((side, side), np.float32)
    columns = np.empty(side, np.float32)
    c = np.int16(s[TURN])
    passes, moves = 0, 0
    while passes < 2 and moves < 3 * side * side:
        refresh(s, c, row, forms, weights, base, stale, listed, counts)
        multiply(s, c, row, last, before, weights, base, lasts, befores, chances, columns)
        p = draw_point(s, chances, columns, rng)
        before = last
        if p != U(0):
            last = action_of(s, p)
            place_and_mark(s, p, c, row, stale, listed, counts)
            base[0, p >> U(3)] = 0
            base[1, p >> U(3)] = 0
            passes = 0
        else:
            last = side * side
            passes += 1
            if U(s[KO]) != NO_KO:
                mark(s, U(s[KO]), stale, listed, counts)
            s[KO] = NO_KO
        moves += 1
        c = np.int16(np.int16(3) - c)
    return finished_area(s), moves


@kernel
def policy_games(start, count, seed, forms, weights):  # pragma: no cover
    """``count`` games from ``start``: (sum of areas, moves played)."""
    rng = np.empty(1, np.uint64)
    rng[0] = U(seed) * U(2654435761) + U(88172645463325252)
    s = start.copy()
    areas, moves = 0, 0
    for _ in range(count):
        copy_into(s, start)
        area, played = play_out_by_policy(s, forms, weights, -1, -1, rng)
        areas += area
        moves += played
    return areas, moves


@kernel
def chances_along(start, actions, forms, weights, out):  # pragma: no cover
    """Chances of all points before each of the given moves, kept up to date as in a rollout; for tests.
    out: (move, row, column)."""
    s = start.copy()
    row, side = U(s[ROW]), np.int64(s[SIDE])
    base, stale, listed, counts, lasts, befores = all_stale(s, weights)
    columns = np.empty(side, np.float32)
    c = np.int16(s[TURN])
    last, before = -1, -1
    for number in range(actions.shape[0]):
        refresh(s, c, row, forms, weights, base, stale, listed, counts)
        multiply(s, c, row, last, before, weights, base, lasts, befores, out[number], columns)
        before, last = last, np.int64(actions[number])
        p = point_of(s, last)
        place_and_mark(s, p, c, row, stale, listed, counts)
        base[0, p >> U(3)] = 0
        base[1, p >> U(3)] = 0
        c = np.int16(np.int16(3) - c)
