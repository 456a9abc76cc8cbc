"""The agents of ``control``: how each kind is put together from experience and objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

PLANNED = ("value-iteration", "policy-iteration")
TABLES = (*PLANNED, "q-learning", "sarsa", "expected-sarsa")
ONE_COPY = (*TABLES, "linear")
DISCRETE = ("dqn", "linear")
NO_AGENTS = (
    "accumulate", "optimizer", "momentum", "betas", "weight_decay", "average", "precision",
)  # fmt: skip
"""Settings of gradient training that no agent has: each learns in one compiled call with Adam."""


def unused(model: str) -> tuple[str, ...]:
    """Settings of ``control`` that the agent does not read."""
    found: list[str] = list(NO_AGENTS)
    if model not in ("ppo", "dqn"):  # a whole rollout, or a single step, is learnt from at a time
        found.append("batch_size")
    if model in ONE_COPY:  # not by a gradient; the step size is the model's own alpha
        found += ["lr", "schedule", "warmup", "clip_norm", "environments"]
    if model in (*PLANNED, "reinforce"):  # sweeps, whole episodes
        found.append("rollout")
    if model != "dqn":
        found.append("random_steps")
    return tuple(found)


if TYPE_CHECKING:
    from torch import nn

    from shinso.experience.environments import Environment
    from shinso.recipes.control import Config


def put_together(
    config: Config, environment: Environment, model: nn.Module, seed: int
) -> tuple[Any, Any, Any]:
    """Source, learner and objective of one seed."""
    from shinso.models.action_table import ActionTable
    from shinso.models.action_values import ActionValues
    from shinso.models.actor_critic import ActorCritic
    from shinso.models.linear_action_values import LinearActionValues
    from shinso.recipes.agents import deep_q, linear, policy_gradient, tables

    if isinstance(model, ActionTable):
        return tables.put_together(config, environment, model, seed)
    if isinstance(model, LinearActionValues):
        return linear.put_together(config, environment, model, seed)
    if isinstance(model, ActionValues):
        return deep_q.put_together(config, environment, model, seed)
    assert isinstance(model, ActorCritic)
    return policy_gradient.put_together(config, environment, model, seed)


def check(config: Config, environment: Environment) -> None:
    """DataFault ENV-SPACE where the chosen agent cannot act in the environment."""
    from shinso.experience.environment_faults import space_fault
    from shinso.language import _
    from shinso.recipes.agents import tables

    if config.model in TABLES:
        tables.check(environment, planned=config.model in PLANNED)
    elif config.model in DISCRETE and environment.spaces.action != "discrete":
        raise space_fault(
            environment.name, environment.spaces.text,
            _("{model} chooses among Discrete actions").format(model=config.model),
            _("choose --model ppo, a2c or reinforce"),
        )  # fmt: skip
