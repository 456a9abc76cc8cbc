"""The small policies behind claims on AlphaGo: learnt from the bundled games, improved by playing."""

from __future__ import annotations

import copy
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import nn

from shinso.data import samples
from shinso.data.drawn_positions import DrawnPositions
from shinso.data.go_files import GoGames, read_games
from shinso.data.go_positions import MoveSamples, Reads
from shinso.experience.policy_pool import PoolPlay
from shinso.games.go import Rules
from shinso.models.go_policy import ConvolutionalPolicy
from shinso.objectives.move_prediction import MovePredictionObjective
from shinso.objectives.reinforce import ReinforceObjective
from shinso.training.gradient import GradientLearner
from shinso.training.plan import Training

SIDE, KOMI = 7, 9.0
RULES = Rules(side=SIDE, komi=KOMI, ko="simple")
FILTERS, LAYERS = 16, 2
Rivals = Literal["pool", "latest"]


@cache
def bundled_games() -> GoGames:
    """300 games on 7×7 that come with shinso."""
    return read_games([samples.path("go7.tar.gz")])


def moves_of(part: Literal["learnt", "kept"], reads: Reads) -> MoveSamples:
    """The moves of the train folder, or of the two other folders."""
    games = bundled_games()
    learnt = np.array([folder == "train" for folder in games.folders])
    return MoveSamples(games, np.flatnonzero(learnt == (part == "learnt")), reads)


def imitate(model: nn.Module, seed: int, *, steps: int, lr: float, batch: int = 64) -> None:
    """Learn the moves of the train folder."""
    reads: Reads = "patterns" if getattr(model, "reads", "") == "patterns" else "planes"
    source = DrawnPositions(moves_of("learnt", reads), batch, seed)
    training = Training(steps=steps, lr=lr, schedule="one-cycle", batch_size=batch)
    learner = GradientLearner(model, MovePredictionObjective(), training)
    for _ in range(steps):
        learner.step(source.next_batch())


def learnt_policy(seed: int, *, steps: int) -> ConvolutionalPolicy:
    """A small SL policy. torch must be seeded."""
    model = ConvolutionalPolicy(
        ConvolutionalPolicy.Config(filters=FILTERS, layers=LAYERS), side=SIDE
    )
    imitate(model, seed, steps=steps, lr=1e-2)
    return model


def improved(
    policy: ConvolutionalPolicy,
    seed: int,
    *,
    steps: int,
    games: int,
    snapshot_every: int,
    rivals: Rivals = "pool",
    generator: torch.Generator | None = None,
) -> tuple[ConvolutionalPolicy, list[float]]:
    """The policy after so many batches of REINFORCE, and its share of points in each batch.

    generator: deals the credit out among all moves of a batch at random instead.
    """
    model = copy.deepcopy(policy)
    source = PoolPlay(
        RULES, model, games=games, snapshot_every=snapshot_every, seed=seed, rivals=rivals
    )
    training = Training(steps=steps, lr=1e-3, schedule="constant", batch_size=games)
    learner = GradientLearner(model, ReinforceObjective(), training)
    shares = []
    for _ in range(steps):
        batch = source.next_batch()
        if generator is not None:
            order = torch.randperm(len(batch.actions), generator=generator)
            batch = batch._replace(advantages=batch.advantages[order])
        learner.step(batch)
        shares.append(source.points)
    return model, shares
