"""The heart of the Go engine: a board is one array of int16, a move changes a few of its numbers.

The board is cut into records of eight numbers. The first record is the head: facts of the whole
position. All others are points, row by row, with a border of EDGE points around the board so that
no neighbour has to be asked whether it exists; the right border of a row is the left one of the
next.

    head    SIDE  ROW   END   KO    TURN  PASSES  MOVES   SUICIDE
    point   COLOR NEAR  HEAD   NEXT  SIZE  FREE    LISTED  PLACE

* A *point* is the index of its record's first number, so the field F of the point p is ``s[p + F]``,
  its neighbours are ``p ± RECORD`` and ``p ± s[ROW]``, and no multiplication is ever needed. Points
  are held as unsigned 64-bit: a signed index would make numba test for negative ones at each access.
* Stones of a chain form a ring through NEXT and know their chain by HEAD, the point whose SIZE and
  FREE are the chain's. FREE counts pseudo-liberties: an empty point is counted once for each stone
  beside it, so 0 means captured and every change is one addition. (True liberties are counted when
  they are asked for, ``go_rules_numba.count_liberties``.)
* NEAR packs how many of the four neighbours are empty (bits 0–3), black (4–7) and white (8–11); the
  border counts as both colours, so an eye of c and a point without liberty are single comparisons.
* Empty points stand in a list without order, in LISTED of the records from the first point's up to
  END; PLACE of a point is the record in which it is listed. Captured stones come to the list's end, which is how a caller
  knows them (``go_rules_numba.play`` updates the position's hash from there).
* HEAD of empty and border points is NOWHERE, the first border point, whose FREE is scratch.

One array instead of eight, and unsigned points, make random games twice as fast; that is why the
engine reads like this and not like a class.
"""

import numpy as np

from shinso.games.compile_numba import part

U = np.uint64
RECORD = U(8)
COLOR, NEAR, HEAD, NEXT, SIZE, FREE, LISTED, PLACE = (U(field) for field in range(8))
SIDE, ROW, END, KO, TURN, PASSES, MOVES, SUICIDE = (U(field) for field in range(8))

EMPTY, BLACK, WHITE, EDGE = np.int16(0), np.int16(1), np.int16(2), np.int16(3)
NOWHERE = RECORD
"""HEAD of what is no stone."""
NO_KO = U(0)


@part
def below(rng, n):  # pragma: no cover
    """A random number from 0 to n − 1; rng is one uint64 (xorshift64, Marsaglia 2003)."""
    x = rng[0]
    x ^= x << U(13)
    x ^= x >> U(7)
    x ^= x << U(17)
    rng[0] = x
    return ((x >> U(32)) * n) >> U(32)


@part
def copy_into(s, other):  # pragma: no cover
    """``s[:] = other`` without the check of shapes, whose message takes seconds to compile."""
    for i in range(other.shape[0]):
        s[i] = other[i]


@part
def put(s, p, c, row):  # pragma: no cover
    """A stone comes to the empty point p: its colour, its neighbours' counts, the list."""
    s[p + COLOR] = c
    change = np.int16(1 << (4 * c)) - np.int16(1)
    s[p + RECORD + NEAR] += change
    s[p - RECORD + NEAR] += change
    s[p + row + NEAR] += change
    s[p - row + NEAR] += change
    end = U(s[END]) - RECORD
    s[END] = end
    last = U(s[end + LISTED])
    i = U(s[p + PLACE])
    s[i + LISTED] = last
    s[last + PLACE] = i


@part
def lift(s, p, c, row):  # pragma: no cover
    """The stone on p goes; what ``put`` did is undone."""
    s[p + COLOR] = EMPTY
    change = np.int16(1) - np.int16(1 << (4 * c))
    s[p + RECORD + NEAR] += change
    s[p - RECORD + NEAR] += change
    s[p + row + NEAR] += change
    s[p - row + NEAR] += change
    end = U(s[END])
    s[end + LISTED] = p
    s[p + PLACE] = end
    s[END] = end + RECORD


@part
def is_eye(s, p, c, row):  # pragma: no cover
    """Whether p is a one-point eye of c: c or border all around, at most one false corner (none at
    the edge of the board)."""
    if ((s[p + NEAR] >> (4 * c)) & 15) != 4:
        return False
    o = np.int16(np.int16(3) - c)
    a = s[p + row + RECORD + COLOR]
    b = s[p + row - RECORD + COLOR]
    d = s[p - row + RECORD + COLOR]
    e = s[p - row - RECORD + COLOR]
    false = (a == o) + (b == o) + (d == o) + (e == o)
    edge = (a == EDGE) | (b == EDGE) | (d == EDGE) | (e == EDGE)
    return false + edge < 2


@part
def is_legal(s, p, c, row):  # pragma: no cover
    """Whether c may play on the empty point p, by the rule of simple ko and the suicide rule."""
    if (s[p + NEAR] & 15) != 0:
        return True
    if p == U(s[KO]):
        return False
    # Without p as a liberty: an enemy chain with none is captured, an own one with some lives on.
    q1, q2, q3, q4 = p + RECORD, p - RECORD, p + row, p - row
    h1, h2, h3, h4 = U(s[q1 + HEAD]), U(s[q2 + HEAD]), U(s[q3 + HEAD]), U(s[q4 + HEAD])
    s[h1 + FREE] -= 1
    s[h2 + FREE] -= 1
    s[h3 + FREE] -= 1
    s[h4 + FREE] -= 1
    legal = False
    for q, h in ((q1, h1), (q2, h2), (q3, h3), (q4, h4)):
        color = s[q + COLOR]
        if color == c:
            # More than one stone may take its own life where the rules allow it.
            legal |= (s[h + FREE] > 0) | (s[SUICIDE] != 0)
        elif color != EDGE:
            legal |= s[h + FREE] == 0
    s[h1 + FREE] += 1
    s[h2 + FREE] += 1
    s[h3 + FREE] += 1
    s[h4 + FREE] += 1
    return legal


@part
def join(s, p, h):  # pragma: no cover
    """The chains of p and of h become one; the shorter one's stones learn their new HEAD."""
    own = U(s[p + HEAD])
    if s[h + SIZE] < s[own + SIZE]:
        h, own = own, h
    stone = own
    while True:
        s[stone + HEAD] = h
        stone = U(s[stone + NEXT])
        if stone == own:
            break
    following = s[h + NEXT]
    s[h + NEXT] = s[own + NEXT]
    s[own + NEXT] = following
    s[h + SIZE] += s[own + SIZE]
    s[h + FREE] += s[own + FREE]


@part
def capture(s, h, c, row):  # pragma: no cover
    """The chain h of colour c leaves the board; the chains around it get their liberties."""
    stone = h
    while True:
        lift(s, stone, c, row)
        s[U(s[stone + RECORD + HEAD]) + FREE] += 1
        s[U(s[stone - RECORD + HEAD]) + FREE] += 1
        s[U(s[stone + row + HEAD]) + FREE] += 1
        s[U(s[stone - row + HEAD]) + FREE] += 1
        stone = U(s[stone + NEXT])
        if stone == h:
            break
    stone = h
    while True:
        s[stone + HEAD] = NOWHERE
        stone = U(s[stone + NEXT])
        if stone == h:
            break


@part
def place(s, p, c, row):  # pragma: no cover
    """c plays on p, which is legal. Captures, suicide and the ko follow; whose turn it is does not."""
    o = np.int16(np.int16(3) - c)
    surrounded = ((s[p + NEAR] >> (4 * o)) & 15) == 4
    put(s, p, c, row)
    s[p + HEAD] = p
    s[p + NEXT] = p
    s[p + SIZE] = 1
    s[p + FREE] = s[p + NEAR] & 15
    for q in (p + RECORD, p - RECORD, p + row, p - row):
        color = s[q + COLOR]
        if color == c:
            h = U(s[q + HEAD])
            s[h + FREE] -= 1
            if h != U(s[p + HEAD]):
                join(s, p, h)
        elif color == o:
            s[U(s[q + HEAD]) + FREE] -= 1
    taken = 0
    last = NO_KO
    if ((s[p + NEAR] >> (4 * o)) & 15) != 0:
        for q in (p + RECORD, p - RECORD, p + row, p - row):
            if s[q + COLOR] == o:
                h = U(s[q + HEAD])
                if s[h + FREE] == 0:
                    taken += s[h + SIZE]
                    last = h
                    capture(s, h, o, row)
    s[KO] = NO_KO
    if taken == 1 and surrounded:
        s[KO] = last
    elif taken == 0 and s[U(s[p + HEAD]) + FREE] == 0:
        capture(s, U(s[p + HEAD]), c, row)
