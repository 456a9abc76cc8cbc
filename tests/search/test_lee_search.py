"""AlphaGo's search: a policy and a value network on boards, and a share of rollouts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import TABLE
from shinso.games.go_planes_numba import LEE_PLANES, lee_planes_of
from shinso.models.go_policy import ConvolutionalPolicy
from shinso.models.go_value import LeeEvaluator, ValueNetwork
from shinso.search.contest import Going, NetworkMover
from shinso.search.forest import Forest, ForestConfig
from shinso.search.network_search import NetworkSearch

RULES = Rules(side=4, komi=1.5)


def networks(seed: int = 0) -> LeeEvaluator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = ConvolutionalPolicy(ConvolutionalPolicy.Config(filters=4, layers=1), side=4)
        return LeeEvaluator(policy, ValueNetwork(ValueNetwork.Config(filters=4, blocks=1), side=4))


def played(moves: list[int]) -> Position:
    position = Position.start(RULES)
    for move in moves:
        position = position.play(move)
    return position


class Watched:
    """Remembers what it was asked."""

    def __init__(self):
        self.inner, self.boards, self.lasts = networks(), [], []

    def on_boards(self, boards, lasts):
        self.boards += [board.copy() for board in boards]
        self.lasts += [one.tolist() for one in lasts]
        return self.inner.on_boards(boards, lasts)


def test_leaves_come_with_the_actions_before_them():
    """The path below the root, newest first, then what was before the root."""
    watched, moves = Watched(), [5, 10, 6]
    forest = Forest(RULES, 2, watched, ForestConfig(simulations=40, explore=3.0), seed=0)
    root = played(moves)
    for game in range(2):
        forest.plant(game, root, (6, 10))
    forest.search()
    depths = set()
    for board, lasts in zip(watched.boards, watched.lasts, strict=True):
        for depth in range(5):
            position = root
            for action in reversed(lasts[:depth]):
                if not position.legal()[action]:
                    break
                position = position.play_legal(action)
            else:
                same = np.array_equal(position.stones, _stones(board))
                if same and lasts[depth:] == [6, 10, -1, -1][: 4 - depth]:
                    depths.add(depth)
                    break
        else:
            pytest.fail(f"{lasts} leads to another board")
    assert len(watched.boards) > 40
    assert {0, 1, 2} <= depths


def _stones(board):
    from shinso.games.go_rules_numba import colors

    out = np.empty(16, np.int8)
    colors(board, out)
    return out


def test_evaluator_asks_both_networks_what_they_learnt():
    """Against the networks by hand: planes of the position, and whether Black is to move."""
    evaluator, moves = networks(), [5, 10, 6]
    for count in (2, 3):
        position = played(moves[:count])
        lasts = np.array([[*reversed(moves[:count]), -1, -1][:4]])
        chances, values = evaluator.on_boards(position.board[None], lasts)
        planes = np.empty((LEE_PLANES, 16), np.float32)
        lee_planes_of(position.board, lasts[0], planes)
        seen = torch.from_numpy(planes).view(1, LEE_PLANES, 4, 4)
        turn = torch.full((1, 1, 4, 4), float(position.turn == 1))
        with torch.no_grad():
            wanted = evaluator.policy(seen).softmax(1)[0].numpy()
            value = float(evaluator.value(torch.cat([seen, turn], 1))[0])
        assert chances[0] == pytest.approx(wanted, abs=1e-6)
        assert values[0] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_mixture_joins_value_and_rollout(share):
    """One leaf, always the root: its value is (1 − λ) v + λ z with z of 1 or −1 (or 0)."""
    evaluator = networks()
    weights = np.ones(TABLE, np.float32)
    forest = Forest(
        RULES,
        1,
        evaluator,
        ForestConfig(simulations=1, mixture=share),
        seed=1,
        rollout_weights=weights,
    )
    position = played([5, 10])
    forest.plant(0, position, (10, 5))
    forest._round(np.array([0]), np.array([-1]))
    found = -float(forest.numbers[0, 0, 0])
    _chances, values = evaluator.on_boards(position.board[None], np.array([[10, 5, -1, -1]]))
    rests = [found - (1 - share) * float(values[0]) - share * z for z in (-1, 0, 1)]
    assert min(map(abs, rests)) < 1e-6


def test_players_of_matches_and_of_gtp_take_it():
    weights = np.ones(TABLE, np.float32)
    config = ForestConfig(simulations=8, mixture=0.5)
    position = played([5, 10])
    (action,) = NetworkMover(networks(), config, 0, weights).moves([Going(position, (5, 10))])
    assert position.legal()[action]
    search = NetworkSearch(networks(), config, side=4, nodes=5000, rollout_weights=weights)
    assert search.search(position, (10, 5)).simulations >= 8
    assert position.legal()[search.search(position.play(0), (0, 10)).best]
