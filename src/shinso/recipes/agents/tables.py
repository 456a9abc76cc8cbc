"""Tables of action values: learnt from acting, or planned from known transitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from shinso.experience.environment_faults import space_fault
from shinso.experience.environments import Environment
from shinso.experience.transition_table import TransitionTable, transition_table
from shinso.experience.worlds import Nothing, World, WorldSource
from shinso.language import _
from shinso.models.action_table import ActionTable, LearntTable, PlannedTable
from shinso.objectives.temporal_difference import TableObjective

if TYPE_CHECKING:
    from shinso.recipes.control import Config

METHODS = {"q-learning": 0, "sarsa": 1, "expected-sarsa": 2}
EXPLORATIONS = {"epsilon": 0, "boltzmann": 1, "ucb": 2}


class TableLearner:
    """Q-learning, SARSA or expected SARSA in a world."""

    def __init__(self, model: LearntTable, gamma: float, total_steps: int) -> None:
        from shinso.objectives import action_table_numba as kernels

        self.kernels, self.model, self.gamma = kernels, model, gamma
        self.q = model.get_buffer("q").numpy()
        settings = model.config
        self.visits = np.zeros(self.q.shape, np.int64)
        self.traces = np.zeros(self.q.shape)
        self.memory = np.zeros((settings.n_step, 2), np.int64)
        self.rewards = np.zeros(settings.n_step)
        self.falling = settings.epsilon_share * total_steps
        self.done, self.so_far = 0, 0.0

    def step(self, batch: World) -> Mapping[str, float]:
        totals, finished = np.array([0.0, self.so_far, 0.0]), np.zeros(1, np.int64)
        if batch.table is not None:
            self._simulate(batch, batch.table, totals, finished)
        else:
            self._live(batch, totals, finished)
        self.done += batch.steps
        self.so_far = float(totals[1])
        return {
            "loss": float(totals[0]) / batch.steps,
            "training_return": float(totals[2] / finished[0]) if finished[0] else float("nan"),
            "environment_steps": float(self.done),
        }

    def _simulate(
        self, world: World, table: TransitionTable, totals: np.ndarray, finished: np.ndarray
    ) -> None:
        settings = self.model.config
        self.kernels.simulate(
            self.q, self.visits, self.traces, self.memory, self.rewards, world.position,
            world.chance, np.cumsum(table.chance, axis=2), table.following, table.reward,
            table.terminated, np.cumsum(table.start), table.limit, world.steps, self.done,
            METHODS[settings.method], EXPLORATIONS[settings.exploration],
            settings.epsilon_start, settings.epsilon_end, self.falling, settings.temperature,
            settings.ucb, self.gamma, settings.alpha, settings.alpha_power, settings.alpha_horizon, settings.n_step,
            settings.trace, totals, finished,
        )  # fmt: skip

    def _live(self, world: World, totals: np.ndarray, finished: np.ndarray) -> None:
        """The same in an environment of which only acting shows what it does."""
        settings, position = self.model.config, world.position
        method, exploration = METHODS[settings.method], EXPLORATIONS[settings.exploration]
        acting = world.acting
        assert acting is not None
        for number in range(world.steps):
            share = min((self.done + number) / self.falling, 1.0) if self.falling > 0 else 1.0
            epsilon = (
                settings.epsilon_start + (settings.epsilon_end - settings.epsilon_start) * share
            )
            ways = (exploration, epsilon, settings.temperature)
            if not position[4]:
                position[0], position[4] = int(acting.seen[0, 0]), 1
                position[2] = self.kernels.choose(
                    self.q, self.visits, position[0], *ways, settings.ucb, world.chance
                )
            found = acting.step(np.array([[position[2]]]))
            after = int(found.successors[0, 0])
            terminated = bool(found.terminated[0])
            ended = terminated or bool(found.truncated[0])
            following = 0
            if not terminated:
                following = self.kernels.choose(
                    self.q, self.visits, after, *ways, settings.ucb, world.chance
                )
            totals[0] += self.kernels.learn_step(
                self.q, self.visits, self.traces, self.memory, self.rewards, position, position[2],
                found.rewards[0], after, following, terminated, ended, method, *ways, self.gamma,
                settings.alpha, settings.alpha_power, settings.alpha_horizon, settings.n_step, settings.trace,
            )  # fmt: skip
            totals[1] += found.rewards[0]
            position[0], position[2] = after, following
            if ended:
                position[4] = 0
                totals[2] += totals[1]
                totals[1] = 0.0
                finished[0] += 1
        acting.take_finished()

    def state_dict(self) -> dict[str, Any]:
        arrays = ("visits", "traces", "memory", "rewards")
        return {
            "model": self.model.state_dict(),
            **{name: torch.from_numpy(getattr(self, name).copy()) for name in arrays},
            "done": self.done,
            "so_far": self.so_far,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for name in ("visits", "traces", "memory", "rewards"):
            getattr(self, name)[:] = state[name].numpy()
        self.done, self.so_far = state["done"], state["so_far"]


class Planner:
    """Value iteration (Sutton & Barto 2018, section 4.4), a sweep a step; or policy iteration (section
    4.3), an improvement a step. Differs: a policy is evaluated by a number of sweeps, not to the end
    (modified policy iteration)."""

    def __init__(self, model: PlannedTable, table: TransitionTable, gamma: float) -> None:
        self.model, self.table, self.gamma = model, table, gamma
        self.q = model.get_buffer("q").numpy()
        self.done = 0

    def step(self, batch: None) -> Mapping[str, Tensor | float]:
        before = self.q.copy()
        self.done += 1
        if self.model.config.method == "policy-iteration":
            rows, policy = np.arange(len(self.q)), self.q.argmax(axis=1)
            for _sweep in range(self.model.config.sweeps):
                self.q[:] = self.table.action_values(self.q[rows, policy], self.gamma)
        else:
            self.q[:] = self.table.action_values(self.q.max(axis=1), self.gamma)
        return {"loss": float(np.abs(self.q - before).max())}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.done = state["done"]


def put_together(
    config: Config, environment: Environment, model: ActionTable, seed: int
) -> tuple[Any, Any, TableObjective]:
    """Source, learner and objective of one seed."""
    table = transition_table(environment)
    objective = TableObjective(config.gamma)
    if isinstance(model, PlannedTable):
        assert table is not None  # ``check`` refused what has none
        return Nothing(), Planner(model, table, config.gamma), objective
    assert isinstance(model, LearntTable)
    total = config.training.steps * config.acting_steps
    learner = TableLearner(model, config.gamma, total)
    return WorldSource(environment, table, seed, config.acting_steps), learner, objective


def check(environment: Environment, *, planned: bool) -> None:
    """DataFault ENV-SPACE where a table cannot hold the environment."""
    spaces = environment.spaces
    if spaces.observation != "discrete" or spaces.action != "discrete":
        raise space_fault(
            environment.name, spaces.text, _("a table needs Discrete states and actions"),
            _("choose --model linear, dqn or ppo"),
        )  # fmt: skip
    if planned and transition_table(environment) is None:
        raise space_fault(
            environment.name, spaces.text,
            _("planning needs the transitions, P[state][action], which it does not give"),
            _("choose --model q-learning"),
        )  # fmt: skip
