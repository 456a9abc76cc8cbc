"""PPO, A2C and REINFORCE: the learner, and how it is put together with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shinso.experience.acting import Acting
from shinso.experience.chance import bring_back, state_of
from shinso.experience.environments import Environment
from shinso.experience.normalization import ObservationScale, RewardScale
from shinso.experience.rollouts import Rollout, Rollouts
from shinso.models.actor_critic import A2C, PPO, ActorCritic, Reinforce
from shinso.nn.perceptron import num_parameters
from shinso.objectives.policy_gradient import PolicyGradientObjective
from shinso.training.plan import Training
from shinso.training.schedules import lr_factor

if TYPE_CHECKING:
    from shinso.recipes.control import Config

ADAM_EPSILON = 1e-5


@dataclass(frozen=True)
class Rule:
    """What tells the three apart.

    clip: ε of the ratio; batch: samples an update, 0 for the whole rollout.
    """

    episodes: int
    passes: int
    batch: int
    lam: float
    clip: float
    anneal_clip: bool
    value_weight: float
    scale_advantages: bool
    critic: bool


NO_CLIP = 1e9


def rule_of(settings: Any, training: Training) -> Rule:
    """The rule that a network's settings stand for."""
    if isinstance(settings, PPO.Config):
        return Rule(
            0, settings.epochs, training.batch_size, settings.gae_lambda,
            settings.clip, settings.anneal_clip, settings.value_weight,
            settings.scale_advantages, True,
        )  # fmt: skip
    if isinstance(settings, A2C.Config):
        return Rule(
            0, 1, 0, settings.gae_lambda, NO_CLIP, False,
            settings.value_weight, settings.scale_advantages, True,
        )  # fmt: skip
    assert isinstance(settings, Reinforce.Config)
    weight = 0.5 if settings.baseline else 0.0
    return Rule(
        settings.episodes, 1, 0, 1.0, NO_CLIP, False, weight, settings.scale_advantages,
        settings.baseline,
    )  # fmt: skip


class ActorCriticKernels:
    """A model's acting and values as compiled calls on scaled observations."""

    def __init__(self, model: ActorCritic) -> None:
        from shinso.objectives import policy_gradient_numba as kernels

        self.kernels, self.model = kernels, model
        policy, value = model.policy.sizes, model.value.sizes
        first = num_parameters(policy.tolist())
        self.shape = (
            np.array([first, first + num_parameters(value.tolist())]),
            policy,
            value,
            model.policy.kind,
        )

    def act(
        self, x: np.ndarray, noise: np.ndarray, actions: np.ndarray, log_p: np.ndarray,
        values: np.ndarray,
    ) -> None:  # fmt: skip
        self.kernels.act(
            self.model.vector, *self.shape, x, noise, actions, log_p, values, self.model.continuous
        )

    def values(self, x: np.ndarray) -> np.ndarray:
        ends, _policy, value, kind = self.shape
        found = np.empty(len(x), np.float32)
        self.kernels.value_of(self.model.vector, ends, value, kind, x, found)
        return found


class PolicyGradientLearner:
    """Adam on the loss of ``objectives/policy_gradient.py``, all updates of a rollout at once."""

    def __init__(
        self, model: ActorCritic, rule: Rule, training: Training, rng: np.random.Generator
    ) -> None:
        self.model, self.rule, self.training, self.rng = model, rule, training, rng
        self.kernels = ActorCriticKernels(model)
        self.first, self.second = np.zeros_like(model.vector), np.zeros_like(model.vector)
        self.updates, self.steps_taken = 0, 0

    def step(self, batch: Rollout) -> Mapping[str, float]:
        rule, training, model = self.rule, self.training, self.model
        factor = lr_factor(
            training.schedule, self.steps_taken, training.steps, training.warmup
        )  # fmt: skip
        samples = len(batch.x)
        orders = np.stack([self.rng.permutation(samples) for _pass in range(rule.passes)])
        taken, means = self.kernels.kernels.learn(
            model.vector, model.gradient, self.first, self.second, self.updates,
            *self.kernels.shape, batch.x, batch.actions, batch.log_p, batch.advantages,
            batch.returns, orders, rule.batch or samples, training.lr * factor, ADAM_EPSILON,
            rule.clip * (factor if rule.anneal_clip else 1.0), rule.value_weight,
            model.config.entropy, training.clip_norm, rule.scale_advantages, model.continuous,
        )  # fmt: skip
        self.updates += taken
        self.steps_taken += 1
        names = ("policy_loss", "value_loss", "entropy_nats", "clipped_share", "kl_nats",
                 "gradient_norm", "loss")  # fmt: skip
        return {
            **dict(zip(names, means.tolist(), strict=True)),
            "lr": training.lr * factor,
            "training_return": batch.latest_return,
            "environment_steps": float(batch.environment_steps),
        }

    def state_dict(self) -> dict[str, Any]:
        import torch

        return {
            "model": self.model.state_dict(),
            "first": torch.from_numpy(self.first.copy()),
            "second": torch.from_numpy(self.second.copy()),
            "updates": self.updates,
            "steps_taken": self.steps_taken,
            "rng": state_of(self.rng),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.first[:] = state["first"].numpy()
        self.second[:] = state["second"].numpy()
        self.updates, self.steps_taken = state["updates"], state["steps_taken"]
        bring_back(self.rng, state["rng"])


def put_together(
    config: Config, environment: Environment, model: ActorCritic, seed: int
) -> tuple[Rollouts, PolicyGradientLearner, PolicyGradientObjective]:
    """Source and learner of one seed."""
    rule = rule_of(model.config, config.training)
    of_source, of_learner = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    learner = PolicyGradientLearner(model, rule, config.training, of_learner)
    scale = ObservationScale(
        model.get_buffer("observation_mean").numpy(),
        model.get_buffer("observation_variance").numpy(),
        on=config.normalize_observations,
    )
    rewards = RewardScale(
        model.get_buffer("reward_std").numpy(), config.environments, config.gamma,
        on=config.normalize_rewards,
    )  # fmt: skip
    source = Rollouts(
        Acting(environment, config.environments, seed),
        learner.kernels,
        scale=scale,
        rewards=rewards,
        rng=of_source,
        gamma=config.gamma,
        lam=rule.lam,
        steps=config.acting_steps,
        episodes=rule.episodes,
        critic=rule.critic,
    )
    objective = PolicyGradientObjective(rule.clip, rule.value_weight, model.config.entropy)
    return source, learner, objective
