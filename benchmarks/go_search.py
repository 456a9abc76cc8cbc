"""Simulations a second of the search with a network, beside the bare network; games a second that the
rollout policy plays. One thread.

    python benchmarks/go_search.py

The goal (decided beforehand): at least 70 % of the bare network's rate at the same batch size.
"""

from __future__ import annotations

import os
import statistics

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from shinso.games.go import Position, Rules
from shinso.games.go_patterns_numba import TABLE, first_forms
from shinso.games.go_planes_numba import ZERO_PLANES
from shinso.games.go_rollouts_numba import policy_games
from shinso.models.go_network import GoNetwork, NetworkEvaluator
from shinso.search.forest import Forest, ForestConfig
from timing import in_turn, print_table, ratio

GAMES, SIMULATIONS = 64, 20


def search_beside_network(side: int, filters: int, blocks: int) -> list[str]:
    torch.manual_seed(0)
    model = GoNetwork(GoNetwork.Config(filters=filters, blocks=blocks), side=side)
    evaluator = NetworkEvaluator(model)
    rules = Rules(side=side)
    forest = Forest(rules, GAMES, evaluator, ForestConfig(simulations=SIMULATIONS))
    planes = np.random.default_rng(0).random((GAMES, ZERO_PLANES, side, side)) > 0.5
    planes = planes.astype(np.float32)

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
    name = f"search, {filters} × {blocks} on {side}×{side}, {GAMES} games"
    return [name, f"{rate:,.0f} simulations/s", f"{value:.2f}", f"{least:.2f} … {most:.2f}"]


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
    rows = [search_beside_network(9, 64, 5), rollout_policy(9), rollout_policy(19)]
    print_table(["what", "ours", "of the bare network", "of rounds"], rows)
