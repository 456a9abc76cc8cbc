"""PUCT search over many games of Go at once (Rosin 2011; Silver et al. 2017), compiled.

A round has three steps: ``select_leaves`` walks down in every tree and writes the planes of the leaf
it reached; the caller has all of them evaluated in one batch; ``finish`` adds their children and
gives the results back to the paths. With several slots for one game, each is sent elsewhere than those
before it.
"""

import math

import numpy as np

from shinso.games.go_board_numba import MOVES, PASSES, SIDE, TURN, copy_into
from shinso.games.go_planes_numba import zero_planes
from shinso.games.go_playouts_numba import play_out
from shinso.games.go_rollouts_numba import play_out_by_policy
from shinso.games.go_rules_numba import area, play, safe_area
from shinso.search.compile_numba import kernel, part
from shinso.search.go_tree_numba import (
    ACTION,
    COUNT,
    FIRST,
    PRIOR,
    TOTAL,
    VISITS,
    add_child,
    back_up,
    sign_for,
    visit,
    write_legal,
)


@part
def best_upper(nodes, numbers, g, node, explore, unseen, others, under_way):  # pragma: no cover
    """The child with the largest Q + c·P·√N / (1 + n). A child never visited has the node's own
    value less ``unseen`` for its Q.

    others: simulations under way through the node beside this one; under_way: those of them that went
    on to each child. They count in N and n, so that this one looks elsewhere, but their virtual
    losses do not count in Q: nobody has seen them ("watch the unobserved", Liu et al. 2020). Only a
    leaf that is being evaluated is taken for lost, since to ask about it twice teaches nothing.
    """
    visits = nodes[g, node, VISITS] - 1  # without this one
    own = 0.0
    if visits > others:
        own = -(numbers[g, node, TOTAL] + 1.0 + others) / (visits - others)
    scale = explore * math.sqrt(max(visits, 1))
    first = nodes[g, node, FIRST]
    best, largest = first, -1e9
    for child in range(first, first + nodes[g, node, COUNT]):
        n, waiting = nodes[g, child, VISITS], under_way[child - first]
        if n > waiting:
            q = (numbers[g, child, TOTAL] + waiting) / (n - waiting)
        else:
            q = -1.0 if waiting > 0 else own - unseen
        upper = q + scale * numbers[g, child, PRIOR] / (1 + n)
        if upper > largest:
            best, largest = child, upper
    return best


@part
def count_under_way(paths, depths, games, i, depth, node, first, under_way):  # pragma: no cover
    """How many of the slots before i of the same game came through a node at this depth, and into
    ``under_way`` how many of them went on to each of its children, of which ``first`` is the first."""
    found = 0
    under_way[:] = 0
    for j in range(i):
        if games[j] == games[i] and depths[j] >= depth and paths[j, depth] == node:
            found += 1
            if depths[j] > depth:
                under_way[paths[j, depth + 1] - first] += 1
    return found


@part
def child_of(nodes, g, node, action):  # pragma: no cover
    """The child that an action leads to; the first one where there is none."""
    first = nodes[g, node, FIRST]
    for child in range(first, first + nodes[g, node, COUNT]):
        if nodes[g, child, ACTION] == action:
            return child
    return first


@kernel
def select_leaves(
    roots, keys, hashes, seen, num_seen, superko, lasts, nodes, numbers, games, forced, explore,
    unseen, komi, longest, paths, depths, states, leaf_lasts, planes, legal, values, ended,
):  # pragma: no cover  # fmt: skip
    """Fill slot i with a leaf of game games[i].

    roots, hashes, seen, num_seen, lasts: the position of each game, its hashes so far (with room for
    a path) and its last two actions. forced: the root's action to take, −1 for the best by PUCT.
    Writes paths, depths, states, leaf_lasts, planes and legal actions outside of safe areas; where
    the leaf is the end of the game, ended is 1 and values its result for the player to move.
    """
    owner = np.empty(np.int64(roots[0, SIDE]) * roots[0, SIDE], np.int8)
    under_way = np.empty(legal.shape[1], np.int64)
    for i in range(games.shape[0]):
        g = games[i]
        s = states[i]
        copy_into(s, roots[g])
        now, length = hashes[g], num_seen[g]
        one, two = lasts[g, 0], lasts[g, 1]
        depth, node = 0, 0
        visit(nodes, numbers, paths[i], 0, g, 0)
        while nodes[g, node, FIRST] > 0 and s[PASSES] < 2 and depth + 1 < paths.shape[1]:
            if depth == 0 and forced[i] >= 0:
                node = child_of(nodes, g, node, forced[i])
            else:
                others = count_under_way(
                    paths, depths, games, i, depth, node, nodes[g, node, FIRST], under_way
                )
                node = best_upper(nodes, numbers, g, node, explore, unseen, others, under_way)
            two, one = one, np.int64(nodes[g, node, ACTION])
            now = play(s, keys, now, one)
            seen[g, length] = now
            length += 1
            depth += 1
            visit(nodes, numbers, paths[i], depth, g, node)
        depths[i] = depth
        leaf_lasts[i, 0], leaf_lasts[i, 1] = one, two
        ended[i] = 0
        if s[PASSES] >= 2 or s[MOVES] >= longest or depth + 1 >= paths.shape[1]:
            ended[i] = 1
            values[i] = sign_for(s, area(s, owner) - komi)
            continue
        safe_area(s, owner)
        open_, total = 0, 0
        for point in range(owner.shape[0]):
            open_ += owner[point] == 0
            total += owner[point]
        if open_ == 0:
            ended[i] = 1
            values[i] = sign_for(s, total - komi)
            continue
        write_legal(s, keys, now, seen[g], length if superko else 0, True, legal[i])
        zero_planes(s, legal[i], one, two, planes[i])
        for point in range(owner.shape[0]):
            if owner[point] != 0:
                legal[i, point] = 0


@kernel
def finish(
    nodes, numbers, used, games, paths, depths, legal, priors, values, ended
):  # pragma: no cover
    """Give each slot's leaf its children and its path the result.

    priors: chances of all actions, shared out again over the legal ones. values: as the player to
    move sees them.
    """
    for i in range(games.shape[0]):
        g, node = games[i], paths[i, depths[i]]
        if not ended[i] and nodes[g, node, FIRST] == 0:
            first = used[g]
            if first + legal.shape[1] <= nodes.shape[1]:
                total = 0.0
                count = 0
                for action in range(legal.shape[1]):
                    if legal[i, action]:
                        total += priors[i, action]
                        count += 1
                for action in range(legal.shape[1]):
                    if legal[i, action]:
                        share = priors[i, action] / total if total > 0 else 1.0 / count
                        add_child(nodes, numbers, used, g, action, share)
                nodes[g, node, FIRST] = first
                nodes[g, node, COUNT] = count
        back_up(numbers, paths[i], depths[i], g, values[i])


@kernel
def set_priors(nodes, numbers, g, priors):  # pragma: no cover
    """Replace the priors of a root's children: exploration noise."""
    first = nodes[g, 0, FIRST]
    for child in range(first, first + nodes[g, 0, COUNT]):
        numbers[g, child, PRIOR] = priors[nodes[g, child, ACTION]]


@kernel
def rollout_values(states, lasts, ended, komi, count, forms, weights, rng, out):  # pragma: no cover
    """The mean result of ``count`` rollouts from each leaf, for its player to move (z of Silver et al.
    2016)."""
    s = states[0].copy()
    for i in range(states.shape[0]):
        if ended[i]:
            continue
        result = 0.0
        for _ in range(count):
            copy_into(s, states[i])
            if weights.shape[0] > 0:
                black = play_out_by_policy(s, forms, weights, lasts[i, 0], lasts[i, 1], rng)[0]
            else:
                black = play_out(s, rng)[0]
            result += 1.0 if black > komi else (-1.0 if black < komi else 0.0)
        result /= count
        out[i] = result if states[i, TURN] == 1 else -result
