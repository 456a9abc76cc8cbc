"""DQN: the learner, and how it is put together with its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shinso.experience.acting import Acting
from shinso.experience.environments import Environment
from shinso.experience.exploration import Falling
from shinso.experience.replay import Remembered, Replay, ReplaySource
from shinso.models.action_values import ActionValues
from shinso.objectives.action_values import ActionValueObjective
from shinso.training.plan import Training
from shinso.training.schedules import lr_factor

if TYPE_CHECKING:
    from shinso.recipes.control import Config


class DeepQLearner:
    """Adam on the loss of ``objectives/action_values.py``, all updates of a step at once."""

    def __init__(
        self, model: ActionValues, objective: ActionValueObjective, training: Training, gamma: float
    ) -> None:
        from shinso.objectives import action_values_numba as kernels

        self.kernels = kernels
        self.model, self.objective, self.training, self.gamma = model, objective, training, gamma
        self.shape = (model.network.sizes, model.network.kind, model.config.dueling)
        self.first, self.second = np.zeros_like(model.vector), np.zeros_like(model.vector)
        self.updates, self.steps_taken, self.copied_at = 0, 0, 0

    def act(self, x: np.ndarray, noise: np.ndarray, epsilon: float, actions: np.ndarray) -> None:
        self.kernels.act(self.model.vector, *self.shape, x, noise, epsilon, actions)

    def step(self, batch: Remembered) -> Mapping[str, float]:
        config, training, replay = self.model.config, self.training, batch.replay
        lr = training.lr * lr_factor(
            training.schedule, self.steps_taken, training.steps, training.warmup
        )
        means = self.kernels.learn(
            self.model.vector, self.model.gradient, self.first, self.second, self.updates,
            self.objective.target.vector, *self.shape, config.double, replay.seen, replay.actions,
            replay.rewards, replay.successors, replay.terminated, replay.ended, replay.stored,
            replay.newest, replay.count, replay.tree, batch.noise, self.gamma, config.n_step,
            config.priority, self._correction(), lr, training.clip_norm,
        )  # fmt: skip
        self.updates += len(batch.noise)
        self.steps_taken += 1
        if batch.environment_steps - self.copied_at >= config.target_every:
            self.objective.target.vector[:] = self.model.vector
            self.copied_at = batch.environment_steps
        names = ("loss", "value", "error", "gradient_norm")
        return {
            **dict(zip(names, means.tolist(), strict=True)),
            "lr": lr,
            "training_return": batch.latest_return,
            "environment_steps": float(batch.environment_steps),
        }

    def _correction(self) -> float:
        """β rises from 0.4 to 1 over the run (Schaul et al. 2016, section 3.4)."""
        return 0.4 + 0.6 * min(self.steps_taken / self.training.steps, 1.0)

    def state_dict(self) -> dict[str, Any]:
        import torch

        return {
            "model": self.model.state_dict(),
            "objective": self.objective.state_dict(),
            "first": torch.from_numpy(self.first.copy()),
            "second": torch.from_numpy(self.second.copy()),
            "updates": self.updates,
            "steps_taken": self.steps_taken,
            "copied_at": self.copied_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.first[:] = state["first"].numpy()
        self.second[:] = state["second"].numpy()
        self.updates, self.steps_taken = state["updates"], state["steps_taken"]
        self.copied_at = state["copied_at"]


def put_together(
    config: Config, environment: Environment, model: ActionValues, seed: int
) -> tuple[ReplaySource, DeepQLearner, ActionValueObjective]:
    """Source, learner and objective of one seed."""
    settings, training = model.config, config.training
    spaces = environment.spaces
    target = ActionValues(
        settings, num_observations=spaces.width, num_actions=spaces.num_actions
    )  # fmt: skip
    target.load_state_dict(model.state_dict())
    objective = ActionValueObjective(target, settings.double)
    learner = DeepQLearner(model, objective, training, config.gamma)
    acting = Acting(environment, config.environments, seed)
    replay = Replay(
        settings.replay, config.environments, acting.seen.shape[1],
        prioritized=settings.priority > 0,
    )  # fmt: skip
    total = training.steps * config.acting_steps * config.environments
    source = ReplaySource(
        acting,
        replay,
        learner.act,
        rng=np.random.default_rng([seed, 1]),
        steps=config.acting_steps,
        random_steps=config.random_steps,
        epsilon=Falling(1.0, settings.epsilon_end, settings.epsilon_share * total),
        updates=settings.updates,
        batch_size=training.batch_size,
    )
    return source, learner, objective
