"""Known transitions: optima that are published, and time limits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from shinso.experience.environments import open_environment
from shinso.experience.transition_table import transition_table


@pytest.mark.parametrize(
    ("name", "best"), [("FrozenLake-v1", 0.7442), ("FrozenLake8x8-v1", 0.9132), ("Taxi-v4", 7.93)]
)
def test_best_return_matches_the_known_optimum(name, best):
    table = transition_table(open_environment(name, {}))
    assert table is not None
    assert table.best_return() == pytest.approx(best, abs=5e-5)


def test_optimum_without_a_limit_matches_the_known_one():
    table = transition_table(open_environment("FrozenLake-v1", {}))
    assert table is not None
    q = table.optimal(1.0)
    assert float(table.start @ q.max(1)) == pytest.approx(0.8235, abs=5e-5)


def test_age_in_the_state_reaches_the_best_return_by_planning_alone():
    aware = transition_table(open_environment("FrozenLake-v1", {}, time_aware=True))
    plain = transition_table(open_environment("FrozenLake-v1", {}))
    assert aware is not None
    assert plain is not None
    policy = aware.optimal(1.0).argmax(1)
    assert aware.exact_return(policy) == pytest.approx(plain.best_return(), abs=1e-12)
    assert plain.exact_return(plain.optimal(1.0).argmax(1)) < plain.best_return()


def test_exact_return_matches_played_episodes():
    from shinso.experience.episodes import play

    env = open_environment("FrozenLake-v1", {})
    table = transition_table(env)
    assert table is not None
    policy = table.optimal(0.99).argmax(1)
    played = play(env, lambda seen: policy[seen[:, 0].astype(int)][:, None], 500, 0, as_state=True)
    exact = table.exact_return(policy)
    assert abs(played.returns.mean() - exact) < 3 * np.sqrt(exact * (1 - exact) / 500)


def test_world_without_a_table_has_none():
    assert transition_table(open_environment("CartPole-v1", {})) is None
    assert transition_table(open_environment("tests.experience.small_worlds:NoTable", {})) is None
