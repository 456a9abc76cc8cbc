"""Random games and searches of Go a second, one thread, beside OpenSpiel's C++ and pgx where they are
installed.

    python benchmarks/go_playouts.py            (pip install open_spiel pgx for the peers)

The goals (decided beforehand): 15 times OpenSpiel's rollouts, 10 times its MCTS bot's simulations.
Without a peer the rest is printed. CPU seconds, functions in turn, medians of rounds.

The games are not quite the same: ours fill no own eye and so end by themselves; OpenSpiel and pgx
play any legal move.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

from peers import peer
from shinso.games.go import Position, Rules
from shinso.games.go_playouts_numba import playouts
from shinso.search.rollout_search import RolloutSearch
from timing import in_turn, print_table, ratio

SIDES = {9: 500, 19: 100}
"""side -> random games, and simulations, of one call"""
PGX_GAMES = 128


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
        pyspiel = peer("pyspiel")
    except ImportError:
        print("OpenSpiel is not installed")
        return {}
    game = pyspiel.load_game(f"go(board_size={side},komi=7.5)")
    few = max(count // 10, 1)

    def bot(rollouts: int, simulations: int) -> Any:
        evaluator = pyspiel.RandomRolloutEvaluator(rollouts, 1)
        return pyspiel.MCTSBot(
            game,
            evaluator,
            1.4,
            simulations,
            200,
            False,
            1,
            False,
            pyspiel.ChildSelectionPolicy.UCT,
        )

    # Python cannot call the evaluator itself, so a search of one simulation does.
    rollouts, search = bot(few, 1), bot(1, few)
    return {
        "OpenSpiel rollouts": lambda: rollouts.mcts_search(game.new_initial_state()),
        "OpenSpiel MCTS simulations": lambda: search.mcts_search(game.new_initial_state()),
    }


def pgx_games(side: int) -> dict[str, Callable[[], object]]:
    """``PGX_GAMES`` games side by side, compiled, each move drawn from its mask of legal ones."""
    try:
        jax, pgx = peer("jax"), peer("pgx")
    except ImportError:
        print("pgx is not installed")
        return {}
    env = pgx.make(f"go_{side}x{side}")
    begin, step = jax.vmap(env.init), jax.vmap(env.step)

    def going(carry: Any) -> Any:
        return ~carry[0].terminated.all()

    def move(carry: Any) -> Any:
        state, key = carry
        key, own = jax.random.split(key)
        chances = jax.numpy.where(state.legal_action_mask, 0.0, -jax.numpy.inf)
        return step(state, jax.random.categorical(own, chances)), key

    @jax.jit
    def play(key: Any) -> Any:
        first, second = jax.random.split(key)
        state = begin(jax.random.split(first, PGX_GAMES))
        return jax.lax.while_loop(going, move, (state, second))[0].rewards

    seeds = iter(range(10**9))
    return {"pgx games": lambda: play(jax.random.PRNGKey(next(seeds))).block_until_ready()}


def measure(side: int, count: int) -> list[list[str]]:
    rivals = open_spiel(side, count) | (pgx_games(side) if side == 9 else {})
    functions = ours(side, count) | rivals
    seconds = in_turn(functions, rounds=7, at_least_s=0.1)
    few = max(count // 10, 1)
    rows = []
    pairs = (
        ("random games", "OpenSpiel rollouts", few),
        ("UCB1 simulations", "OpenSpiel MCTS simulations", few),
        ("random games", "pgx games", PGX_GAMES),
    )
    for name, rival, played in pairs:
        rate = count / statistics.median(seconds[name])
        row = [f"{side}×{side}", name, f"{rate:,.0f}/s"]
        if rival in seconds:
            each = [one / count for one in seconds[name]]
            theirs = [one / played for one in seconds[rival]]
            value, least, most = ratio(theirs, each)
            of_them = f"{1 / statistics.median(theirs):,.0f}/s"
            row += [rival, of_them, f"{value:.1f}", f"{least:.1f} … {most:.1f}"]
        rows.append([*row, *[""] * (7 - len(row))])
    return rows


if __name__ == "__main__":
    found = [row for side, count in SIDES.items() for row in measure(side, count)]
    print_table(["board", "what", "ours", "beside", "theirs", "times as fast", "of rounds"], found)
