"""Advantages, time limits, running scales, replay: what learning is fed with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("gymnasium")

from shinso.experience.acting import Acting
from shinso.experience.advantages_numba import advantages
from shinso.experience.environments import open_environment
from shinso.experience.normalization import ObservationScale, RewardScale
from shinso.experience.replay import Replay, ReplaySource
from shinso.experience.rollouts import Rollouts
from shinso.nn.kernels.sum_tree_numba import find, set_priority

WORLDS = "tests.experience.small_worlds"


class Ageing:
    """Action 1 always; V = twice the age of the episode."""

    def act(self, x, noise, actions, log_p, values):
        actions[:], log_p[:], values[:] = 1, 0.0, self.values(x)

    def values(self, x):
        return 2 * x[:, 0]


def rollouts(*, cut: bool, steps: int = 4, episodes: int = 0, critic: bool = True) -> Rollouts:
    env = open_environment(f"{WORLDS}:Counting", {"length": 3, "cut": cut})
    return Rollouts(
        Acting(env, 2, 0), Ageing(),
        scale=ObservationScale(np.zeros(2, np.float32), np.ones(2, np.float32), on=False),
        rewards=RewardScale(np.ones(1, np.float32), 2, 0.5, on=False),
        rng=np.random.default_rng(0), gamma=0.5, lam=0.0, steps=steps, episodes=episodes, critic=critic,
    )  # fmt: skip


@pytest.mark.parametrize(("cut", "last"), [(False, 1.0 - 4.0), (True, 1.0 + 3.0 - 4.0)])
def test_a_time_limit_is_not_taken_for_a_termination(cut, last):
    """r + ½ V(s′) − V(s); the third step is the last, and its successor is 3 old, not a beginning."""
    found = rollouts(cut=cut).next_batch().advantages.reshape(4, 2)
    assert found.tolist() == [[2.0] * 2, [1.0] * 2, [last] * 2, [2.0] * 2]


def test_whole_episodes_give_whole_returns():
    found = rollouts(cut=False, episodes=4, critic=False).next_batch()
    assert len(found.x) == 12
    by_episode = found.returns.reshape(2, 3, 2)
    assert by_episode[:, :, 0].tolist() == [[1.75, 1.5, 1.0]] * 2


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_advantages_match_the_sum_of_discounted_errors(seed, gamma, lam):
    rng = np.random.default_rng(seed)
    rewards, values, following = rng.normal(size=(3, 6, 2))
    ended = rng.random((6, 2)) < 0.3
    found = np.empty((6, 2))
    advantages(rewards, values, following, ended, gamma, lam, found)
    for place in range(2):
        for t in range(6):
            total, weight = 0.0, 1.0
            for k in range(t, 6):
                total += weight * (
                    rewards[k, place] + gamma * following[k, place] - values[k, place]
                )
                weight *= gamma * lam
                if ended[k, place]:
                    break
            assert found[t, place] == pytest.approx(total, abs=1e-9)


def test_scales_match_the_moments_of_all_that_was_seen():
    rng = np.random.default_rng(0)
    parts = [rng.normal(5, 3, (n, 2)).astype(np.float32) for n in (4, 1, 30)]
    mean, variance = np.zeros(2, np.float32), np.ones(2, np.float32)
    scale = ObservationScale(mean, variance, on=True)
    for part in parts:
        scale.add(part)
    together = np.concatenate(parts)
    np.testing.assert_allclose(mean, together.mean(0), rtol=1e-4)  # 1e-4 samples were there before
    np.testing.assert_allclose(variance, together.var(0), rtol=1e-3)
    again = ObservationScale(np.zeros(2, np.float32), np.ones(2, np.float32), on=True)
    again.load_state_dict(scale.state_dict())
    assert np.array_equal(again(together), scale(together))
    assert abs(scale(together)).max() <= 10


def test_reward_scale_keeps_the_sign_and_forgets_at_an_end():
    scale = RewardScale(np.ones(1, np.float32), 1, 0.9, on=True)
    found = [float(scale(np.array([r]), np.array([r < 0]))[0]) for r in (5.0, 5.0, -5.0, 5.0)]
    assert [one > 0 for one in found] == [True, True, False, True]
    assert scale.sums[0] == 5.0


def test_sum_tree_draws_in_proportion():
    tree = np.zeros(16)
    priorities = np.array([0.0, 1.0, 0.0, 5.0, 2.0])
    for place, priority in enumerate(priorities):
        set_priority(tree, place, priority)
    set_priority(tree, 3, 1.0)
    priorities[3] = 1.0
    assert tree[1] == 4.0
    drawn = [find(tree, mass) for mass in np.linspace(0, 4, 4000, endpoint=False)]
    shares = np.bincount(drawn, minlength=5) / 4000
    np.testing.assert_allclose(shares[:5], priorities / 4, atol=1e-3)


@pytest.mark.parametrize("prioritized", [False, True])
def test_replay_and_its_source_resume(prioritized):
    def source():
        env = open_environment(f"{WORLDS}:Noisy", {"length": 5})

        def act(x, noise, epsilon, actions):
            actions[:, 0] = noise[:, 1] < 0.5

        return ReplaySource(
            Acting(env, 2, 1), Replay(20, 2, 2, prioritized=prioritized), act,
            rng=np.random.default_rng(0), steps=3, random_steps=4, epsilon=lambda step: 0.5,
            updates=2, batch_size=4,
        )  # fmt: skip

    whole = source()
    for _batch in range(4):
        whole.next_batch()
    parts = source()
    parts.load_state_dict(whole.state_dict())
    for _batch in range(3):
        expected, found = whole.next_batch(), parts.next_batch()
        assert np.array_equal(expected.noise, found.noise)
    for name in (*Replay.ARRAYS, "tree"):
        assert np.array_equal(getattr(whole.replay, name), getattr(parts.replay, name)), name
    assert whole.replay.newest == parts.replay.newest
    assert whole.replay.stored == 20
