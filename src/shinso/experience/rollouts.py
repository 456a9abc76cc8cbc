"""Rollouts: what a policy just did, with advantages, for learning on-policy.

A termination ends the sum of rewards. A cut-off (time limit) does not end the world: what would
have followed is the value of the last observation. The two are never confused here.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from shinso.experience.acting import Acting
from shinso.experience.chance import bring_back, state_of
from shinso.experience.normalization import ObservationScale, RewardScale

LATEST = 100
"""Episodes over which the return of training is averaged."""


@runtime_checkable
class Actor(Protocol):
    """A policy with a value function, for scaled observations."""

    def act(
        self, x: np.ndarray, noise: np.ndarray, actions: np.ndarray, log_p: np.ndarray,
        values: np.ndarray,
    ) -> None: ...  # fmt: skip

    def values(self, x: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Rollout:
    """Steps of all environments in one row each.

    x: scaled observations. log_p: log-probability of the action when it was drawn, nats.
    returns: what V should have been, advantage + V.
    """

    x: Float[np.ndarray, "sample width"]
    actions: Float[np.ndarray, "sample action"]
    log_p: Float[np.ndarray, " sample"]
    advantages: Float[np.ndarray, " sample"]
    returns: Float[np.ndarray, " sample"]
    environment_steps: int
    latest_return: float


class Latest:
    """Returns of the latest episodes."""

    def __init__(self) -> None:
        self.kept: deque[float] = deque(maxlen=LATEST)

    def add(self, finished: list[tuple[float, int]]) -> float:
        """Their mean; NaN before the first episode ended."""
        self.kept.extend(total for total, _steps in finished)
        return sum(self.kept) / len(self.kept) if self.kept else math.nan


class Rollouts:
    """A source of rollouts.

    steps: of each environment a batch. episodes: instead of so many steps, that many whole
    episodes, begun anew with each batch (REINFORCE); 0 for steps. critic: without one, advantages
    are whole returns, and what is cut off is lost.
    """

    def __init__(
        self,
        acting: Acting,
        actor: Actor,
        *,
        scale: ObservationScale,
        rewards: RewardScale,
        rng: np.random.Generator,
        gamma: float,
        lam: float,
        steps: int,
        episodes: int = 0,
        critic: bool = True,
    ) -> None:
        self.acting, self.actor, self.scale, self.rewards = acting, actor, scale, rewards
        self.rng, self.gamma, self.lam = rng, gamma, lam
        self.steps, self.critic = steps, critic
        count = len(acting.copies)
        self.each = math.ceil(episodes / count)
        self.continuous = acting.spaces.action == "continuous"
        self.action_width = acting.spaces.num_actions if self.continuous else 1
        self.latest = Latest()
        self.environment_steps = 0

    def next_batch(self) -> Rollout:
        acting, count = self.acting, len(self.acting.copies)
        if self.each:
            acting.begin_all()
        rows: list[tuple[np.ndarray, ...]] = []
        cut: list[tuple[int, int, np.ndarray]] = []
        whole = np.zeros(count, np.int64)
        kept: list[np.ndarray] = []
        while len(rows) < self.steps if not self.each else whole.min() < self.each:
            kept.append(whole < self.each)
            seen = acting.seen
            self.scale.add(seen)
            x = self.scale(seen)
            actions = np.empty((count, self.action_width), np.float32)
            log_p, values = np.empty(count), np.empty(count, np.float32)
            draw = self.rng.standard_normal if self.continuous else self.rng.random
            self.actor.act(x, draw((count, self.action_width)), actions, log_p, values)
            found = acting.step(actions)
            ended = found.terminated | found.truncated
            rewards = self.rewards(found.rewards, ended)
            only_cut = np.flatnonzero(found.truncated & ~found.terminated).tolist()
            cut += [(len(rows), place, found.successors[place]) for place in only_cut]
            rows.append((x, actions, log_p, values, rewards, found.terminated, ended))
            whole += ended
        self.environment_steps += len(rows) * count
        x, actions, log_p, values, rewards, terminated, ended = (
            np.stack(column) for column in zip(*rows, strict=True)
        )
        found = self._advantages(values, rewards, terminated, ended, cut)
        mask = np.stack(kept) if self.each else None
        values = values if self.critic else np.zeros_like(values)
        x, actions, log_p, advantages, returns = (
            part.reshape(-1, *part.shape[2:]) if mask is None else part[mask]
            for part in (x, actions, log_p, found, found + values)
        )
        latest = self.latest.add(acting.take_finished())
        return Rollout(x, actions, log_p, advantages, returns, self.environment_steps, latest)

    def _advantages(
        self, values: np.ndarray, rewards: np.ndarray, terminated: np.ndarray, ended: np.ndarray,
        cut: list[tuple[int, int, np.ndarray]],
    ) -> np.ndarray:  # fmt: skip
        from shinso.experience.advantages_numba import advantages

        found = np.empty(rewards.shape)
        if not self.critic:
            nothing = np.zeros_like(values)
            advantages(rewards, nothing, nothing, ended, self.gamma, 1.0, found)
            return found
        following = np.empty_like(values)
        following[:-1] = values[1:]
        following[-1] = self.actor.values(self.scale(self.acting.seen))
        if cut:
            last = self.actor.values(self.scale(np.stack([seen for _t, _place, seen in cut])))
            for (t, place, _seen), value in zip(cut, last, strict=True):
                following[t, place] = value
        following[terminated] = 0.0
        advantages(rewards, values, following, ended, self.gamma, self.lam, found)
        return found

    def close(self) -> None:
        self.acting.close()

    def state_dict(self) -> dict[str, Any]:
        return {
            "acting": self.acting.state_dict(),
            "scale": self.scale.state_dict(),
            "rewards": self.rewards.state_dict(),
            "rng": state_of(self.rng),
            "latest": list(self.latest.kept),
            "environment_steps": self.environment_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.acting.load_state_dict(state["acting"])
        self.scale.load_state_dict(state["scale"])
        self.rewards.load_state_dict(state["rewards"])
        bring_back(self.rng, state["rng"])
        self.latest.kept.extend(state["latest"])
        self.environment_steps = state["environment_steps"]
