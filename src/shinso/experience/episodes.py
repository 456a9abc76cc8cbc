"""Measuring a policy by whole episodes, each with a seed of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Real

from shinso.experience.acting import Acting
from shinso.experience.environments import Environment, Spaces

Policy = Callable[[Float[np.ndarray, "environment width"]], Real[np.ndarray, "environment action"]]
"""What is seen in each environment -> what to do in each."""
TOGETHER = 50
MOST_STEPS = 20_000
"""Where an environment has no time limit, an episode is left after so many steps."""


@dataclass(frozen=True)
class Played:
    """What a policy reached. returns: sums of rewards, not discounted."""

    returns: Float[np.ndarray, " episode"]
    steps: Float[np.ndarray, " episode"]
    unfinished: int


def by_chance(spaces: Spaces) -> Policy:
    """The policy that every agent must beat: each action as likely as any other."""
    rng = np.random.default_rng(0)

    def policy(seen: np.ndarray) -> np.ndarray:
        if spaces.action == "discrete":
            return rng.integers(spaces.num_actions, size=(len(seen), 1))
        return rng.uniform(-1, 1, (len(seen), spaces.num_actions))

    return policy


class _Numbered(Acting):
    """Episodes first, first + 1, …: a copy takes every ``count``-th of them."""

    def __init__(self, *arguments: Any, first: int, **more: Any) -> None:
        self.first = first
        super().__init__(*arguments, **more)

    def episode_seed(self, place: int) -> int:
        return self.first + self.episodes[place] * len(self.copies) + place


def play(
    environment: Environment, policy: Policy, episodes: int, first_seed: int, *, as_state: bool
) -> Played:
    """Play the episodes of seeds first_seed, first_seed + 1, …

    The result does not depend on how many are played side by side. Each copy plays its own share of
    the seeds, so that no kind of episode (short ones) is counted more often than others.
    """
    together = min(episodes, TOGETHER)
    acting = _Numbered(environment, together, 0, first=first_seed, as_state=as_state)
    with closing(acting):
        return _play(acting, policy, episodes)


def _play(acting: _Numbered, policy: Policy, episodes: int) -> Played:
    together = len(acting.copies)
    returns, steps = np.full(episodes, np.nan), np.zeros(episodes)
    left, unfinished = episodes, 0
    while left:
        before = list(acting.episodes)
        number = [before[p] * together + p for p in range(together)]
        so_far = [len(taken) + 1 for taken in acting.actions]
        sums = list(acting.returns)
        found = acting.step(policy(acting.seen))
        for place in range(together):
            ended = bool(found.terminated[place] or found.truncated[place])
            if number[place] >= episodes:
                continue
            if not ended and so_far[place] >= MOST_STEPS:
                unfinished += 1
                acting.episodes[place] += 1
                acting._begin(place)
            elif not ended:
                continue
            returns[number[place]] = sums[place] + found.rewards[place]
            steps[number[place]] = so_far[place]
            left -= 1
    return Played(returns, steps, unfinished)
