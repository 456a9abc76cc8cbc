"""Positions of finished games with who won."""

from __future__ import annotations

import numpy as np
import torch

from shinso.data import samples
from shinso.data.drawn_positions import DrawnPositions
from shinso.data.go_files import read_games
from shinso.data.go_results import ResultSamples
from shinso.models.go_value import PLANES, ValueNetwork
from shinso.objectives.game_results import GameResultObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

GAMES = read_games([samples.path("go7.tar.gz")])
SOME = np.arange(40)


def test_result_is_that_of_the_player_to_move():
    found = ResultSamples(GAMES, SOME)
    batch = found.take(np.arange(len(found)))
    assert batch.planes.shape[1] == PLANES
    winners = GAMES.winners[found.moves.game]
    movers = GAMES.colors[found.moves.place]
    assert torch.equal(batch.results > 0, torch.from_numpy(winners == movers))
    assert set(batch.results.tolist()) == {1.0, -1.0}
    black = torch.from_numpy(movers == 1)
    assert torch.equal(batch.planes[:, -1].amax((1, 2)) == 1, black)
    assert torch.equal(batch.planes[:, -1].amin((1, 2)) == 1, black)


def test_one_position_of_each_game():
    one = ResultSamples(GAMES, SOME, "one", seed=4)
    assert np.array_equal(one.moves.game[one.indices], SOME[GAMES.winners[SOME] > 0])
    assert np.array_equal(one.indices, ResultSamples(GAMES, SOME, "one", seed=4).indices)
    assert not np.array_equal(one.indices, ResultSamples(GAMES, SOME, "one", seed=5).indices)


def test_games_without_winner_are_left_out():
    from dataclasses import replace

    winners = GAMES.winners.copy()
    winners[:3] = 0
    found = ResultSamples(replace(GAMES, winners=winners), SOME)
    assert not set(found.moves.game) & {0, 1, 2}


def test_value_network_overfits():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ValueNetwork(ValueNetwork.Config(filters=8, blocks=1), side=7)
    samples_ = ResultSamples(GAMES, SOME, "one")
    training = Training(steps=80, lr=1e-2, schedule="constant")
    learner = GradientLearner(model, GameResultObjective(), training)
    source = DrawnPositions(samples_, 16, 0, only=16)
    for _ in range(80):
        learner.step(source.next_batch())
    model.eval()
    batch = samples_.take(samples_.spread(16))
    assert float((model(batch.planes) - batch.results).square().mean()) < 0.1
