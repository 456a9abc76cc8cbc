"""Random games and searches of Go a second, one thread, beside OpenSpiel's C++ where it is installed.

    python benchmarks/go_playouts.py            (pip install open_spiel for the peer)

The goals (decided beforehand): 15 times OpenSpiel's rollouts, 10 times its MCTS bot's simulations.
Without the peer only our rates are printed. CPU seconds, functions in turn, medians of rounds.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

from shinso.games.go import Position, Rules
from shinso.games.go_playouts_numba import playouts
from shinso.search.rollout_search import RolloutSearch
from timing import in_turn, print_table, ratio

SIDES = {9: 500, 19: 100}
"""side -> random games, and simulations, of one call"""


def ours(side: int, count: int) -> dict[str, Callable[[], object]]:
    start = Position.start(Rules(side=side, komi=7.5))
    config = RolloutSearch.Config(simulations=count, nodes=400_000)
    seeds = iter(range(1, 10**9))
    return {
        "random games": lambda: playouts(start.board, count, next(seeds), 7.5),
        "UCB1 simulations": lambda: RolloutSearch(config, seed=next(seeds)).search(start),
    }


def open_spiel(side: int, count: int) -> dict[str, Callable[[], object]]:
    """Its rollout evaluator and its MCTS bot with one rollout a simulation, a tenth as many."""
    try:
        import pyspiel  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("OpenSpiel is not installed: our rates alone")
        return {}
    game = pyspiel.load_game(f"go(board_size={side},komi=7.5)")
    few = max(count // 10, 1)
    evaluator = pyspiel.RandomRolloutEvaluator(few, 1)
    one = pyspiel.RandomRolloutEvaluator(1, 1)
    bot = pyspiel.MCTSBot(
        game, one, 1.4, few, 200, False, 1, False, pyspiel.ChildSelectionPolicy.UCT
    )
    return {
        "OpenSpiel rollouts": lambda: evaluator.evaluate(game.new_initial_state()),
        "OpenSpiel MCTS simulations": lambda: bot.mcts_search(game.new_initial_state()),
    }


def measure(side: int, count: int) -> list[list[str]]:
    functions = {**ours(side, count), **open_spiel(side, count)}
    seconds = in_turn(functions, rounds=7, at_least_s=0.1)
    rows = []
    pairs = {
        "random games": "OpenSpiel rollouts",
        "UCB1 simulations": "OpenSpiel MCTS simulations",
    }
    for name, peer in pairs.items():
        rate = count / statistics.median(seconds[name])
        row = [f"{side}×{side}", name, f"{rate:,.0f}/s"]
        if peer in seconds:
            each = [one / count for one in seconds[name]]
            theirs = [one / max(count // 10, 1) for one in seconds[peer]]
            value, least, most = ratio(theirs, each)
            row += [f"{value:.1f}", f"{least:.1f} … {most:.1f}"]
        rows.append([*row, *[""] * (5 - len(row))])
    return rows


if __name__ == "__main__":
    found = [row for side, count in SIDES.items() for row in measure(side, count)]
    print_table(["board", "what", "ours", "times the peer", "of rounds"], found)
