"""Search trees of many games of Go in two arrays, and what both kinds of search do with them.

    nodes    int32    (game, node, 4)   ACTION  FIRST  COUNT  VISITS
    numbers  float32  (game, node, 2)   TOTAL   PRIOR
    used     int32    (game,)           nodes in use; node 0 is the root

A node's children stand side by side from FIRST on, COUNT of them; FIRST is 0 until the node is
expanded. TOTAL sums the results from −1 to 1 as the player sees them who moved *into* the node, so
a parent compares its children's means as they stand. A simulation that is under way has already
added a visit and a loss to its path (virtual loss), so that others take other ways.
"""

import numpy as np

from shinso.games.go_board_numba import (
    BLACK,
    END,
    LISTED,
    RECORD,
    ROW,
    TURN,
    U,
    is_eye,
    is_legal,
)
from shinso.games.go_rules_numba import action_of, capture_hash, was_there
from shinso.search.compile_numba import kernel, part

ACTION, FIRST, COUNT, VISITS = 0, 1, 2, 3
TOTAL, PRIOR = 0, 1


@part
def add_child(nodes, numbers, used, g, action, prior):  # pragma: no cover
    """One more node behind the last; the caller knows that there is room."""
    node = used[g]
    nodes[g, node, ACTION] = action
    nodes[g, node, FIRST] = 0
    nodes[g, node, COUNT] = 0
    nodes[g, node, VISITS] = 0
    numbers[g, node, TOTAL] = 0.0
    numbers[g, node, PRIOR] = prior
    used[g] = node + 1


@part
def visit(nodes, numbers, path, depth, g, node):  # pragma: no cover
    """Enter a node: onto the path, with a visit and a virtual loss."""
    path[depth] = node
    nodes[g, node, VISITS] += 1
    numbers[g, node, TOTAL] -= 1.0


@part
def back_up(numbers, path, depth, g, value):  # pragma: no cover
    """Give every node of the path its result. value: as the player to move at the end sees it."""
    result = -value  # who moved into the last node is the other one
    for i in range(depth, -1, -1):
        numbers[g, path[i], TOTAL] += 1.0 + result
        result = -result


@kernel
def write_legal(s, keys, hashed, seen, num_seen, eyes, legal):  # pragma: no cover
    """1 for legal actions, superko by ``seen`` included (``num_seen`` 0: simple ko only).

    eyes: whether a move may fill an own one-point eye. A pass is always legal.
    """
    c, row = np.int16(s[TURN]), U(s[ROW])
    legal[:] = 0
    legal[legal.shape[0] - 1] = 1
    i = RECORD
    while i < U(s[END]):
        p = U(s[i + LISTED])
        if is_legal(s, p, c, row) and (eyes or not is_eye(s, p, c, row)):
            fresh = True
            if num_seen > 0:
                fresh = not was_there(capture_hash(s, keys, hashed, p, c, row), seen, num_seen)
            legal[action_of(s, p)] = fresh
        i += RECORD


@part
def sign_for(s, score):  # pragma: no cover
    """The result −1, 0 or 1 for the player to move; score: Black's area minus White's and komi."""
    black = 1.0 if score > 0 else (-1.0 if score < 0 else 0.0)
    return black if s[TURN] == BLACK else -black


@part
def _copy_node(nodes, numbers, g, node, old, fresh, source):  # pragma: no cover
    for i in range(4):
        nodes[g, node, i] = old[source, i]
    for i in range(2):
        numbers[g, node, i] = fresh[source, i]


@kernel
def rebase(nodes, numbers, used, g, child):  # pragma: no cover
    """Make ``child`` the root of game g and keep its subtree only; nodes move to the front."""
    old, fresh = nodes[g, : used[g]].copy(), numbers[g, : used[g]].copy()
    _copy_node(nodes, numbers, g, 0, old, fresh, child)
    source = np.empty(used[g], np.int32)
    source[0] = child
    filled = 1
    node = 0
    while node < filled:
        first = old[source[node], FIRST]
        count = old[source[node], COUNT]
        if first > 0:
            nodes[g, node, FIRST] = filled
            for i in range(count):
                _copy_node(nodes, numbers, g, filled, old, fresh, first + i)
                source[filled] = first + i
                filled += 1
        node += 1
    used[g] = filled


@kernel
def root_of(nodes, numbers, g, visits, means, priors):  # pragma: no cover
    """Write, for every action, the root's visits, mean results (0 unvisited) and priors."""
    visits[:] = 0
    means[:] = 0
    priors[:] = 0
    first = nodes[g, 0, FIRST]
    for child in range(first, first + nodes[g, 0, COUNT]):
        action = nodes[g, child, ACTION]
        visits[action] = nodes[g, child, VISITS]
        priors[action] = numbers[g, child, PRIOR]
        if nodes[g, child, VISITS] > 0:
            means[action] = numbers[g, child, TOTAL] / nodes[g, child, VISITS]
