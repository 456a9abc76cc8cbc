"""AlphaGo's search from trained runs: the value network alone, rollouts alone, and both.

    python benchmarks/go_lee.py POLICY_RUN VALUE_RUN ROLLOUT_RUN [games] [simulations]

POLICY_RUN is one of go-policy or go-self-play, VALUE_RUN of go-value, ROLLOUT_RUN of go-policy with the
model rollout, all on boards of one size. Each search plays the policy's most likely moves, and the mixture plays each of its halves (Silver et al. 2016, Figure 4b). Colours alternate; two
random moves first; the same number of simulations for all.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from shinso.games.go import Rules
from shinso.intervals import proportion
from shinso.models.go_value import LeeEvaluator
from shinso.search.contest import Mover, NetworkMover, contest
from shinso.search.forest import ForestConfig
from shinso.walk.run import Run
from timing import print_table


def model_of(run: str) -> tuple[Any, int]:
    """The trained network of a run and its board."""
    use = Run.open(Path(run)).use()
    model: Any = use.model  # type: ignore[attr-defined]
    return getattr(model, "policy", model), use.facts["side"]  # type: ignore[attr-defined]


def main(policy_run: str, value_run: str, rollout_run: str, games: int, simulations: int) -> None:
    (policy, side), (value, _), (rollouts, _) = map(model_of, (policy_run, value_run, rollout_run))
    evaluator, weights = LeeEvaluator(policy, value), rollouts.weights().numpy()

    def mover(share: float, count: int, seed: int) -> Mover:
        config = ForestConfig(simulations=count, mixture=share)
        return NetworkMover(evaluator, config, seed, weights if share else None)

    names = {0.0: "value network (λ = 0)", 0.5: "both (λ = 0.5)", 1.0: "rollouts (λ = 1)"}
    pairs = [(share, None) for share in names] + [(0.5, 0.0), (0.5, 1.0)]
    rows = []
    for share, other in pairs:
        # One simulation looks at the root alone: the most likely move follows.
        rival = mover(0.0, 1, 7) if other is None else mover(other, simulations, 7)
        points, count = contest(
            Rules(side=side), mover(share, simulations, 1), rival, games=games, seed=0
        )
        found = proportion(round(points), count)
        against = "the policy alone" if other is None else names[other]
        rows.append(
            [names[share], against, f"{points / count:.0%}", f"{found.low:.0%}–{found.high:.0%}"]
        )
        print(*rows[-1], flush=True)
    print_table(["search", "against", "points", "95 %"], rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = sys.argv[1:]
    if len(given) < 3:
        sys.exit(__doc__)
    games = int(given[3]) if len(given) > 3 else 40
    main(*given[:3], games, int(given[4]) if len(given) > 4 else 100)
