"""Several copies of an environment, stepped together, that a stopped run brings back exactly.

An environment cannot in general be saved, but it can be lived again: every episode begins with
``reset(seed=…)`` of a seed of its own, and the actions since then are kept. Loading resets with the
same seed and takes the same actions; what is then seen must be what was seen, bit for bit.

An episode that ended begins anew in the same step, and its last observation is kept as the
successor: no step is lost to a reset, and what was cut off by a time limit still has a state to
bootstrap from.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Real

from shinso.experience.environment_faults import raised
from shinso.experience.environments import Environment
from shinso.faults import DataFault, Fault, RunFault
from shinso.language import _

VALID_SEEDS, TEST_SEEDS, NEW_SEEDS = 1 << 30, 5 << 28, 3 << 29
"""Where the seeds of evaluation begin; those of training lie below all of them."""


Begin = Callable[[int], int]
"""First state -> first action."""
Learn = Callable[[int, float, bool, bool], int]
"""(state, reward, whether it is terminal, whether the episode ended) -> next action"""


@dataclass(frozen=True)
class Steps:
    """One step of every environment.

    successors: what was seen after the action, also where the episode ended by it.
    """

    successors: Float[np.ndarray, "environment width"]
    rewards: Float[np.ndarray, " environment"]
    terminated: Bool[np.ndarray, " environment"]
    truncated: Bool[np.ndarray, " environment"]


def mixed(seed: int, place: int, episode: int) -> int:
    """The seed of an episode of training, below 2³⁰; neighbours have nothing in common
    (the finalizer of splitmix64)."""
    x = (seed * 0x9E3779B97F4A7C15 + place * 0xBF58476D1CE4E5B9 + episode + 1) & (2**64 - 1)
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return (x ^ (x >> 31)) >> 34


class Acting:
    """``count`` copies of an environment.

    seen: (count, width) float32, what each shows now: a vector, one-hot of a discrete observation,
    or the number of the state itself (width 1) with ``as_state``.
    """

    def __init__(
        self, environment: Environment, count: int, seed: int, *, as_state: bool = False
    ) -> None:
        self.environment, self.seed = environment, seed
        self.spaces = environment.spaces
        self.one_hot = self.spaces.observation == "discrete" and not as_state
        self.as_state = as_state
        width = 1 if as_state else self.spaces.width
        self.copies: list[Any] = []
        self.episodes = [0] * count
        self.actions: list[list[Any]] = [[] for _place in range(count)]
        self.returns = [0.0] * count
        self.seen = np.zeros((count, width), np.float32)
        self.finished: list[tuple[float, int]] = []
        self.middle = (self.spaces.low + self.spaces.high) / 2
        self.half = (self.spaces.high - self.spaces.low) / 2
        try:
            for _place in range(count):
                self.copies.append(environment.make())
            for place in range(count):
                self._begin(place)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every copy. One that cannot be closed must not hide the error before it."""
        for one in self.copies:
            with suppress(Exception):
                one.close()

    def episode_seed(self, place: int) -> int:
        return mixed(self.seed, place, self.episodes[place])

    def step(self, actions: Real[np.ndarray, "environment action"]) -> Steps:
        """Act once in each. actions: (count, 1) numbers from 0, or (count, action) of which −1 to
        1 stands for the lowest to the highest value; what is beyond is cut to it."""
        count = len(self.copies)
        successors = np.zeros_like(self.seen)
        rewards = np.empty(count)
        terminated, truncated = np.zeros(count, bool), np.zeros(count, bool)
        if self.spaces.action == "discrete":
            given: Any = (actions[:, 0].astype(np.int64) + self.spaces.first_action).tolist()
        else:
            given = (self.middle + self.half * actions.clip(-1, 1)).astype(np.float32)
        for place, one in enumerate(self.copies):
            action = given[place]
            try:
                seen, reward, ended, cut, _info = one.step(action)
                self._write(seen, successors[place], place)
                rewards[place] = reward
            except Fault:
                raise
            except Exception as error:
                raise self._raised("step", error, place) from error
            terminated[place], truncated[place] = ended, cut
            self.actions[place].append(action)
            self.returns[place] += float(rewards[place])
        if not (np.isfinite(rewards).all() and np.isfinite(successors).all()):
            raise self._not_a_number(successors, rewards)
        self.seen = successors
        if terminated.any() or truncated.any():
            self.seen = successors.copy()
            for place in np.flatnonzero(terminated | truncated).tolist():
                self.finished.append((self.returns[place], len(self.actions[place])))
                self.episodes[place] += 1
                self._begin(place)
        return Steps(successors, rewards, terminated, truncated)

    def live(self, steps: int, action: int | None, begin: Begin, learn: Learn) -> None:
        """``steps`` steps of the only copy, which shows a number of a state and takes a number, each
        learnt from before the next is taken: ``step`` without arrays on the way.

        action: to begin with, from 0; None where an episode begins.
        """
        take, first_action = self.copies[0].step, self.spaces.first_action
        first, states = self.spaces.first_state, self.spaces.num_states
        taken, total, state = self.actions[0], self.returns[0], int(self.seen[0, 0])
        for _step in range(steps):
            if action is None:
                action = begin(state)
            given = action + first_action
            try:
                seen, reward, terminated, truncated, _info = take(given)
                state, reward = int(seen) - first, float(reward)
                if not 0 <= state < states:
                    self._state(seen)
            except Exception as error:
                raise self._raised("step", error, 0) from error
            taken.append(given)
            total += reward
            if not isfinite(reward):
                raise self._not_a_number(np.array([[state]]), np.array([reward]))
            terminated = bool(terminated)
            ended = terminated or bool(truncated)
            action = learn(state, reward, terminated, ended)
            if ended:
                self.finished.append((total, len(taken)))
                self.episodes[0] += 1
                self._begin(0)
                taken, total, state = self.actions[0], 0.0, int(self.seen[0, 0])
                action = None
        self.returns[0], self.seen[0, 0] = total, state

    def begin_all(self) -> None:
        """Begin a new episode in each, whatever was going on."""
        for place in range(len(self.copies)):
            if self.actions[place]:
                self.episodes[place] += 1
                self._begin(place)

    def take_finished(self) -> list[tuple[float, int]]:
        """(return, steps) of the episodes that ended since the last call."""
        found, self.finished = self.finished, []
        return found

    def _begin(self, place: int) -> None:
        try:
            seen, _info = self.copies[place].reset(seed=self.episode_seed(place))
            self._write(seen, self.seen[place], place)
        except Fault:
            raise
        except Exception as error:
            raise self._raised("reset", error, place) from error
        self.actions[place] = []
        self.returns[place] = 0.0
        if self.spaces.observation == "vector" and not np.isfinite(self.seen[place]).all():
            raise self._not_a_number(self.seen, np.zeros(len(self.copies)))

    def _write(self, seen: Any, row: np.ndarray, place: int) -> None:
        if self.one_hot:
            row[:] = 0
            row[self._state(seen)] = 1
        elif self.as_state:
            row[0] = self._state(seen)
        else:
            if getattr(seen, "shape", None) != row.shape and np.shape(seen) != row.shape:
                raise self._misshapen(seen, row, place)
            row[:] = seen

    def _state(self, seen: Any) -> int:
        state = int(seen) - self.spaces.first_state
        if not 0 <= state < self.spaces.num_states:
            raise ValueError(f"state {seen} is outside of {self.environment.spaces.text}")
        return state

    def _where(self, place: int) -> str:
        """How to find the moment again."""
        return _("episode of seed {seed}, step {step}").format(
            seed=self.episode_seed(place), step=len(self.actions[place])
        )

    def _raised(self, doing: str, error: Exception, place: int) -> DataFault:
        return raised(
            self.environment.name, doing, error, where=self._where(place), spaces=self.spaces.text
        )

    def _misshapen(self, seen: Any, row: np.ndarray, place: int) -> DataFault:
        return DataFault(
            "ENV-SHAPE",
            place=f"{self.environment.name}: {self._where(place)}",
            found=_("observation of shape {shape}").format(shape=np.shape(seen))
            + f"\n  {self.spaces.text}",
            why=_("its observation_space promises {shape}").format(shape=row.shape),
            next_step=_("mend the environment, then go on with --resume where a run was begun"),
        )

    def _not_a_number(self, seen: np.ndarray, rewards: np.ndarray) -> DataFault:
        wrong = ~(np.isfinite(rewards) & np.isfinite(seen).all(axis=1))
        place = int(np.flatnonzero(wrong)[0])
        return DataFault(
            "ENV-NAN",
            place=f"{self.environment.name}: {self._where(place)}",
            found=f"observation {seen[place].tolist()}, reward {rewards[place]}\n  "
            f"{self.spaces.text}",
            why=_("an agent cannot learn from what is no number"),
            next_step=_("mend the environment, then go on with --resume where a run was begun"),
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "episodes": list(self.episodes),
            "actions": [
                [one if isinstance(one, int) else one.tolist() for one in taken]
                for taken in self.actions
            ],
            "seen": self.seen.tolist(),
            "finished": [list(one) for one in self.finished],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Live the unfinished episodes again. RunFault ENV-NOT-REPRODUCIBLE where an environment
        does not come to the same place."""
        self.episodes = list(state["episodes"])
        for place, taken in enumerate(state["actions"]):
            self._begin(place)
            for action in taken:
                given = action if isinstance(action, int) else np.array(action, np.float32)
                try:
                    seen, reward, _ended, _cut, _info = self.copies[place].step(given)
                    self._write(seen, self.seen[place], place)
                except Fault:
                    raise
                except Exception as error:
                    raise self._raised("step", error, place) from error
                self.actions[place].append(given)
                self.returns[place] += float(reward)
        if not np.array_equal(self.seen, np.array(state["seen"], np.float32)):
            raise RunFault(
                "ENV-NOT-REPRODUCIBLE",
                place=self.environment.name,
                found=_("the same seed and actions led elsewhere than before the stop"),
                why=_("the run cannot go on as if it had not been stopped"),
                next_step=_(
                    "let the environment draw all its chance from reset(seed=…), or train anew"
                ),
            )
        self.finished = [(one[0], int(one[1])) for one in state["finished"]]
