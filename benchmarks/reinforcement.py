"""Environment steps per second of training: PPO and DQN beside Stable-Baselines3 with equal settings,
tabular Q-learning beside a plain Python loop, simulated from the known transitions and (``live-table``)
stepping the environment itself as the loop does. One thread.

    python benchmarks/reinforcement.py              all
    python benchmarks/reinforcement.py ppo dqn      some of them

The goals (decided beforehand): PPO and DQN at least 1.5 times Stable-Baselines3's steps a second, Q-learning at
least 10 times those of the loop. Needs the extra ``rl`` and, for the first two, stable-baselines3.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from shinso.experience.worlds import WorldSource
from shinso.walk.order import place
from shinso.walk.training import prepare
from timing import in_turn, print_table, ratio

ROUNDS = 9
PPO_STEPS, DQN_STEPS, TABLE_STEPS, LOOP_STEPS = 2048, 1024, 1_000_000, 20_000


def ours(
    environment: str, *, live: bool = False, **settings: Any
) -> Callable[[int], Callable[[], None]]:
    """How to take so many environment steps, and what is learnt from them, in one call. live: a table
    learns as if the environment did not give its transitions."""
    order = place("control", [environment], ("benchmark", settings))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0)
    each = order.config.acting_steps * order.config.copies
    source = WorldSource(data.environment, None, 0, each) if live else ready.built.source

    def steps(count: int) -> Callable[[], None]:
        def run() -> None:
            for _step in range(count // each):
                ready.learner.step(source.next_batch())

        return run

    return steps


def ppo() -> tuple[Callable[[], object], Callable[[], object]]:
    """The settings of the RL Zoo for CartPole."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    own = ours(
        "CartPole-v1", model="ppo", environments=8, rollout=32, env_steps=10_000_000, gamma=0.98,
        gae_lambda=0.8, epochs=20, batch_size=256, lr=1e-3,
    )(PPO_STEPS)  # fmt: skip
    peer = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", 8, seed=0), n_steps=32, batch_size=256,
        gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0, learning_rate=1e-3, clip_range=0.2,
        seed=0, device="cpu",
    )  # fmt: skip
    return own, lambda: peer.learn(PPO_STEPS, reset_num_timesteps=False)


def dqn() -> tuple[Callable[[], object], Callable[[], object]]:
    """The settings of the RL Zoo for CartPole."""
    import gymnasium
    from stable_baselines3 import DQN

    own = ours(
        "CartPole-v1", model="dqn", environments=1, rollout=256, updates=128, env_steps=10_000_000,
        batch_size=64, lr=2.3e-3, schedule="constant", clip_norm=10.0, hidden=256,
        random_steps=1000, target_every=10, double=False, epsilon_share=0.0, epsilon_end=0.04,
    )(DQN_STEPS)  # fmt: skip
    peer = DQN(
        "MlpPolicy", gymnasium.make("CartPole-v1"), learning_rate=2.3e-3, batch_size=64,
        buffer_size=100_000, learning_starts=1000, gamma=0.99, target_update_interval=10,
        train_freq=256, gradient_steps=128, exploration_initial_eps=0.04,
        exploration_final_eps=0.04, policy_kwargs={"net_arch": [256, 256]}, seed=0, device="cpu",
    )  # fmt: skip
    peer.learn(1280)  # past the random beginning
    return own, lambda: peer.learn(DQN_STEPS, reset_num_timesteps=False)


def table(*, live: bool = False) -> tuple[Callable[[], object], Callable[[], object]]:
    own = ours(
        "FrozenLake-v1", live=live, model="q-learning", rollout=10_000, epsilon_end=0.1,
        epsilon_share=0.0,
    )  # fmt: skip
    import gymnasium

    env = gymnasium.make("FrozenLake-v1")
    q = [[0.0] * 4 for _state in range(16)]
    chance = random.Random(0)
    state = env.reset(seed=0)[0]

    def loop() -> None:
        """What a course shows: lists, ε-greedy, one update a step."""
        nonlocal state
        for _step in range(LOOP_STEPS):
            row = q[state]
            action = chance.randrange(4) if chance.random() < 0.1 else row.index(max(row))
            after, reward, terminated, truncated, _info = env.step(action)
            goal = float(reward) + (0.0 if terminated else 0.99 * max(q[after]))
            row[action] += 0.5 * (goal - row[action])
            state = env.reset()[0] if terminated or truncated else after

    return own(LOOP_STEPS if live else TABLE_STEPS), loop


PAIRS = {
    "ppo": (ppo, PPO_STEPS, PPO_STEPS, "Stable-Baselines3"),
    "dqn": (dqn, DQN_STEPS, DQN_STEPS, "Stable-Baselines3"),
    "q-learning": (table, TABLE_STEPS, LOOP_STEPS, "Python loop"),
    "live-table": (partial(table, live=True), LOOP_STEPS, LOOP_STEPS, "Python loop"),
}


def measure(name: str) -> list[str]:
    make, own_steps, peer_steps, peer = PAIRS[name]
    own, other = make()
    seconds = in_turn({"ours": own, "peer": other}, rounds=ROUNDS)
    per_step = [s / own_steps for s in seconds["ours"]]
    of_peer = [s / peer_steps for s in seconds["peer"]]
    value, least, most = ratio(of_peer, per_step)
    return [
        name, peer, f"{1 / statistics.median(per_step):,.0f}",
        f"{1 / statistics.median(of_peer):,.0f}", f"{value:.2f}", f"{least:.2f} … {most:.2f}",
    ]  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = [measure(name) for name in sys.argv[1:] or PAIRS]
    print_table(
        ["agent", "beside", "steps/s, ours", "steps/s, theirs", "ratio", "of rounds"], found
    )
