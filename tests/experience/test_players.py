"""Self-play in other processes: what they play is what one process plays; who dies costs nothing."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from shinso.experience.games_in_play import GamesInPlay, Manner
from shinso.experience.players import Lanes, LaneTask, LocalPlayers, Played, RayPlayers, play_lane
from shinso.experience.self_play import SelfPlay
from shinso.games.go import Rules
from shinso.models.go_inference import FoldedEvaluator
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.search.forest import ForestConfig

MANNER = Manner(
    rules=Rules(side=3, komi=2.5),
    search=ForestConfig(simulations=6, root="gumbel", considered=4),
    games=3, full_share=0.5, fast=2,
)  # fmt: skip


class AtOnce:
    """Plays each task where it is asked; what a test needs of processes."""

    def submit(self, task: LaneTask) -> Future[Played]:
        done: Future[Played] = Future()
        done.set_result(play_lane(task))
        return done

    def result(self, promise: Future[Played], task: LaneTask) -> Played:
        return promise.result()


def network() -> PooledGoNetwork:
    torch.manual_seed(0)
    return PooledGoNetwork(PooledGoNetwork.Config(filters=4, blocks=1), side=3)


def lanes(workers: Any, model: Any = None, count: int = 2) -> Lanes:
    return Lanes(
        model or network(), MANNER, workers, lanes=count, seed=5, precision="fp32", plies=6
    )


def source(workers: Any) -> SelfPlay:
    return SelfPlay(
        MANNER.rules, lambda planes: (planes, planes), MANNER.search,
        games=3, batch_size=4, window=200, reuse=2.0, seed=5, playing=lanes(workers),
    )  # fmt: skip


def same(one: Any, two: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_lane_plays_what_one_process_plays():
    model = network()
    games = GamesInPlay(MANNER, FoldedEvaluator(model, "fp32"), (5, 0))
    here = [one for _ in range(12) for one in games.play(0)]
    away = lanes(AtOnce(), model, count=1)
    found = [one for _ in range(2) for one in away.play(0)]
    assert len(found) == len(here) > 0
    assert all(same(a[:4], b[:4]) and a.black == b.black for a, b in zip(found, here, strict=True))


def test_fast_moves_are_played_and_not_learnt_from():
    games = GamesInPlay(MANNER, FoldedEvaluator(network(), "fp32"), (1,))
    found = [one for _ in range(40) for one in games.play(0)]
    learnt = sum(len(one.result) for one in found)
    assert 0 < learnt < 0.8 * 3 * 40
    # The full moves' numbers say whose turn it was: Black's plane is on for even ones alone.
    for one in found:
        black = one.planes[:, 6, 0] == 1
        signs = torch.where(black, one.result, -one.result)
        assert len(set(signs.tolist())) <= 1
        owners = torch.where(black[:, None], one.owners, -one.owners)
        assert (owners == owners[:1]).all()


def test_lanes_under_way_stop_and_go_on_bit_for_bit():
    whole, first, second = (source(AtOnce()) for _ in range(3))
    for _ in range(3):
        whole.next_batch()
        first.next_batch()
    kept = first.state_dict()
    second.load_state_dict(kept)
    for _ in range(3):
        one, two = whole.next_batch(), second.next_batch()
        assert same(one, two)


@pytest.mark.slow
def test_a_player_that_dies_costs_nothing():
    workers = LocalPlayers(1)
    quiet, disturbed = lanes(AtOnce()), lanes(workers)
    for turn in range(4):
        if turn == 1:
            processes = list(workers._pool._processes.values())
            os.kill(processes[0].pid, signal.SIGKILL)
        one, two = quiet.play(0), disturbed.play(0)
        assert len(one) == len(two)
        assert all(same(a[:4], b[:4]) for a, b in zip(one, two, strict=True))
    assert workers.deaths == 1  # two promises were broken, one pool
    workers._pool.shutdown()


@pytest.mark.slow
def test_ray_plays_the_same(tmp_path: Path):
    pytest.importorskip("ray")
    workers = RayPlayers(1)
    try:
        one, two = lanes(AtOnce(), count=1), lanes(workers, count=1)
        for _ in range(2):
            assert all(same(a[:4], b[:4]) for a, b in zip(one.play(0), two.play(0), strict=True))
    finally:
        workers.ray.shutdown()
