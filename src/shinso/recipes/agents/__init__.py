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
    from shinso.models.action_values import ActionValues
    from shinso.recipes.agents import deep_q, policy_gradient

    if isinstance(model, ActionValues):
        return deep_q.put_together(config, environment, model, seed)
    return policy_gradient.put_together(config, environment, model, seed)  # type: ignore[arg-type]
