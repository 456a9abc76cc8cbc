"""Linear action values: the learner, and how it is put together with its source."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from shinso.experience.acting import Acting
from shinso.experience.chance import bring_back, state_of
from shinso.experience.environments import Environment
from shinso.experience.exploration import Falling
from shinso.experience.rollouts import Latest
from shinso.experience.worlds import World, WorldSource
from shinso.models.linear_action_values import LinearActionValues
from shinso.objectives.temporal_difference import TableObjective

if TYPE_CHECKING:
    from shinso.recipes.control import Config

METHODS = {"q-learning": 0, "sarsa": 1, "expected-sarsa": 2}


class LinearLearner:
    """Semi-gradient SARSA(λ), expected SARSA or Q-learning, a step at a time."""

    def __init__(
        self, model: LinearActionValues, gamma: float, total_steps: int, rng: np.random.Generator
    ) -> None:
        from shinso.nn.kernels.features_numba import features
        from shinso.objectives import linear_values_numba as kernels

        self.features, self.kernels = features, kernels
        self.model, self.gamma, self.rng = model, gamma, rng
        settings = model.config
        self.weights = model.get_buffer("weights").numpy()
        self.traces = np.zeros(self.weights.shape if settings.trace else (1, 1))
        self.epsilon = Falling(
            settings.epsilon_start, settings.epsilon_end, settings.epsilon_share * total_steps
        )
        self.done, self.next_action = 0, -1
        self.latest = Latest()

    def step(self, batch: World) -> Mapping[str, float]:
        acting = batch.acting
        assert acting is not None
        settings, method = self.model.config, METHODS[self.model.config.method]
        errors = 0.0
        before, after = self._looked(acting), self._looked(acting)
        for number in range(batch.steps):
            epsilon = self.epsilon(self.done + number)
            self._look(acting.seen, before)
            action = self.next_action
            if action < 0:
                action = self._choose(before[2], epsilon)
            found = acting.step(np.array([[action]]))
            self._look(found.successors, after)
            terminated = bool(found.terminated[0])
            ended = terminated or bool(found.truncated[0])
            following = self._choose(after[2], epsilon)
            errors += self.kernels.learn_step(
                self.weights, self.traces, self.model.step_sizes, before[0], before[1], action,
                found.rewards[0], before[2], after[2], following, terminated, ended, method,
                epsilon, self.gamma, settings.trace,
            )  # fmt: skip
            self.next_action = -1 if ended else following
        self.done += batch.steps
        return {
            "loss": float(errors) / batch.steps,
            "training_return": self.latest.add(acting.take_finished()),
            "environment_steps": float(self.done),
        }

    def _looked(self, acting: Acting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = self.model.num_on
        return np.empty(count, np.int64), np.empty(count), np.empty(len(self.weights))

    def _look(self, seen: np.ndarray, into: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        """Features of what is seen, and the values of all actions there."""
        model, (places, values, q) = self.model, into
        self.features(
            seen[0].astype(float), model.low, model.span, model.config.tiles, model.config.memory,
            model.frequencies, places, values,
        )  # fmt: skip
        self.kernels.values_of(self.weights, places, values, q)

    def _choose(self, q: np.ndarray, epsilon: float) -> int:
        if epsilon and self.rng.random() < epsilon:
            return int(self.rng.integers(len(q)))
        best = np.flatnonzero(q == q.max())
        return int(best[0] if len(best) == 1 else self.rng.choice(best))

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "traces": torch.from_numpy(self.traces.copy()),
            "done": self.done,
            "next_action": self.next_action,
            "latest": list(self.latest.kept),
            "rng": state_of(self.rng),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.traces[:] = state["traces"].numpy()
        self.done, self.next_action = state["done"], state["next_action"]
        self.latest.kept.extend(state["latest"])
        bring_back(self.rng, state["rng"])


def put_together(
    config: Config, environment: Environment, model: LinearActionValues, seed: int
) -> tuple[Any, Any, TableObjective]:
    """Source, learner and objective of one seed."""
    total = config.training.steps * config.acting_steps
    rng = np.random.default_rng([seed, 1])
    learner = LinearLearner(model, config.gamma, total, rng)
    source = WorldSource(environment, None, seed, config.acting_steps, as_state=False)
    return source, learner, TableObjective(config.gamma)


def ranges(environment: Environment, steps: int = 2000) -> tuple[list[float], list[float]]:
    """Lowest and highest of each observation: the space's bounds, or, where those are infinite or
    beyond 1e6, what random actions show, widened by half."""
    spaces = environment.spaces
    rng = np.random.default_rng(0)
    with closing(Acting(environment, 1, 0)) as acting:
        seen = [acting.seen[0].copy()]
        seen += [
            acting.step(rng.integers(spaces.num_actions, size=(1, 1))).successors[0]
            for _step in range(steps)
        ]
        bounds = acting.copies[0].observation_space
    low, high = np.min(seen, axis=0).astype(float), np.max(seen, axis=0).astype(float)
    spread = (high - low) / 4
    least, most = getattr(bounds, "low", None), getattr(bounds, "high", None)
    if least is None or most is None:
        return [0.0] * spaces.width, [1.0] * spaces.width
    known = (np.abs(least) < 1e6) & (np.abs(most) < 1e6)
    return (
        np.where(known, least, low - spread).tolist(),
        np.where(known, most, high + spread).tolist(),
    )
