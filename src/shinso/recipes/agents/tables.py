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
        settings, position, acting = self.model.config, world.position, world.acting
        assert acting is not None
        exploration = EXPLORATIONS[settings.exploration]
        rule = np.array([
            METHODS[settings.method], exploration, settings.temperature, settings.ucb, self.gamma,
            settings.alpha, settings.alpha_power, settings.alpha_horizon, settings.n_step,
            settings.trace,
        ], float)  # fmt: skip
        q, visits, traces, memory, rewards = (
            self.q, self.visits, self.traces, self.memory, self.rewards,
        )  # fmt: skip
        live_step, chance, start, falling = (
            self.kernels.live_step, world.chance, settings.epsilon_start, self.falling,
        )  # fmt: skip
        change = settings.epsilon_end - start
        number, epsilon = self.done, start + change

        def begin(state: int) -> int:
            position[0], position[4] = state, 1
            now = start + change * (number / falling) if number < falling else epsilon
            position[2] = self.kernels.choose(
                q, visits, state, exploration, now, settings.temperature, settings.ucb, chance
            )
            return int(position[2])

        def learn(after: int, reward: float, terminated: bool, ended: bool) -> int:
            nonlocal number
            now = start + change * (number / falling) if number < falling else epsilon
            number += 1
            return live_step(
                q, visits, traces, memory, rewards, position, chance, rule, totals, finished,
                reward, after, terminated, ended, now,
            )  # fmt: skip

        acting.live(world.steps, int(position[2]) if position[4] else None, begin, learn)
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
