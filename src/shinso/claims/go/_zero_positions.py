"""The bundled games as Zero's network reads them, with the move played and who won."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import one_hot

from shinso.claims.go._policies import RULES, SIDE, bundled_games
from shinso.data.searched_positions import SearchedBatch
from shinso.games.go import Position
from shinso.games.go_planes_numba import ZERO_PLANES, zero_planes_of


class Guesses(NamedTuple):
    """What a guess without any network costs on the kept positions.

    policy_nats: every legal action alike likely; value_mse: the mean result of the learnt positions.
    """

    policy_nats: float
    value_mse: float


@cache
def learnt_and_kept() -> tuple[SearchedBatch, SearchedBatch]:
    """Positions of the train folder, and of the two others."""
    return _all_positions()[:2]


@cache
def guesses() -> Guesses:
    learnt, kept, legal = _all_positions()
    constant = learnt.result.mean()
    return Guesses(
        math.fsum(map(math.log, legal)) / len(legal),
        float((kept.result - constant).square().mean()),
    )


@cache
def _all_positions() -> tuple[SearchedBatch, SearchedBatch, list[int]]:
    """Learnt, kept, and how many actions are legal in each of the kept."""
    games = bundled_games()
    rows: tuple[list[tuple[np.ndarray, int, float]], ...] = ([], [])
    counts: tuple[list[int], ...] = ([], [])
    for game in np.flatnonzero(games.winners > 0):
        side = 0 if games.folders[game] == "train" else 1
        position, last, before = Position.start(RULES), -1, -1
        for at in range(games.firsts[game], games.begins[game + 1]):
            planes = np.empty((ZERO_PLANES, SIDE * SIDE), np.float32)
            legal = position.legal()
            zero_planes_of(position.board, legal, last, before, planes)
            action = int(games.actions[at])
            won = games.winners[game] == position.turn
            rows[side].append((planes, action, 1.0 if won else -1.0))
            counts[side].append(int(legal.sum()))
            position, before, last = position.play_legal(action), last, action
    return _batch(rows[0]), _batch(rows[1]), counts[1]


def _batch(rows: list[tuple[np.ndarray, int, float]]) -> SearchedBatch:
    planes, actions, results = zip(*rows, strict=True)
    shaped = torch.from_numpy(np.stack(planes)).view(-1, ZERO_PLANES, SIDE, SIDE)
    policy = one_hot(torch.tensor(actions), SIDE * SIDE + 1).float()
    return SearchedBatch(shaped, policy, torch.tensor(results))
