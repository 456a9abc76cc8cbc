"""Positions as planes of numbers for a network: the raw board (Zero), and with what a player counts
before a move (Lee).

Lee (23 planes): liberties 1, 2, 3, 4+ of own chains (0–3) and of the other's (4–7), empty (8), ones
(9), age of the last four moves (10–13), points that are empty but forbidden (14), stones a move here
captures 1, 2, 3+ (15–17), liberties of the new chain 1, 2, 3, 4+ (18–21), own one-point eyes (22).
They are those of Silver et al. 2016, Extended Data Table 2, without ladders and with fewer steps.

Zero (7 planes): own stones, the other's, points that are empty but forbidden, the last move, the one
before, ones, Black to move. *Differs* from Silver et al. 2017: two moves instead of eight positions;
what the eight are for, repetition, is in the plane of forbidden points.
"""

import numpy as np

from shinso.games.compile_numba import kernel, part
from shinso.games.go_board_numba import (
    BLACK,
    COLOR,
    EMPTY,
    FREE,
    HEAD,
    KO,
    NEXT,
    NO_KO,
    RECORD,
    ROW,
    SIDE,
    SIZE,
    TURN,
    U,
    copy_into,
    is_eye,
    is_legal,
    place,
)
from shinso.games.go_rules_numba import action_of, point_of

LEE_PLANES, ZERO_PLANES = 23, 7
AGES = 4


@part
def captured_head(s, p, q, o, row):  # pragma: no cover
    """HEAD of the chain of o on q if a stone on p would capture it, 0 otherwise."""
    if s[q + COLOR] != o:
        return U(0)
    h = U(s[q + HEAD])
    touching = 0
    for r in (p + RECORD, p - RECORD, p + row, p - row):
        touching += U(s[r + HEAD]) == h
    return h if s[h + FREE] == touching else U(0)


@part
def opens(s, q, o, h1, h2, h3, h4, marked, stamp):  # pragma: no cover
    """1 where q is a liberty not yet counted: empty, or of a chain that would be captured."""
    if marked[q] == stamp:
        return 0
    color = s[q + COLOR]
    h = U(s[q + HEAD])
    free = color == EMPTY or (color == o and h in (h1, h2, h3, h4))
    if free:
        marked[q] = stamp
        return 1
    return 0


@part
def new_chain(s, p, c, row, marked, stamp):  # pragma: no cover
    """(stones captured, liberties up to 4 of the new chain) if c played on the empty point p."""
    o = np.int16(np.int16(3) - c)
    # Chains that would leave the board, each once.
    h1 = captured_head(s, p, p + RECORD, o, row)
    h2 = captured_head(s, p, p - RECORD, o, row)
    h3 = captured_head(s, p, p + row, o, row)
    h4 = captured_head(s, p, p - row, o, row)
    h2 = U(0) if h2 == h1 else h2
    h3 = U(0) if h3 in (h1, h2) else h3
    h4 = U(0) if h4 in (h1, h2, h3) else h4
    taken = 0
    for h in (h1, h2, h3, h4):
        if h != U(0):
            taken += s[h + SIZE]
    liberties = 0
    marked[p] = stamp
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] != c:
            liberties += opens(s, q, o, h1, h2, h3, h4, marked, stamp)
    # Joined chains are walked until the fourth liberty is found, so long chains cost little.
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] == c:
            h = U(s[q + HEAD])
            stone = h
            while liberties < 4:
                for r in (stone + RECORD, stone - RECORD, stone + row, stone - row):
                    liberties += opens(s, r, o, h1, h2, h3, h4, marked, stamp)
                stone = U(s[stone + NEXT])
                if stone == h:
                    break
    return taken, min(liberties, 4)


@part
def chain_liberties(s, h, row, marked, stamp):  # pragma: no cover
    """Liberties of the chain h, counted up to 4."""
    found = 0
    stone = h
    while found < 4:
        for r in (stone + RECORD, stone - RECORD, stone + row, stone - row):
            if s[r + COLOR] == EMPTY and marked[r] != stamp:
                marked[r] = stamp
                found += 1
        stone = U(s[stone + NEXT])
        if stone == h:
            break
    return min(found, 4)


@part
def lee_planes(s, last, marked, out):  # pragma: no cover
    """Write the 23 planes of the player to move; last: the last actions, newest first, −1 for none."""
    out[:] = 0
    c = np.int16(s[TURN])
    row = U(s[ROW])
    points = np.int64(s[SIDE]) * s[SIDE]
    stamp = 0
    marked[:] = 0
    out[9, :] = 1
    for action in range(points):
        p = point_of(s, action)
        color = s[p + COLOR]
        if color == EMPTY:
            out[8, action] = 1
            if is_legal(s, p, c, row):
                stamp += 1
                taken, free = new_chain(s, p, c, row, marked, stamp)
                if taken > 0:
                    out[14 + min(taken, 3), action] = 1
                if free > 0:
                    out[17 + free, action] = 1
                if is_eye(s, p, c, row):
                    out[22, action] = 1
            else:
                out[14, action] = 1
        elif U(s[p + HEAD]) == p:
            stamp += 1
            free = chain_liberties(s, p, row, marked, stamp)
            plane = free - 1 if color == c else free + 3
            stone = p
            while True:
                out[plane, action_of(s, stone)] = 1
                stone = U(s[stone + NEXT])
                if stone == p:
                    break
    for age in range(AGES):
        if 0 <= last[age] < points:
            out[10 + age, last[age]] = 1


@part
def zero_planes(s, legal, last, before, out):  # pragma: no cover
    """Write the 7 planes. legal: the whole truth, superko included; last, before: actions or −1."""
    c = np.int16(s[TURN])
    points = np.int64(s[SIDE]) * s[SIDE]
    for action in range(points):
        color = s[point_of(s, action) + COLOR]
        out[0, action] = color == c
        out[1, action] = color == np.int16(3) - c
        out[2, action] = color == EMPTY and not legal[action]
        out[3, action] = action == last
        out[4, action] = action == before
        out[5, action] = 1
        out[6, action] = c == BLACK


@part
def replay(s, actions, colors, begin, first, end):  # pragma: no cover
    """Put the stones begin … first of a game on the board, then play its moves up to ``end``."""
    row = U(s[ROW])
    points = np.int64(s[SIDE]) * s[SIDE]
    for i in range(begin, end):
        s[KO] = NO_KO
        if actions[i] < points:
            place(s, point_of(s, actions[i]), np.int16(colors[i]), row)
        if i < first:
            s[KO] = NO_KO
    s[TURN] = colors[end]


@kernel
def first_illegal(start, actions, colors, begins, firsts, wrong):  # pragma: no cover
    """Write for each game the place of its first move that the rules (simple ko) forbid, or −1."""
    points = np.int64(start[SIDE]) * start[SIDE]
    row = U(start[ROW])
    s = start.copy()
    for game in range(firsts.shape[0]):
        copy_into(s, start)
        wrong[game] = -1
        for i in range(begins[game], begins[game + 1]):
            action, c = actions[i], np.int16(colors[i])
            if action < points:
                p = point_of(s, action)
                if s[p + COLOR] != EMPTY or not is_legal(s, p, c, row):
                    wrong[game] = i
                    break
                place(s, p, c, row)
                if i < firsts[game]:
                    s[KO] = NO_KO
            else:
                s[KO] = NO_KO


@kernel
def planes_of(
    start, actions, colors, begins, firsts, games, places, turned, out
):  # pragma: no cover
    """Lee planes of many positions: of game games[i] before the move that stands at places[i], seen
    through the permutation turned[i] (``symmetry.symmetries``). out: (sample, plane, point)."""
    s = start.copy()
    last = np.empty(AGES, np.int64)
    marked = np.zeros(start.shape[0], np.int32)
    planes = np.empty((LEE_PLANES, out.shape[2]), np.float32)
    for i in range(games.shape[0]):
        copy_into(s, start)
        begin, first = begins[games[i]], firsts[games[i]]
        replay(s, actions, colors, begin, first, places[i])
        for age in range(AGES):
            at = places[i] - 1 - age
            last[age] = actions[at] if at >= first else -1
        lee_planes(s, last, marked, planes)
        for plane in range(LEE_PLANES):
            for point in range(out.shape[2]):
                out[i, plane, point] = planes[plane, turned[i, point]]


@kernel
def lee_planes_of(s, last, out):  # pragma: no cover
    """``lee_planes`` of one position for callers in Python."""
    lee_planes(s, last, np.zeros(s.shape[0], np.int32), out)


@kernel
def lee_planes_of_boards(boards, lasts, out):  # pragma: no cover
    """``lee_planes`` of many positions: (position, plane, point)."""
    marked = np.zeros(boards.shape[1], np.int32)
    for i in range(boards.shape[0]):
        lee_planes(boards[i], lasts[i], marked, out[i])


@kernel
def zero_planes_of(s, legal, last, before, out):  # pragma: no cover
    """``zero_planes`` of one position for callers in Python."""
    zero_planes(s, legal, last, before, out)
