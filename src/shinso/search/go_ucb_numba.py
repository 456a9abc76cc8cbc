"""UCB1 tree search with rollouts (Kocsis & Szepesvári 2006), compiled for Go.

Each simulation walks down by the upper confidence bound, adds the children of a leaf that has been
seen often enough, and plays a game from there to its end: at random, or by the rollout policy.
"""

import math

import numpy as np

from shinso.games.go_board_numba import PASSES, SIDE, TURN, U, copy_into
from shinso.games.go_playouts_numba import play_out
from shinso.games.go_rollouts_numba import play_out_by_policy
from shinso.games.go_rules_numba import area, play
from shinso.search.compile_numba import kernel, part
from shinso.search.go_tree_numba import (
    ACTION,
    COUNT,
    FIRST,
    TOTAL,
    VISITS,
    add_child,
    back_up,
    sign_for,
    visit,
    write_legal,
)


@part
def best_bound(nodes, numbers, g, node, explore):  # pragma: no cover
    """The child with the largest mean + c·sqrt(ln N / n), results counted from 0 to 1.

    The first child never visited goes before all others.
    """
    first = nodes[g, node, FIRST]
    log = math.log(max(nodes[g, node, VISITS], 1))
    best, largest = first, -1e9
    for child in range(first, first + nodes[g, node, COUNT]):
        visits = nodes[g, child, VISITS]
        if visits == 0:
            return child
        mean = 0.5 + 0.5 * numbers[g, child, TOTAL] / visits
        bound = mean + explore * math.sqrt(log / visits)
        if bound > largest:
            best, largest = child, bound
    return best


@part
def expand(nodes, numbers, used, g, node, legal, rng):  # pragma: no cover
    """Children for all legal actions, in random order so that no corner of the board comes first."""
    nodes[g, node, FIRST] = used[g]
    for action in range(legal.shape[0]):
        if legal[action]:
            add_child(nodes, numbers, used, g, action, 0.0)
    first = nodes[g, node, FIRST]
    count = used[g] - first
    nodes[g, node, COUNT] = count
    for i in range(count - 1, 0, -1):
        x = rng[0]
        x ^= x << U(13)
        x ^= x >> U(7)
        x ^= x << U(17)
        rng[0] = x
        j = np.int64(((x >> U(32)) * U(i + 1)) >> U(32))
        a, b = nodes[g, first + i, ACTION], nodes[g, first + j, ACTION]
        nodes[g, first + i, ACTION], nodes[g, first + j, ACTION] = b, a


@kernel
def simulate(
    root, keys, hashed, seen, num_seen, superko, last, before, nodes, numbers, used, simulations,
    explore, komi, expand_after, eyes, forms, weights, rng,
):  # pragma: no cover  # fmt: skip
    """Run simulations from ``root`` in tree 0; their number, fewer where the tree is full.

    seen: hashes of the game so far with room for a path behind them. weights: of the rollout policy;
    empty for random rollouts. expand_after: visits until a leaf gets children.
    """
    s = root.copy()
    actions = np.int64(root[SIDE]) * root[SIDE] + 1
    legal = np.empty(actions, np.uint8)
    path = np.empty(seen.shape[0] + 1, np.int32)
    owner = np.empty(actions - 1, np.int8)
    for done in range(simulations):
        copy_into(s, root)
        now, place_seen = hashed, num_seen
        one, two = last, before
        depth, node = 0, 0
        visit(nodes, numbers, path, 0, 0, 0)
        while True:
            if s[PASSES] >= 2 or place_seen >= seen.shape[0]:
                value = sign_for(s, area(s, owner) - komi)
                break
            if nodes[0, node, FIRST] == 0 and nodes[0, node, VISITS] > expand_after:
                if used[0] + actions > nodes.shape[1]:
                    # What ``visit`` added goes again: this simulation did not happen.
                    for i in range(depth + 1):
                        nodes[0, path[i], VISITS] -= 1
                        numbers[0, path[i], TOTAL] += 1.0
                    return done
                write_legal(s, keys, now, seen, place_seen if superko else 0, eyes, legal)
                expand(nodes, numbers, used, 0, node, legal, rng)
            if nodes[0, node, FIRST] == 0:
                if weights.shape[0] > 0:
                    black = play_out_by_policy(s, forms, weights, one, two, rng)[0] - komi
                    value = 1.0 if black > 0 else (-1.0 if black < 0 else 0.0)
                    # The game went on; whose turn it was follows from the number of moves before.
                    value = value if (root[TURN] == 1) == (depth % 2 == 0) else -value
                else:
                    black = play_out(s, rng)[0] - komi
                    value = sign_for(s, black)
                break
            node = best_bound(nodes, numbers, 0, node, explore)
            two, one = one, np.int64(nodes[0, node, ACTION])
            now = play(s, keys, now, one)
            seen[place_seen] = now
            place_seen += 1
            depth += 1
            visit(nodes, numbers, path, depth, 0, node)
        back_up(numbers, path, depth, 0, value)
    return simulations
