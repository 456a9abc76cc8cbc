"""What a user gets from a trained agent, and its rivals: a random policy, the exact optimum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.experience.acting import NEW_SEEDS, TEST_SEEDS, VALID_SEEDS
from shinso.experience.environments import Environment, open_environment
from shinso.experience.episodes import Played, Policy, play
from shinso.experience.transition_table import TransitionTable, transition_table
from shinso.faults import UsageFault
from shinso.intervals import mean
from shinso.language import _
from shinso.recipes.agents import check
from shinso.recipes.agents.linear import ranges
from shinso.recipes.recipe import Evaluation, Part, Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.control import Config

FIRST_SEED = {"valid": VALID_SEEDS, "test": TEST_SEEDS, "new": NEW_SEEDS}


@dataclass(frozen=True)
class ControlData:
    """An environment, in the place of data."""

    environment: Environment
    notes: tuple[str, ...]
    table: TransitionTable | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {
            **self.environment.facts(),
            "split": "seeds of episodes: below 2^30 train, from 2^30 valid, from 5·2^28 test",
            "notes": list(self.notes),
            **self.more,
        }


def open_data(config: Config, paths: Sequence[Path]) -> ControlData:
    """The environment that DATA names, with what a step of training is."""
    environment = environment_of(config, paths)
    check(config, environment)
    notes = list(environment.notes)
    training = config.training
    if config.acting_steps:
        each = config.acting_steps * config.copies
        notes.append(
            _(
                "a training step is {each} environment steps ({copies} copies × {steps}); "
                "{total} of them are {all} environment steps"
            ).format(
                each=each, copies=config.copies, steps=config.acting_steps,
                total=training.steps, all=f"{each * training.steps:,}",
            )
        )  # fmt: skip
    more: dict[str, Any] = {}
    if config.model == "linear":
        low, high = ranges(environment)
        more = {"low": low, "high": high}
    table = transition_table(environment)
    if table is not None:
        more["best_return"] = table.best_return()
    return ControlData(environment, tuple(notes), table, more)


def environment_of(
    config: Config, paths: Sequence[Path], *, render: str | None = None
) -> Environment:
    """UsageFault ENV-ONE unless exactly one is named."""
    if len(paths) != 1:
        raise UsageFault(
            "ENV-ONE",
            place="shinso train control",
            found=", ".join(map(str, paths)) or "—",
            next_step=_("name one environment"),
        )
    return open_environment(
        str(paths[0]), config.arguments, time_limit=config.time_limit, render=render
    )


def sized(network: type, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a network's size follows from."""
    from shinso.models.action_table import ActionTable
    from shinso.models.actor_critic import ActorCritic
    from shinso.models.linear_action_values import LinearActionValues

    if issubclass(network, ActionTable):
        return {"num_states": facts["num_states"], "num_actions": facts["num_actions"]}
    if issubclass(network, LinearActionValues):
        return {name: facts[name] for name in ("low", "high", "num_actions")}
    sizes = {"num_observations": facts["width"], "num_actions": facts["num_actions"]}
    if issubclass(network, ActorCritic):
        sizes["continuous"] = facts["action"] == "continuous"
    return sizes


def greedy(model: nn.Module) -> Policy:
    """The action that the model thinks best; of a continuous policy its mean."""

    def policy(seen: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found = model(torch.from_numpy(np.ascontiguousarray(seen)))
        if getattr(model, "continuous", False):
            return found.numpy()
        return found.argmax(1, keepdim=True).numpy()

    return policy


class ControlUse:
    """A trained agent, playing greedily."""

    better: Mapping[str, Literal["min", "max"]] = {"return": "max"}

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:
        self.config, self.facts, self.model = config, facts, model
        self.as_state = bool(getattr(model, "reads_state", False))

    def read_new(self, paths: Sequence[Path]) -> ControlData:
        environment = environment_of(self.config, paths)
        return ControlData(environment, environment.notes, transition_table(environment))

    def evaluate(self, data: ControlData, part: Part) -> Evaluation:
        played = self._play(data, part, greedy(self.model), as_state=self.as_state)
        found = _scores(played)
        if data.table is None:
            return found
        return Evaluation(metrics={**found.metrics, **self._exact(data.table)})

    def _exact(self, table: TransitionTable) -> dict[str, float]:
        """What needs no episodes where the transitions are known: the expected return of the greedy
        policy, and how far a table of values is from the optimal one."""
        states = torch.arange(table.num_states)
        seen = states[:, None].float() if self.as_state else torch.eye(table.num_states)
        with torch.no_grad():
            q = self.model(seen).numpy()
        found = {"exact_return": table.exact_return(q.argmax(axis=1))}
        if self.as_state:
            where = table.reachable()
            optimal = table.optimal(self.config.gamma)
            found["q_error"] = float(np.abs(q - optimal)[where].max())
        return found

    def baselines(self, data: ControlData, part: Part) -> dict[str, Evaluation]:
        rng = np.random.default_rng(0)
        spaces = data.environment.spaces

        def policy(seen: np.ndarray) -> np.ndarray:
            if spaces.action == "discrete":
                return rng.integers(spaces.num_actions, size=(len(seen), 1))
            return rng.uniform(-1, 1, (len(seen), spaces.num_actions))

        found = {"random": _scores(self._play(data, part, policy, as_state=False))}
        if data.table is not None:
            best = data.table.best_return()
            found["optimum"] = Evaluation(metrics={"return": best, "exact_return": best})
        return found

    def predict(self, paths: Sequence[Path]) -> Predictions:
        raise NotImplementedError

    def plots(
        self, data: ControlData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        return {}

    def _play(self, data: ControlData, part: Part, policy: Policy, *, as_state: bool) -> Played:
        episodes = self.config.valid_episodes if part == "valid" else self.config.test_episodes
        return play(data.environment, policy, episodes, FIRST_SEED[part], as_state=as_state)


def _scores(played: Played) -> Evaluation:
    found = mean(played.returns.tolist())
    return Evaluation(
        metrics={
            "return": found.value,
            "return_low": found.low,
            "return_high": found.high,
            "return_least": float(played.returns.min()),
            "episode_steps": float(played.steps.mean()),
        }
    )
