"""What a user gets from a trained agent, and its rivals: a random policy, the exact optimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from shinso.experience.acting import NEW_SEEDS, TEST_SEEDS, VALID_SEEDS, Acting
from shinso.experience.environment_faults import space_fault
from shinso.experience.environments import Environment, open_environment
from shinso.experience.episodes import Played, Policy, by_chance, play
from shinso.experience.transition_table import TransitionTable, transition_table
from shinso.faults import UsageFault
from shinso.intervals import mean
from shinso.language import _
from shinso.recipes.agents import check
from shinso.recipes.agents.linear import ranges
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.control_pictures import (
    as_gif,
    as_table,
    draw_episode,
    draw_states,
    episode,
    judge,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.control import Config

TRIED = 10
FIRST_SEED = {"train": 0, "valid": VALID_SEEDS, "test": TEST_SEEDS, "new": NEW_SEEDS}


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
    _try_out(environment)
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


def _try_out(environment: Environment) -> None:
    """Some random steps, so that a world which breaks at once leaves no run behind."""
    policy = by_chance(environment.spaces)
    with closing(Acting(environment, 1, 0)) as acting:
        for _step in range(TRIED):
            acting.step(policy(acting.seen))


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
        str(paths[0]),
        config.arguments,
        time_limit=config.time_limit,
        time_aware=config.time_aware,
        render=render,
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
        self._fits(environment)
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
        policy = by_chance(data.environment.spaces)
        found = {"random": _scores(self._play(data, part, policy, as_state=False))}
        if data.table is not None:
            best = data.table.best_return()
            found["optimum"] = Evaluation(metrics={"return": best, "exact_return": best})
        return found

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """A row for each step of one greedy episode in the named environment."""
        environment = environment_of(self.config, paths)
        self._fits(environment)
        return as_table(list(episode(environment, self.model, NEW_SEEDS)), dict(self.facts))

    def play(self, paths: Sequence[Path], number: int, *, window: bool) -> Iterator[str]:
        """The environment's own text where it has one, and a line a step."""
        environment, render = self._rendering(paths, ("human",) if window else ("ansi", ""))
        names = "π(a|s)" if hasattr(self.model, "values") else "Q(s,a)"
        if self.facts["action"] == "continuous":
            names = "mean"
        total, step = 0.0, 0
        moments = episode(environment, self.model, NEW_SEEDS + number)
        for step, moment in enumerate(moments):
            total += moment.reward
            if render == "ansi" and moment.picture:
                yield str(moment.picture).rstrip()
            judged = " ".join(f"{one:.3g}" for one in moment.judged)
            action = ", ".join(f"{one:.3g}" for one in moment.action)
            yield f"{step:4}  a={action}  r={moment.reward:.3g}  V={moment.value:.3g}  {names}: {judged}"
        yield _("return {total} after {steps} steps").format(total=f"{total:.6g}", steps=step + 1)

    def animation(self, paths: Sequence[Path], number: int, fps: int) -> bytes:
        environment, _render = self._rendering(paths, ("rgb_array",))
        moments = episode(environment, self.model, NEW_SEEDS + number)
        return as_gif((moment.picture for moment in moments), fps)

    def _rendering(self, paths: Sequence[Path], modes: tuple[str, ...]) -> tuple[Environment, str]:
        """The environment, rendering in the first of ``modes`` that it knows ("": not at all).
        UsageFault PLAY-NO-PICTURES where it knows none of them."""
        plain = environment_of(self.config, paths)
        self._fits(plain)
        with closing(plain.make()) as one:
            known = (one.metadata or {}).get("render_modes", [])
        for mode in modes:
            if not mode:
                return plain, ""
            if mode in known:
                return environment_of(self.config, paths, render=mode), mode
        raise UsageFault(
            "PLAY-NO-PICTURES",
            place=str(paths[0]),
            found=_("it renders: {modes}").format(modes=", ".join(map(str, known)) or "—"),
            next_step=_("play it without -o and without --window, as text"),
        )

    def _fits(self, environment: Environment) -> None:
        """DataFault ENV-SPACE where the agent was trained on other spaces."""
        facts = environment.facts()
        names = ("observation", "width", "action", "num_actions")
        if any(facts[name] != self.facts[name] for name in names):
            raise space_fault(
                environment.name, environment.spaces.text,
                _("the agent was trained with {spaces}").format(spaces=self.facts["spaces"]),
                _("name an environment with the same spaces"),
            )  # fmt: skip

    def plots(
        self, data: ControlData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        moments = list(episode(data.environment, self.model, FIRST_SEED[part]))
        policy = hasattr(self.model, "values") and self.facts["action"] == "discrete"
        label = "probability" if policy else "mean" if hasattr(self.model, "values") else "Q(s, a)"
        found: dict[str, tuple[Callable[[Figure], None], Predictions]] = {
            "episode": (
                lambda figure: draw_episode(figure, moments, label),
                as_table(moments, dict(self.facts)),
            )
        }
        if self.facts["observation"] == "discrete":
            found["values"] = self._plot_of_states(data)
        return found

    def _plot_of_states(self, data: ControlData) -> tuple[Callable[[Figure], None], Predictions]:
        """The value of every state, on the map of the environment where it has one."""
        count = self.facts["num_states"]
        states = torch.arange(count)[:, None].float() if self.as_state else torch.eye(count)
        judged, values = judge(self.model, states)
        best = judged.argmax(axis=1)
        with closing(data.environment.make()) as one:
            map_of = getattr(one.unwrapped, "desc", None)
        shape = tuple(map_of.shape) if map_of is not None else (1, count)
        if shape[0] * shape[1] != count:
            columns = math.ceil(math.sqrt(count))
            shape = (math.ceil(count / columns), columns)
        filled = np.pad(values, (0, shape[0] * shape[1] - count), constant_values=np.nan)
        table = Predictions(
            ("state", "value", "action"),
            [(s, float(values[s]), int(best[s])) for s in range(count)],
        )
        return lambda figure: draw_states(figure, filled, best, shape), table

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
