"""Control: an agent learns to act in an environment.

Place in the course: day 4, reinforcement learning. Reads no file: DATA is a Gymnasium id or
``module:Env``. One step of the loop is one step of the learner: some steps of acting in every
environment, then the updates that follow from them.

Measured results, with command, time and hardware: docs/results/reinforcement.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.agents import ONE_COPY, PLANNED, TABLES, unused
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, schema, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.control_play import ControlData, ControlUse

TITLE = Text("Control of an environment", "環境の制御 (強化学習)")
PLACE = Text("Day 4: reinforcement learning", "4 日目: 強化学習")
READS = Text(
    "a Gymnasium id such as CartPole-v1, module:Env for an environment of your own, or the multi-armed "
    "bandit shinso.experience.bandit:Bandit",
    "CartPole-v1 などの Gymnasium の ID、自作環境の module:Env、または多腕バンディット "
    "shinso.experience.bandit:Bandit",
)
ABOUT = Text(
    "An agent acts, is rewarded and learns: by a table of values (Q-learning, SARSA), by linear "
    "features, by a network of values (DQN), by the policy itself (REINFORCE, A2C, PPO), or, where "
    "the environment's transitions are known, by planning alone. A random policy, and the exact "
    "optimum where it can be computed, stand in every table. Validation and test are greedy "
    "episodes on seeds of their own; the weights that did best in validation are kept.",
    "エージェントが行動し、報酬を受け取り、学習します。価値の表 (Q 学習、SARSA)、線形特徴、価値のネットワーク "
    "(DQN)、方策そのもの (REINFORCE、A2C、PPO)、そして遷移が分かっている環境では計画だけでも学習できます。"
    "どの表にもランダム方策が、計算できる場合は厳密な最適値も並びます。検証とテストは、それぞれ別のシードでの "
    "greedy なエピソードです。検証で最もよかった重みを残します。",
)
TABLE = "shinso.models.action_table"
MODELS = {
    "ppo": ModelChoice("shinso.models.actor_critic:PPO"),
    "q-learning": ModelChoice(f"{TABLE}:LearntTable", {"method": "q-learning"}),
    "sarsa": ModelChoice(f"{TABLE}:LearntTable", {"method": "sarsa"}),
    "expected-sarsa": ModelChoice(f"{TABLE}:LearntTable", {"method": "expected-sarsa"}),
    "value-iteration": ModelChoice(f"{TABLE}:PlannedTable", {"method": "value-iteration"}),
    "policy-iteration": ModelChoice(f"{TABLE}:PlannedTable", {"method": "policy-iteration"}),
    "linear": ModelChoice("shinso.models.linear_action_values:LinearActionValues"),
    "dqn": ModelChoice("shinso.models.action_values:ActionValues"),
    "reinforce": ModelChoice("shinso.models.actor_critic:Reinforce"),
    "a2c": ModelChoice("shinso.models.actor_critic:A2C"),
}
USUAL_ROLLOUT = {
    "q-learning": 1000, "sarsa": 1000, "expected-sarsa": 1000, "linear": 1000, "dqn": 4, "a2c": 5,
    "ppo": 128, "value-iteration": 0, "policy-iteration": 0, "reinforce": 0,
}  # fmt: skip
"""Steps of each environment in a training step; 0: the model counts otherwise (episodes, sweeps)."""
BRIEF = Brief(
    named="FrozenLake-v1",
    models=("q-learning", "ppo"),
    settings={"steps": 60, "evaluate_every": 20, "valid_episodes": 50},
)
PRESETS: dict[str, dict[str, Any]] = {
    "cartpole-ppo": {
        "model": "ppo", "environments": 8, "rollout": 32, "env_steps": 100_000, "gamma": 0.98,
        "gae_lambda": 0.8, "epochs": 20, "batch_size": 256, "lr": 1e-3, "schedule": "linear",
        "anneal_clip": True, "looks": 40,
    },
    "cartpole-dqn": {
        "model": "dqn", "environments": 1, "rollout": 256, "updates": 128, "env_steps": 50_000,
        "batch_size": 64, "lr": 2.3e-3, "schedule": "constant", "clip_norm": 10.0, "hidden": 256,
        "random_steps": 1000, "target_every": 10, "epsilon_share": 0.16, "epsilon_end": 0.04,
        "looks": 50,
    },
    "frozen-lake": {
        "model": "q-learning", "env_steps": 20_000_000, "rollout": 200_000, "gamma": 0.99,
        "alpha": 1.0, "alpha_power": 1.0, "alpha_horizon": 100.0, "epsilon_end": 1.0, "looks": 5,
        "test_episodes": 1000,
    },
    "frozen-lake-8x8": {
        "model": "q-learning", "env_steps": 300_000_000, "rollout": 3_000_000, "gamma": 1.0,
        "time_aware": True, "alpha": 1.0, "alpha_power": 1.0, "alpha_horizon": 200.0,
        "epsilon_start": 0.5, "epsilon_end": 0.02, "epsilon_share": 0.8, "looks": 5,
        "test_episodes": 1000,
    },
    "taxi": {
        "model": "q-learning", "env_steps": 5_000_000, "rollout": 100_000, "gamma": 0.99,
        "alpha": 1.0, "epsilon_end": 1.0, "looks": 5, "test_episodes": 1000,
    },
    "lunar-lander-ppo": {
        "model": "ppo", "environments": 16, "rollout": 1024, "env_steps": 1_000_000,
        "gamma": 0.999, "gae_lambda": 0.98, "epochs": 4, "batch_size": 64, "lr": 3e-4,
        "schedule": "linear", "entropy": 0.01, "normalize_rewards": True, "looks": 20,
    },
    "pendulum-ppo": {
        "model": "ppo", "environments": 4, "rollout": 1024, "env_steps": 200_000, "gamma": 0.9,
        "gae_lambda": 0.95, "epochs": 10, "batch_size": 64, "lr": 1e-3, "schedule": "linear",
        "looks": 25,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train control``."""

    env_steps: int = setting(
        0, "environment steps to train for; 0: as many as --steps training steps take"
    )
    looks: int = setting(20, "looks at validation episodes in the course of --env-steps")
    environments: int = setting(8, "copies of the environment that are acted in side by side")
    rollout: int = setting(0, "steps of each copy in a training step; 0: as usual for the model")
    random_steps: int = setting(1000, "environment steps by chance before dqn begins to learn")
    gamma: float = setting(0.99, "discount of later rewards (γ)")
    normalize_observations: bool = setting(
        False, "scale observations by their running mean and deviation"
    )
    normalize_rewards: bool = setting(False, "scale rewards by the deviation of their sums")
    valid_episodes: int = setting(100, "greedy episodes of a look at validation")
    test_episodes: int = setting(100, "greedy episodes of the test, on seeds of their own")
    time_limit: int = setting(0, "steps after which an episode is cut off; 0: the environment's")
    time_aware: bool = setting(
        False, "the agent sees the age of the episode, so that the time limit is a true end"
    )
    environment_settings: str = setting(
        "", 'arguments of the environment, as JSON: {"gravity": -5}'
    )
    model: str = setting("ppo", "which agent: " + ", ".join(MODELS))
    learning: Training = nested(
        Training, steps=100, batch_size=64, lr=1e-3, schedule="linear", clip_norm=0.5,
        evaluate_every=10, checkpoint_every=50,
    )  # fmt: skip

    def __post_init__(self) -> None:
        least = {"env_steps": 0, "looks": 1, "environments": 1, "rollout": 0, "random_steps": 0, "valid_episodes": 2,
                 "test_episodes": 2, "time_limit": 0}  # fmt: skip
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {bound}")
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma is {self.gamma}; give 0 up to 1")
        if not isinstance(self.arguments, dict):
            raise ValueError(f"environment_settings is {self.environment_settings!r}; give a JSON "
                             'object such as {"gravity": -5}')  # fmt: skip
        scaled = self.normalize_observations or self.normalize_rewards
        if scaled and self.model not in ("ppo", "a2c", "reinforce"):
            raise ValueError(
                f"normalize_observations or normalize_rewards is set, but model is {self.model}; "
                "leave them out, or choose ppo, a2c or reinforce"
            )
        leaves = schema(Config)
        for name in unused(self.model) if self.model in MODELS else ():
            value = reduce(getattr, leaves[name].path, self)
            if value != leaves[name].default:
                raise ValueError(
                    f"{name} is {value}, but {self.model} does not use it; leave it out"
                )
        if self.env_steps and self.model in USUAL_ROLLOUT and not self.acting_steps:
            raise ValueError(f"env_steps is {self.env_steps}, but a step of {self.model} has no "
                             "fixed number of environment steps; give steps")  # fmt: skip

    @property
    def arguments(self) -> Any:
        """The environment's own arguments; None where the text is no JSON."""
        try:
            return json.loads(self.environment_settings or "{}")
        except json.JSONDecodeError:
            return None

    @property
    def acting_steps(self) -> int:
        """Steps of each copy in a training step."""
        return self.rollout or USUAL_ROLLOUT.get(self.model, 0)

    @property
    def copies(self) -> int:
        """Copies of the environment: tables and linear values learn from one."""
        return 1 if self.model in ONE_COPY else self.environments

    @property
    def training(self) -> Training:
        """The plan of the loop, whose steps follow from ``env_steps`` where they are given."""
        if not self.env_steps:
            return self.learning
        acted = self.env_steps - (self.random_steps if self.model == "dqn" else 0)
        steps = max(1, acted // (self.acting_steps * self.copies))
        every = -(-steps // self.looks)
        return replace(self.learning, steps=steps, evaluate_every=every, checkpoint_every=every)


def read(config: Config, paths: Sequence[Path]) -> ControlData:
    """Open the environment and check that the agent can act in it. Raises Faults."""
    from shinso.recipes.uses.control_play import open_data

    return open_data(config, paths)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    from shinso.recipes.uses.control_play import sized

    return network(network_config, **sized(network, facts))


def build(config: Config, data: ControlData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.agents import put_together
    from shinso.training.loop import Selection

    source, learner, objective = put_together(config, data.environment, model, seed)
    used = use(config, data.facts(), model)

    def validate() -> Mapping[str, float]:
        found = dict(used.evaluate(data, "valid").metrics)
        if config.model in TABLES:
            found["steps_learnt"] = learner.done
        if config.model not in PLANNED:
            acted = learner.done if config.model in ONE_COPY else source.environment_steps
            found["environment_steps"] = float(acted)
        return found

    # Every value of a table is a mean that gets better with each visit, so the last table is kept;
    # a look at some episodes would rather pick a lucky one.
    metric = "steps_learnt" if config.model in TABLES else "return"
    return Built(
        objective=objective,
        source=source,
        validate=validate,
        selection=Selection(metric, "max"),
        learner=learner,
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ControlUse:
    from shinso.recipes.uses.control_play import ControlUse

    return ControlUse(config, facts, model)
