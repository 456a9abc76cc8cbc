"""Games against oneself become batches."""

from __future__ import annotations

import numpy as np
import torch

from shinso.experience.games_in_play import Finished
from shinso.experience.self_play import SelfPlay, Window
from shinso.games.go import Rules
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.search.forest import ForestConfig

RULES = Rules(side=3, komi=2.5)


def even(planes):
    actions = planes.shape[2] ** 2 + 1
    return np.full((len(planes), actions), 1 / actions, np.float32), np.zeros(len(planes))


def playing(seed: int = 0, reuse: float = 2.0) -> SelfPlay:
    config = ForestConfig(simulations=6, root="gumbel", considered=4)
    return SelfPlay(RULES, even, config, games=4, batch_size=8, window=100, reuse=reuse, seed=seed)


def test_window_writes_over_the_oldest():
    window = Window(5, 3)
    for number in range(3):
        planes = torch.full((3, ZERO_PLANES, 9), number, dtype=torch.uint8)
        owners = torch.zeros(3, 9, dtype=torch.int8)
        window.add(
            Finished(planes, torch.full((3, 10), 0.1), torch.full((3,), float(number)), owners, 1.0)
        )
    assert len(window) == 5
    assert sorted(window.result.tolist()) == [1, 1, 2, 2, 2]


def test_results_are_the_winners_of_the_games():
    source = playing()
    while source.finished < 5:
        source._play()
    window = source.window
    turn_black = window.planes[: len(window), 6, 0] == 1
    first = window.planes[: len(window), :2].sum((1, 2)) == 0
    assert first.sum() == 5
    assert turn_black[first].all()
    # In a game won by Black, Black's positions are worth 1 and White's −1.
    black = torch.where(turn_black, window.result[: len(window)], -window.result[: len(window)])
    starts = first.nonzero()[:, 0].tolist()
    for begin, end in zip(starts, [*starts[1:], len(window)], strict=True):
        assert len(set(black[begin:end].tolist())) == 1
    assert torch.allclose(window.policy[: len(window)].sum(1), torch.ones(len(window)))


def test_positions_are_learnt_from_as_often_as_asked():
    source = playing(reuse=2.0)
    for _ in range(10):
        source.next_batch()
    assert source.window.added >= 8 + 9 * 8 / 2
    assert source.window.added < 8 + 9 * 8 / 2 + 120


def test_stopped_games_go_on_bit_for_bit():
    whole, first, second = playing(), playing(), playing()
    for _ in range(4):
        whole.next_batch()
        first.next_batch()
    second.load_state_dict(first.state_dict())
    for _ in range(4):
        one, two = whole.next_batch(), second.next_batch()
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert whole.finished == second.finished


def test_seeds_play_other_games():
    assert not torch.equal(playing(0).next_batch().planes, playing(1).next_batch().planes)
