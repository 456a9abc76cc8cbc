"""The agents of ``control``: how each kind is put together from experience and objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from shinso.experience.environments import Environment
    from shinso.recipes.control import Config


def put_together(
    config: Config, environment: Environment, model: nn.Module, seed: int
) -> tuple[Any, Any, Any]:
    """Source, learner and objective of one seed."""
    from shinso.models.actor_critic import ActorCritic
    from shinso.recipes.agents import policy_gradient

    assert isinstance(model, ActorCritic)
    return policy_gradient.put_together(config, environment, model, seed)
