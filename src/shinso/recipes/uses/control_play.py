"""What a user gets from a trained agent, and its rivals: a random policy, the exact optimum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.experience.acting import NEW_SEEDS, TEST_SEEDS, VALID_SEEDS
from shinso.experience.environments import Environment, open_environment
from shinso.experience.episodes import Played, Policy, play
from shinso.faults import UsageFault
from shinso.intervals import mean
from shinso.language import _
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

    def facts(self) -> dict[str, Any]:
        return {
            **self.environment.facts(),
            "split": "seeds of episodes: below 2^30 train, from 2^30 valid, from 5·2^28 test",
            "notes": list(self.notes),
        }


def open_data(config: Config, paths: Sequence[Path]) -> ControlData:
    """The environment that DATA names, with what a step of training is."""
    environment = environment_of(config, paths)
    notes = list(environment.notes)
    training = config.training
    if config.acting_steps:
        each = config.acting_steps * config.environments
        notes.append(
            _(
                "a training step is {each} environment steps ({copies} copies × {steps}); "
                "{total} of them are {all} environment steps"
            ).format(
                each=each, copies=config.environments, steps=config.acting_steps,
                total=training.steps, all=f"{each * training.steps:,}",
            )
        )  # fmt: skip
    return ControlData(environment, tuple(notes))


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
    from shinso.models.actor_critic import ActorCritic

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
        return ControlData(environment, environment.notes)

    def evaluate(self, data: ControlData, part: Part) -> Evaluation:
        return _scores(self._play(data, part, greedy(self.model), as_state=self.as_state))

    def baselines(self, data: ControlData, part: Part) -> dict[str, Evaluation]:
        rng = np.random.default_rng(0)
        spaces = data.environment.spaces

        def policy(seen: np.ndarray) -> np.ndarray:
            if spaces.action == "discrete":
                return rng.integers(spaces.num_actions, size=(len(seen), 1))
            return rng.uniform(-1, 1, (len(seen), spaces.num_actions))

        return {"random": _scores(self._play(data, part, policy, as_state=False))}

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
