"""The plain search on games whose values are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shinso.games.tic_tac_toe import TicTacToe, exact_value
from shinso.search.evaluator import RandomRollouts
from shinso.search.tree import Mixture, TreeSearch

GAME = TicTacToe()


def searching(rule: str, simulations: int, seed: int = 0, **more) -> TreeSearch:
    config = TreeSearch.Config(simulations=simulations, rule=rule, explore=1.0, **more)
    return TreeSearch(GAME, RandomRollouts(GAME, seed=seed), config, seed=seed)


def position(moves: list[int]):
    """After as many of the moves (modulo what is legal) as leave the game open."""
    state = GAME.start()
    for number in moves:
        legal = np.flatnonzero(GAME.legal(state))
        following = GAME.play(state, int(legal[number % len(legal)]))
        if GAME.outcome(following) is not None:
            break
        state = following
    return state


@pytest.mark.parametrize(
    ("rule", "moves", "simulations"),
    [("ucb1", [0], 500), ("ucb1", [0, 3], 300), ("puct", [0, 3], 500), ("puct", [4, 0, 7], 500)],
)
def test_search_plays_tic_tac_toe_exactly(rule, moves, simulations):
    state = position(moves)
    search = searching(rule, simulations)
    search.plant(state)
    found = search.search()
    assert exact_value(GAME.play(state, found.best)) == exact_value(state)


@settings(max_examples=8)
@given(st.lists(st.integers(0, 8), min_size=4, max_size=8))
def test_search_finds_what_is_won_for_any_late_position(moves):
    state = position(moves)
    sign = 1 if GAME.player(state) == 0 else -1
    search = searching("puct", 1000)
    search.plant(state)
    found = search.search()
    exact = sign * exact_value(state)
    assert sign * exact_value(GAME.play(state, found.best)) == exact
    assert found.visits.sum() == 1000
    assert np.abs(found.values).max() <= 1


def test_subtree_is_kept_when_the_game_goes_on():
    search = searching("ucb1", 300)
    found = search.search()
    kept = int(found.visits[found.best])
    search.advance(found.best)
    assert search.root.visits == kept
    search.advance(int(np.flatnonzero(GAME.legal(search.root.state))[0]))
    assert GAME.player(search.root.state) == 0


def test_virtual_losses_send_leaves_to_different_places():
    seen: list[int] = []

    class Counting:
        def evaluate(self, states):
            seen.append(len(set(states)))
            return np.full((len(states), 9), 1 / 9), np.zeros(len(states))

    search = TreeSearch(GAME, Counting(), TreeSearch.Config(simulations=32, leaves=8))
    found = search.search()
    assert found.visits.sum() == 32
    assert max(seen) >= 7
    assert search.root.total == pytest.approx(0.0)


def test_noise_reaches_every_root_action_and_only_there():
    search = searching("puct", 1, noise=0.5, noise_alpha=10.0)
    found = search.search()
    assert found.priors.sum() == pytest.approx(1.0)
    assert len(set(found.priors.round(9))) > 1


def test_mixture_weighs_network_and_rollout():
    class Fixed:
        def __init__(self, value):
            self.value = value

        def evaluate(self, states):
            return np.full((len(states), 9), 1 / 9), np.full(len(states), self.value)

    mixed = Mixture(Fixed(1.0), Fixed(-0.5), share=0.25)
    assert mixed.evaluate([GAME.start()])[1] == pytest.approx([0.625])
    with pytest.raises(ValueError, match="share"):
        Mixture(Fixed(0), Fixed(0), share=1.5)
