"""Planning with few simulations: Gumbel noise without replacement and sequential halving at the root
(Danihelka et al. 2022). All functions work on rows, one for each game."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int

VISIT_OFFSET = 50.0
VALUE_SCALE = 0.1
"""c_visit and c_scale as mctx has them by default, over values that are rescaled to 0 … 1."""


def considered_visits(considered: int, simulations: int) -> list[int]:
    """For each simulation, how many visits the root action has that may be taken next.

    Sequential halving: all ``considered`` actions get equally many visits, then the better half of
    them, and so on to the last two, until the simulations are spent.
    """
    if considered <= 1:
        return list(range(simulations))
    phases = math.ceil(math.log2(considered))
    order: list[int] = []
    visits = [0] * considered
    left = considered
    while len(order) < simulations:
        extra = max(1, simulations // (phases * left))
        for _ in range(extra):
            order += visits[:left]
            visits[:left] = [visit + 1 for visit in visits[:left]]
        left = max(2, left // 2)
    return order[:simulations]


def completed_values(
    priors: Float[np.ndarray, "game action"],
    values: Float[np.ndarray, "game action"],
    visits: Int[np.ndarray, "game action"],
    own: Float[np.ndarray, " game"],
) -> Float[np.ndarray, "game action"]:
    """Values of all actions: their means where visited, elsewhere one mixed of the network's own
    value and the visited means weighted by their priors (eq. 33)."""
    seen = visits > 0
    weight = (priors * seen).sum(1)
    mean = (priors * seen * values).sum(1) / np.maximum(weight, 1e-12)
    total = visits.sum(1)
    mixed = np.where(weight > 0, (own + total * mean) / (1 + total), own)
    return np.where(seen, values, mixed[:, None])


def advantage(
    values: Float[np.ndarray, "game action"],
    visits: Int[np.ndarray, "game action"],
    legal: Bool[np.ndarray, "game action"],
) -> Float[np.ndarray, "game action"]:
    """σ(q): (c_visit + max N) · c_scale · q, q rescaled to 0 … 1 over the legal actions."""
    low = np.where(legal, values, np.inf).min(1, keepdims=True)
    high = np.where(legal, values, -np.inf).max(1, keepdims=True)
    scaled = (values - low) / np.maximum(high - low, 1e-8)
    return (VISIT_OFFSET + visits.max(1, keepdims=True)) * VALUE_SCALE * scaled


def improved_policy(
    priors: Float[np.ndarray, "game action"],
    values: Float[np.ndarray, "game action"],
    visits: Int[np.ndarray, "game action"],
    own: Float[np.ndarray, " game"],
) -> Float[np.ndarray, "game action"]:
    """π' = softmax(log π + σ(completed q)) (eq. 11): what the policy shall learn."""
    legal = priors > 0
    completed = completed_values(priors, values, visits, own)
    scores = np.log(np.maximum(priors, 1e-12)) + advantage(completed, visits, legal)
    scores = np.where(legal, scores, -np.inf)
    scores = np.exp(scores - scores.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)


def next_actions(
    gumbels: Float[np.ndarray, "game action"],
    priors: Float[np.ndarray, "game action"],
    values: Float[np.ndarray, "game action"],
    visits: Int[np.ndarray, "game action"],
    own: Float[np.ndarray, " game"],
    allowed: Bool[np.ndarray, "game action"],
) -> Int[np.ndarray, " game"]:
    """The root action to visit next: the largest g + log π + σ(q) among the allowed ones."""
    legal = priors > 0
    completed = completed_values(priors, values, visits, own)
    scores = gumbels + np.log(np.maximum(priors, 1e-12)) + advantage(completed, visits, legal)
    return np.where(allowed, scores, -np.inf).argmax(1)
