"""A network of another board's size loses no game; several trees make one search."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from shinso.games.go import Position, Rules
from shinso.games.gtp import Engine
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.recipes.uses.go_agent import Agent
from shinso.search.rollout_search import RolloutSearch
from shinso.search.root_parallel import RootParallel


def agent(told: list[int]) -> Agent:
    torch.manual_seed(0)
    network = PooledGoNetwork(PooledGoNetwork.Config(filters=4, blocks=1), side=5).eval()
    return Agent(network=network, simulations=32, on_other_side=told.append)


def test_on_another_board_rollouts_play_and_it_is_said_once():
    told: list[int] = []
    engine = Engine(agent(told).player, version="1", side=5)
    assert "".join(engine.answer("genmove b")).startswith("= ")
    assert told == []
    assert "".join(engine.answer("boardsize 7")) == "=\n\n"
    for color in "bwb":
        assert "".join(engine.answer(f"genmove {color}")).startswith("= ")
    assert told == [7]
    assert "".join(engine.answer("boardsize 5")) == "=\n\n"
    assert "".join(engine.answer("genmove b")).startswith("= ")


def test_each_board_has_the_search_that_knows_it():
    player = agent([]).player()
    for side in (5, 6, 5):
        found = player.look(Position.start(Rules(side=side)), [])
        assert len(found.visits) == side * side + 1
        # Only a network has an opinion beforehand.
        assert (found.priors.max() > 0) == (side == 5)
        assert player.searching.lines()


def test_thinking_ends_by_the_clock_or_by_the_number_of_simulations():
    player = agent([]).player()
    position = Position.start(Rules(side=5))
    assert player.look(position, [], seconds=30.0).simulations <= 32 + 32
    choice = player.genmove(position, [], 0.01)
    assert 0 <= choice.action <= 25


def test_trees_side_by_side_are_added_up():
    position = Position.start(Rules(side=5))
    config = RolloutSearch.Config(simulations=300, nodes=50_000)
    apart = [RolloutSearch(config, seed=seed) for seed in (1, 2)]
    alone = [RolloutSearch(config, seed=seed).search(position) for seed in (1, 2)]
    both = RootParallel(apart).search(position)
    assert (both.visits == alone[0].visits + alone[1].visits).all()
    mean = (alone[0].visits * alone[0].values + alone[1].visits * alone[1].values) / both.visits
    np.testing.assert_allclose(both.values[both.visits > 0], mean[both.visits > 0])
    assert both.simulations == 600
    assert not np.array_equal(alone[0].visits, alone[1].visits)


def test_an_agent_with_threads_plays():
    player = Agent(shipped=False, simulations=100, threads=3).player()
    found = player.look(Position.start(Rules(side=5)), [])
    assert found.simulations == 3 * 34


def test_a_long_game_is_played_on():
    """A forest counts a game of self-play after so many moves as it stands; nobody else's."""
    player = agent([]).player()
    position = Position.start(Rules(side=5))
    for number in range(120):
        position = position.with_turn(1 + number % 2).play(25)
        if number > 40:
            player.look(position, [25])  # the tree is kept from move to move
    position = position.play(12)
    assert position.moves > 3 * 25
    found = player.look(position, [12])
    assert found.visits[:-1].sum() > 0
    assert player.genmove(position, [12], None).action < 25


@pytest.mark.parametrize(("simulations", "ended"), [(0, False), (100, True)])
def test_time_is_used_where_no_number_is_given(monkeypatch, simulations, ended):
    """Thirty seconds a move, chosen on the board or by a clock, are no tenth of a second's thought."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    player = Agent(shipped=False, simulations=simulations).player()
    monkeypatch.setattr("time.perf_counter", clock)
    choice = player.genmove(Position.start(Rules(side=5)), [], 30.0)
    assert choice.findings is not None
    assert (choice.findings.simulations < 10_000) == ended
