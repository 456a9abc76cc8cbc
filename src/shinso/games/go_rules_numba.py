"""What Python asks of a board: a new one, whole moves with their hash, legal moves, area, safety.

Actions are numbers: row · side + column with row 0 at the top of a diagram, and side² for a pass.
"""

import numpy as np

from shinso.games.compile_numba import kernel, part
from shinso.games.go_board_numba import (
    BLACK,
    COLOR,
    EDGE,
    EMPTY,
    END,
    FREE,
    HEAD,
    KO,
    LISTED,
    MOVES,
    NEAR,
    NEXT,
    NO_KO,
    NOWHERE,
    PASSES,
    PLACE,
    RECORD,
    ROW,
    SIDE,
    SUICIDE,
    TURN,
    WHITE,
    U,
    is_legal,
    place,
)


@part
def point_of(s, action):  # pragma: no cover
    """The point of an action that is no pass."""
    side = U(s[SIDE])
    a = U(action)
    return (a // side + U(1)) * U(s[ROW]) + (a % side + U(2)) * RECORD


@part
def action_of(s, p):  # pragma: no cover
    """The action of a point on the board."""
    place_ = U(p) // RECORD - U(1)
    wide = U(s[SIDE]) + U(1)
    return np.int64((place_ // wide - U(1)) * U(s[SIDE]) + place_ % wide - U(1))


@kernel
def new_board(side, suicide):  # pragma: no cover
    """An empty board of side × side points, Black to move."""
    s = np.zeros(8 * (side * side + 3 * side + 4), np.int16)
    s[SIDE] = side
    s[ROW] = 8 * (side + 1)
    s[TURN] = BLACK
    s[SUICIDE] = suicide
    p = RECORD
    while p < U(s.shape[0]):
        s[p + COLOR] = EDGE
        s[p + HEAD] = NOWHERE
        p += RECORD
    for action in range(side * side):
        p = point_of(s, action)
        s[p + COLOR] = EMPTY
        i = RECORD * U(action + 1)
        s[i + LISTED] = p
        s[p + PLACE] = i
    s[END] = 8 * (side * side + 1)
    row = U(s[ROW])
    for action in range(side * side):
        p = point_of(s, action)
        for q in (p + RECORD, p - RECORD, p + row, p - row):
            s[p + NEAR] += 1 if s[q + COLOR] == EMPTY else 0x110
    return s


@kernel
def put_stone(s, keys, hashed, action, color):  # pragma: no cover
    """A stone set up, not played: nobody's turn passes and no ko is left. Returns the new hash,
    which is right as long as nothing was captured; the caller looks."""
    place(s, point_of(s, action), np.int16(color), U(s[ROW]))
    s[KO] = NO_KO
    return hashed ^ keys[color - 1, action]


@part
def capture_hash(s, keys, hashed, p, c, row):  # pragma: no cover
    """Hash of the stones after c plays on p, without playing. p is legal but for repetition."""
    o = np.int16(np.int16(3) - c)
    after = hashed ^ keys[c - 1, action_of(s, p)]
    s_free = 0
    done1, done2, done3 = U(0), U(0), U(0)
    taken = False
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] != o:
            continue
        h = U(s[q + HEAD])
        if h == done1 or h == done2 or h == done3:  # noqa: SIM109
            continue
        done3, done2, done1 = done2, done1, h
        touching = 0
        for r in (p + RECORD, p - RECORD, p + row, p - row):
            touching += U(s[r + HEAD]) == h
        if s[h + FREE] == touching:
            taken = True
            stone = h
            while True:
                after ^= keys[o - 1, action_of(s, stone)]
                stone = U(s[stone + NEXT])
                if stone == h:
                    break
    if taken or s[SUICIDE] == 0 or (s[p + NEAR] & 15) != 0:
        return after
    # Suicide, where the rules know it: all own chains beside p may lose their last liberty.
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] == c:
            h = U(s[q + HEAD])
            touching = 0
            for r in (p + RECORD, p - RECORD, p + row, p - row):
                touching += U(s[r + HEAD]) == h
            s_free += s[h + FREE] - touching
    if s_free > 0:
        return after
    after = hashed
    done1, done2, done3 = U(0), U(0), U(0)
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        if s[q + COLOR] == c:
            h = U(s[q + HEAD])
            if h == done1 or h == done2 or h == done3:  # noqa: SIM109
                continue
            done3, done2, done1 = done2, done1, h
            stone = h
            while True:
                after ^= keys[c - 1, action_of(s, stone)]
                stone = U(s[stone + NEXT])
                if stone == h:
                    break
    return after


@part
def was_there(hashed, seen, num_seen):  # pragma: no cover
    """Whether the hash is among the first ``num_seen`` ones, looked at from the last back."""
    for i in range(num_seen - 1, -1, -1):  # noqa: SIM110
        if seen[i] == hashed:
            return True
    return False


@kernel
def legal_moves(s, keys, hashed, seen, num_seen, legal):  # pragma: no cover
    """Write into ``legal`` (side² + 1 bytes) which actions the rules allow, a pass always.

    seen: hashes of all earlier positions; num_seen 0 asks for no more than simple ko.
    """
    legal[:] = 0
    legal[legal.shape[0] - 1] = 1
    c = np.int16(s[TURN])
    row = U(s[ROW])
    i = RECORD
    while i < U(s[END]):
        p = U(s[i + LISTED])
        if is_legal(s, p, c, row):
            ok = True
            if num_seen > 0:
                ok = not was_there(capture_hash(s, keys, hashed, p, c, row), seen, num_seen)
            legal[action_of(s, p)] = ok
        i += RECORD


@kernel
def play(s, keys, hashed, action):  # pragma: no cover
    """Play a legal action and pass the turn; the hash of the stones afterwards."""
    c = np.int16(s[TURN])
    if action == np.int64(s[SIDE]) * s[SIDE]:
        s[KO] = NO_KO
        s[PASSES] += 1
    else:
        p = point_of(s, action)
        before = U(s[END])
        place(s, p, c, U(s[ROW]))
        s[PASSES] = 0
        # ``put`` shortened the list by one and every stone that left came to its end.
        i = before - RECORD
        suicide = s[p + COLOR] == EMPTY
        color = c if suicide else np.int16(3) - c
        hashed ^= keys[c - 1, action]
        while i < U(s[END]):
            hashed ^= keys[color - 1, action_of(s, U(s[i + LISTED]))]
            i += RECORD
    s[TURN] = np.int16(3) - c
    s[MOVES] += 1
    return hashed


@kernel
def hash_of(s, keys):  # pragma: no cover
    """Zobrist hash of the stones from nothing (Zobrist 1970)."""
    hashed = U(0)
    for action in range(s[SIDE] * s[SIDE]):
        color = s[point_of(s, action) + COLOR]
        if color != EMPTY:
            hashed ^= keys[color - 1, action]
    return hashed


@kernel
def colors(s, out):  # pragma: no cover
    """Write the colour of every point (0 empty, 1 black, 2 white) in the order of actions."""
    for action in range(out.shape[0]):
        out[action] = s[point_of(s, action) + COLOR]


@kernel
def count_liberties(s, out):  # pragma: no cover
    """Write the true liberties of each stone's chain, 0 for empty points."""
    row = U(s[ROW])
    marked = np.zeros(s.shape[0], np.int16)
    out[:] = 0
    turn = np.int16(0)
    for action in range(out.shape[0]):
        p = point_of(s, action)
        if U(s[p + HEAD]) != p:
            continue
        turn += np.int16(1)
        found = 0
        stone = p
        while True:
            for q in (stone + RECORD, stone - RECORD, stone + row, stone - row):
                if s[q + COLOR] == EMPTY and marked[q] != turn:
                    marked[q] = turn
                    found += 1
            stone = U(s[stone + NEXT])
            if stone == p:
                break
        while True:
            out[action_of(s, stone)] = found
            stone = U(s[stone + NEXT])
            if stone == p:
                break


@kernel
def area(s, owner):  # pragma: no cover
    """Tromp–Taylor area: black minus white. owner: 1 black, −1 white, 0 neither, of every point.

    An empty region belongs to the colour that alone it touches; no stone is taken to be dead.
    """
    row = U(s[ROW])
    points = s[SIDE] * s[SIDE]
    waiting = np.empty(points, np.uint64)
    reached = np.zeros(s.shape[0], np.uint8)
    total = 0
    for action in range(points):
        p = point_of(s, action)
        color = s[p + COLOR]
        if color != EMPTY:
            owner[action] = 1 if color == BLACK else -1
            total += owner[action]
            continue
        if reached[p]:
            continue
        touched = 0
        length = 1
        waiting[0] = p
        reached[p] = 1
        next_ = 0
        while next_ < length:
            q = waiting[next_]
            next_ += 1
            for r in (q + RECORD, q - RECORD, q + row, q - row):
                other = s[r + COLOR]
                if other == EMPTY:
                    if not reached[r]:
                        reached[r] = 1
                        waiting[length] = r
                        length += 1
                elif other != EDGE:
                    touched |= other
        whose = 1 if touched == BLACK else (-1 if touched == WHITE else 0)
        for i in range(length):
            owner[action_of(s, waiting[i])] = whose
        total += whose * length
    return total


@part
def _is_vital(s, members, begin, end, h, row):  # pragma: no cover
    """Whether every empty point of the region is a liberty of the chain h, and it has one."""
    empty = 0
    for i in range(begin, end):
        q = members[i]
        if s[q + COLOR] != EMPTY:
            continue
        empty += 1
        touches = False
        for r in (q + RECORD, q - RECORD, q + row, q - row):
            touches |= U(s[r + HEAD]) == h
        if not touches:
            return False
    return empty > 0


@part
def _encloses(s, c, members, first, one, alive, row):  # pragma: no cover
    """Whether all empty points of the region touch safe chains of c: the enemy makes no eye there."""
    for i in range(first[one], first[one + 1]):
        q = members[i]
        if s[q + COLOR] != EMPTY:
            continue
        touches = False
        for r in (q + RECORD, q - RECORD, q + row, q - row):
            touches |= s[r + COLOR] == c and alive[U(s[r + HEAD])]
        if not touches:
            return False
    return True


@part
def safe_of(s, c, owner):  # pragma: no cover
    """Mark Benson-safe points of c in ``owner`` with ±1: chains of c that live without another move,
    and the regions inside, where the enemy can make no eye (Benson 1976). Enemy stones in such a
    region count as dead.

    A region of points not of c is vital to a chain when all its empty points are liberties of the
    chain. Chains with fewer than two vital regions, and regions that touch a dropped chain, are
    dropped until nothing changes.
    """
    row = U(s[ROW])
    points = s[SIDE] * s[SIDE]
    region = np.zeros(s.shape[0], np.int16)
    members = np.empty(points, np.uint64)
    first = np.zeros(points + 2, np.int32)
    regions, filled = 0, 0
    for action in range(points):
        p = point_of(s, action)
        if s[p + COLOR] == c or region[p]:
            continue
        regions += 1
        first[regions] = filled
        region[p] = regions
        members[filled] = p
        filled += 1
        next_ = first[regions]
        while next_ < filled:
            q = members[next_]
            next_ += 1
            for r in (q + RECORD, q - RECORD, q + row, q - row):
                if s[r + COLOR] != c and s[r + COLOR] != EDGE and not region[r]:
                    region[r] = regions
                    members[filled] = r
                    filled += 1
    first[regions + 1] = filled
    healthy = np.ones(regions + 1, np.uint8)
    alive = np.ones(s.shape[0], np.uint8)
    changed = True
    while changed:
        changed = False
        for action in range(points):
            h = point_of(s, action)
            if s[h + COLOR] != c or U(s[h + HEAD]) != h or not alive[h]:
                continue
            vital = 0
            for one in range(1, regions + 1):
                vital += healthy[one] and _is_vital(s, members, first[one], first[one + 1], h, row)
            if vital < 2:
                alive[h] = 0
                changed = True
        for one in range(1, regions + 1):
            if not healthy[one]:
                continue
            for i in range(first[one], first[one + 1]):
                q = members[i]
                for r in (q + RECORD, q - RECORD, q + row, q - row):
                    if s[r + COLOR] == c and not alive[U(s[r + HEAD])]:
                        healthy[one] = 0
            changed |= not healthy[one]
    whose = 1 if c == BLACK else -1
    for action in range(points):
        p = point_of(s, action)
        if s[p + COLOR] == c:
            if alive[U(s[p + HEAD])]:
                owner[action] = whose
        elif healthy[region[p]] and _encloses(s, c, members, first, region[p], alive, row):
            owner[action] = whose


@kernel
def safe_area(s, owner):  # pragma: no cover
    """Write 1 where Black is safe without another move, −1 where White is, 0 elsewhere."""
    owner[:] = 0
    safe_of(s, BLACK, owner)
    safe_of(s, WHITE, owner)
