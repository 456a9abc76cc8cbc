"""Simulations a second of the search with a network, beside the bare network (ratio: search to bare); the
network folded and in the hardware's quick precision, beside the network as it is; games a second that
the rollout policy plays. One thread.

    python benchmarks/go_search.py

The goal (decided beforehand): at least 70 % of the bare network's rate at the same batch size.
"""

from __future__ import annotations

import os
import statistics

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import TABLE, first_forms
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.games.go_rollouts_numba import policy_games
from shinso.models.go_inference import FoldedEvaluator
from shinso.models.go_network import GoNetwork, NetworkEvaluator
from shinso.models.go_pooled_network import PooledGoNetwork
from shinso.search.forest import Forest, ForestConfig
from timing import in_turn, print_table, ratio

GAMES, SIMULATIONS = 64, 20


def network_of(filters: int, blocks: int, side: int) -> PooledGoNetwork:
    torch.manual_seed(0)
    return PooledGoNetwork(PooledGoNetwork.Config(filters=filters, blocks=blocks), side=side)


def some_planes(side: int) -> np.ndarray:
    planes = np.random.default_rng(0).random((GAMES, ZERO_PLANES, side, side)) > 0.5
    return planes.astype(np.float32)


def search_beside_network(side: int, model: nn.Module, name: str) -> list[str]:
    evaluator = FoldedEvaluator(model)
    rules = Rules(side=side)
    forest = Forest(rules, GAMES, evaluator, ForestConfig(simulations=SIMULATIONS))
    planes = some_planes(side)

    def search() -> None:
        for game in range(GAMES):
            forest.plant(game, Position.start(rules))
        forest.search()

    def bare() -> None:
        for _ in range(SIMULATIONS + 1):
            evaluator(planes)

    seconds = in_turn({"search": search, "bare": bare}, rounds=5, at_least_s=0.1)
    value, least, most = ratio(seconds["bare"], seconds["search"])
    rate = GAMES * (SIMULATIONS + 1) / statistics.median(seconds["search"])
    name = f"search, {name}, {GAMES} games"
    return [name, f"{rate:,.0f} simulations/s", f"{value:.2f}", f"{least:.2f} … {most:.2f}"]


def folded_beside_plain(side: int, model: nn.Module, name: str) -> list[str]:
    planes = some_planes(side)
    plain, fast = NetworkEvaluator(model), FoldedEvaluator(model)
    seconds = in_turn(
        {"plain": lambda: plain(planes), "fast": lambda: fast(planes)}, rounds=7, at_least_s=0.1
    )
    value, least, most = ratio(seconds["plain"], seconds["fast"])
    rate = GAMES / statistics.median(seconds["fast"])
    dtype = str(fast.dtype).removeprefix("torch.")
    name = f"network, {name}: folded, {dtype}, against as it is"
    return [name, f"{rate:,.0f} positions/s", f"{value:.2f}", f"{least:.2f} … {most:.2f}"]


def rollout_policy(side: int) -> list[str]:
    weights = np.exp(np.random.default_rng(0).normal(0, 0.5, TABLE)).astype(np.float32)
    start, forms = Position.start(Rules(side=side)).board, first_forms()
    games = 4000 // side

    def play() -> int:
        return policy_games(start, games, 1, forms, weights)[1]

    moves = play()
    taken = statistics.median(in_turn({"play": play}, rounds=5, at_least_s=0.1)["play"])
    rates = f"{games / taken:,.0f} games/s, {taken / moves * 1e6:.2f} µs a move"
    return [f"rollout policy on {side}×{side}, random weights", rates, "", ""]


if __name__ == "__main__":
    torch.set_num_threads(1)
    large = GoNetwork(GoNetwork.Config(filters=64, blocks=5), side=9)
    rows = [
        search_beside_network(9, large, "64 × 5 on 9×9"),
        search_beside_network(9, network_of(32, 4, 9), "pooled 32 × 4 on 9×9"),
        folded_beside_plain(9, large, "64 × 5"),
        folded_beside_plain(9, network_of(32, 4, 9), "pooled 32 × 4"),
        rollout_policy(9),
        rollout_policy(19),
    ]
    print_table(["what", "ours", "ratio", "of rounds"], rows)
