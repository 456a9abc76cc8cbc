"""What the rollout policy sees of a move: five numbers of features, each a row of one weight table.

    0  the 3×3 pattern around the point: the four corners (own, other's, empty, edge) and the four
       neighbours (with 1, 2, 3+ pseudo-liberties), turned to the first of its eight symmetric forms
    1  where the point lies from the last move
    2  the same with the 12 points around the last move ("response pattern"), hashed
    3  where it lies from the move before
    4  tactics: what it captures, whether it saves a chain in atari, puts itself into it, fills an eye

Silver et al. 2016, Extended Data Table 4. *Differs*: liberties in patterns are pseudo-liberties,
which the board has at hand; no nakade; response patterns share rows by their hash.
"""

import numpy as np

from shinso.games.compile_numba import kernel, part
from shinso.games.go_board_numba import (
    COLOR,
    EDGE,
    EMPTY,
    END,
    FREE,
    HEAD,
    LISTED,
    NEAR,
    RECORD,
    ROW,
    SIDE,
    SIZE,
    TURN,
    U,
    copy_into,
    is_eye,
    is_legal,
)
from shinso.games.go_planes_numba import replay
from shinso.games.go_rules_numba import action_of, point_of

PATTERNS = 134_280
"""3×3 patterns of which none is another one turned or mirrored."""
OFFSETS, RESPONSES, TACTICS = 128, 1 << 18, 64
TABLE = PATTERNS + OFFSETS + RESPONSES + OFFSETS + TACTICS
FEATURES = 5
FAR = OFFSETS - 1


def first_forms() -> np.ndarray:
    """For each number of ``pattern_of`` (20 bits) the row it shares with its symmetric forms."""
    numbers = np.arange(1 << 20, dtype=np.int64)
    # Clockwise from the right: neighbours have three bits, corners (after each of them) two.
    shifts = [5 * (i // 2) + 3 * (i % 2) for i in range(8)]
    parts = [(numbers >> shift) & (3 if i % 2 else 7) for i, shift in enumerate(shifts)]
    smallest = numbers.copy()
    for mirror in (False, True):
        for quarter in range(4):
            order = [(-i if mirror else i) + 2 * quarter for i in range(8)]
            form = np.zeros_like(numbers)
            for i, source in enumerate(order):
                form |= parts[source % 8] << shifts[i]
            np.minimum(smallest, form, out=smallest)
    return np.unique(smallest, return_inverse=True)[1].astype(np.int32)


@part
def beside_code(s, q, c):  # pragma: no cover
    """0 empty, 1 edge, 2–4 own with 1, 2, 3+ pseudo-liberties, 5–7 the other's."""
    color = s[q + COLOR]
    if color == EMPTY:
        return 0
    if color == EDGE:
        return 1
    free = min(s[U(s[q + HEAD]) + FREE], 3)
    return (1 if color == c else 4) + free


@part
def corner_code(s, q, c):  # pragma: no cover
    """0 empty, 1 edge, 2 own, 3 the other's."""
    color = s[q + COLOR]
    if color == EMPTY:
        return 0
    if color == EDGE:
        return 1
    return 2 if color == c else 3


@part
def pattern_of(s, p, c, row):  # pragma: no cover
    """The number of the 3×3 pattern around p, as seen by c, not turned."""
    found = beside_code(s, p + RECORD, c) | corner_code(s, p + RECORD + row, c) << 3
    found |= beside_code(s, p + row, c) << 5 | corner_code(s, p + row - RECORD, c) << 8
    found |= beside_code(s, p - RECORD, c) << 10 | corner_code(s, p - RECORD - row, c) << 13
    return found | beside_code(s, p - row, c) << 15 | corner_code(s, p - row + RECORD, c) << 18


@part
def offset_of(action, other, side):  # pragma: no cover
    """Where an action lies from another one: by both distances up to 10, the larger first."""
    if other < 0 or other >= side * side:
        return FAR
    rows = abs(action // side - other // side)
    columns = abs(action % side - other % side)
    larger, smaller = max(rows, columns), min(rows, columns)
    if larger > 10:
        return FAR - 1
    return larger * (larger + 1) // 2 + smaller


@part
def response_hash(s, last, c, row):  # pragma: no cover
    """A number of the 12 points within two steps of the last move and the liberties of its chain."""
    p = point_of(s, last)
    side = np.int64(s[SIDE])
    found = U(min(s[U(s[p + HEAD]) + FREE], 4))
    for across in range(-2, 3):
        for down in range(-2, 3):
            distance = abs(across) + abs(down)
            if distance == 0 or distance > 2:
                continue
            r, k = last // side + down, last % side + across
            code = 1
            if 0 <= r < side and 0 <= k < side:
                code = corner_code(s, point_of(s, r * side + k), c)
            found = found * U(4) + U(code)
    return found


@part
def tactics_of(s, p, c, row):  # pragma: no cover
    """Captured 0, 1, 2, 3+ stones · saves a chain in atari · self-atari · own eye · is alone."""
    o = np.int16(np.int16(3) - c)
    taken, saves, friends = 0, 0, 0
    support = np.int64(s[p + NEAR] & 15)
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        color = s[q + COLOR]
        if color == EMPTY or color == EDGE:  # noqa: SIM109
            continue
        h = U(s[q + HEAD])
        touching = 0
        for r in (p + RECORD, p - RECORD, p + row, p - row):
            touching += U(s[r + HEAD]) == h
        if color == o:
            if s[h + FREE] == touching:
                taken += s[h + SIZE]
                support += 1
        else:
            friends += 1
            saves |= s[h + FREE] == touching
            support += s[h + FREE] - touching
    atari = 1 if support < 2 else 0
    return min(taken, 3) | saves << 2 | atari << 3 | is_eye(s, p, c, row) << 4 | (friends == 0) << 5


@part
def features_of(s, p, c, row, last, before, response, forms, out):  # pragma: no cover
    """Write the five rows of the weight table that a move on p adds up."""
    side = np.int64(s[SIDE])
    action = action_of(s, p)
    offset = offset_of(action, last, side)
    out[0] = forms[pattern_of(s, p, c, row)]
    out[1] = PATTERNS + offset
    answer = U(0)
    if offset < 28:  # within six lines
        # Which side of the last move it lies on is part of what the hash names.
        across, down = action % side - last % side, action // side - last // side
        answer = (response * U(169) + U((down + 6) * 13 + across + 6)) * U(0x9E3779B97F4A7C15)
        answer = U(1) + (answer >> U(40)) % U(RESPONSES - 1)
    out[2] = PATTERNS + OFFSETS + np.int64(answer)
    out[3] = PATTERNS + OFFSETS + RESPONSES + offset_of(action, before, side)
    out[4] = PATTERNS + 2 * OFFSETS + RESPONSES + tactics_of(s, p, c, row)


@part
def response_to(s, last, c, row):  # pragma: no cover
    """``response_hash`` of the last action, 0 where it was a pass or none."""
    if last < 0 or last >= np.int64(s[SIDE]) * s[SIDE]:
        return U(0)
    return response_hash(s, last, c, row)


@part
def write_rows(s, last, before, forms, rows):  # pragma: no cover
    """Write the features of every legal point into ``rows`` (point, feature); 0 for other points."""
    c, row = np.int16(s[TURN]), U(s[ROW])
    rows[:] = 0
    response = response_to(s, last, c, row)
    i = RECORD
    while i < U(s[END]):
        p = U(s[i + LISTED])
        if is_legal(s, p, c, row):
            features_of(s, p, c, row, last, before, response, forms, rows[action_of(s, p)])
        i += RECORD


@kernel
def rows_of_position(s, last, before, forms, rows):  # pragma: no cover
    """``write_rows`` for callers in Python."""
    write_rows(s, last, before, forms, rows)


@kernel
def rows_of(start, actions, colors, begins, firsts, games, places, forms, out):  # pragma: no cover
    """Features of every legal point of many positions: (sample, point, feature), 0 for other points."""
    s = start.copy()
    for i in range(games.shape[0]):
        copy_into(s, start)
        first, at = firsts[games[i]], places[i]
        replay(s, actions, colors, begins[games[i]], first, at)
        last = np.int64(actions[at - 1]) if at - 1 >= first else -1
        before = np.int64(actions[at - 2]) if at - 2 >= first else -1
        write_rows(s, last, before, forms, out[i])
