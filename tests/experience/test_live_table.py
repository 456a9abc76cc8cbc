"""A table that learns in an environment without known transitions: a step at a time, without arrays."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from shinso.experience.acting import Acting
from shinso.experience.environments import open_environment
from shinso.experience.worlds import WorldSource
from shinso.faults import DataFault
from shinso.models.action_table import LearntTable
from shinso.objectives import action_table_numba as kernels
from shinso.recipes.agents.tables import EXPLORATIONS, METHODS, TableLearner

GAMMA, STEPS = 0.9, 60


def world(name: str, **settings):
    return open_environment(f"tests.experience.small_worlds:{name}", settings)


def learner(total_steps: int = 3 * STEPS, **settings) -> TableLearner:
    model = LearntTable(LearntTable.Config(**settings), num_states=4, num_actions=2)
    return TableLearner(model, GAMMA, total_steps)


def learn_by_arrays(table: TableLearner, acting: Acting, source: WorldSource) -> None:
    """STEPS steps as every other agent takes them: choose, step all copies, choose, learn."""
    position, chance, settings = source.position, source.chance, table.model.config
    for number in range(table.done, table.done + STEPS):
        share = min(number / table.falling, 1.0) if table.falling > 0 else 1.0
        start, end = settings.epsilon_start, settings.epsilon_end
        ways = (
            EXPLORATIONS[settings.exploration], start + (end - start) * share, settings.temperature,
        )  # fmt: skip
        if not position[4]:
            position[0], position[4] = int(acting.seen[0, 0]), 1
            position[2] = kernels.choose(
                table.q, table.visits, position[0], *ways, settings.ucb, chance
            )
        found = acting.step(np.array([[position[2]]]))
        after, terminated = int(found.successors[0, 0]), bool(found.terminated[0])
        ended, following = terminated or bool(found.truncated[0]), 0
        if not terminated:
            following = kernels.choose(table.q, table.visits, after, *ways, settings.ucb, chance)
        kernels.learn_step(
            table.q, table.visits, table.traces, table.memory, table.rewards, position, position[2],
            found.rewards[0], after, following, terminated, ended, METHODS[settings.method], *ways,
            GAMMA, settings.alpha, settings.alpha_power, settings.alpha_horizon, settings.n_step,
            settings.trace,
        )  # fmt: skip
        position[0], position[2] = after, following
        if ended:
            position[4] = 0
    table.done += STEPS


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"method": "expected-sarsa", "epsilon_share": 1.0},
        {"method": "sarsa", "n_step": 3, "alpha": 1.0, "alpha_power": 0.7},
        {"trace": 0.8},
        {"exploration": "boltzmann", "temperature": 0.5},
        {"exploration": "ucb", "alpha_horizon": 9.0, "alpha_power": 1.0},
    ],
)
def test_table_matches_the_one_that_is_learnt_by_arrays(settings):
    """Bit for bit: values, visits, the chance that is left, and where the episode stands."""
    fast, slow = learner(**settings), learner(**settings)
    source, other = (WorldSource(world("Slippery"), None, 5, STEPS) for _copy in range(2))
    returns = []
    for _batch in range(3):
        returns.append(fast.step(source.next_batch())["training_return"])
        assert other.acting is not None
        learn_by_arrays(slow, other.acting, other)
        of_slow = [total for total, _steps in other.acting.take_finished()]
        assert returns[-1] == pytest.approx(np.mean(of_slow))
        for name in ("q", "visits", "traces", "memory", "rewards"):
            assert np.array_equal(getattr(fast, name), getattr(slow, name)), name
        mine, theirs = source.state_dict(), other.state_dict()
        assert mine.pop("position").equal(theirs.pop("position"))
        assert mine == theirs
    assert np.abs(fast.q).max() > 0


def test_run_goes_on_in_the_middle_of_an_episode():
    whole, parts = learner(), learner()
    source, stopped = (WorldSource(world("Slippery"), None, 5, STEPS) for _copy in range(2))
    for _batch in range(3):
        whole.step(source.next_batch())
    parts.step(stopped.next_batch())
    assert stopped.position[4], "between two episodes nothing has to be lived again"
    again, into = WorldSource(world("Slippery"), None, 5, STEPS), learner()
    again.load_state_dict(stopped.state_dict())
    into.load_state_dict(parts.state_dict())
    for _batch in range(2):
        into.step(again.next_batch())
    assert np.array_equal(into.q, whole.q)


@pytest.mark.parametrize(("bad", "code"), [(False, "ENV-RAISED"), (True, "ENV-NAN")])
def test_broken_world_is_a_fault_here_too(bad, code):
    source = WorldSource(world("Jumping", bad=bad), None, 0, STEPS)
    with pytest.raises(DataFault) as caught:
        learner(epsilon_start=0.0, epsilon_end=0.0).step(source.next_batch())
    assert caught.value.code == code
    assert "Discrete(4, start=1)" in caught.value.found
