"""Control: what the pictures of a trained agent show, where the right numbers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shinso.data.splits import PARTS
from shinso.walk.order import place
from shinso.walk.preparing import prepare

GAMMA = 0.9
WAY = 6
"""Steps of the shortest way over the lake where nothing slips."""


@pytest.fixture
def plots() -> Any:
    """name -> (picture, table) of an agent that knows the optimal values of a lake without slipping."""
    settings = {
        "model": "value-iteration", "gamma": GAMMA, "environment_settings": '{"is_slippery": false}',
    }  # fmt: skip
    order = place("control", ["FrozenLake-v1"], ("test", settings))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0)
    ready.model.get_buffer("q").numpy()[:] = data.table.optimal(GAMMA)
    return order.recipe.use(order.config, data.facts(), ready.model).plots(data, "test")


def drawn(draw: Any) -> list[Axes]:
    figure = Figure()
    draw(figure)
    return figure.axes


def test_values_are_drawn_on_the_map_with_the_best_actions(plots):
    draw, table = plots["values"]
    picture = drawn(draw)[0]
    (image,) = picture.images
    grid = np.asarray(image.get_array())
    assert grid.shape == (4, 4)
    # Known without any table: the goal is 6 steps from the start, 4 from cell (2, 0), 1 from (3, 2).
    assert [grid[0, 0], grid[3, 2]] == pytest.approx([GAMMA ** (WAY - 1), 1.0])
    assert grid[2, 0] == pytest.approx(GAMMA**3)
    assert [grid[1, 1], grid[3, 3]] == [0.0, 0.0]
    texts = [text.get_text() for text in picture.texts]
    assert texts[14] == "1.00\na2"  # to the right, into the goal
    assert table.columns == ("state", "value", "action")
    assert table.rows[14] == (14, 1.0, 2)
    assert [value for _state, value, _action in table.rows] == pytest.approx(grid.ravel().tolist())


def test_episode_is_drawn_with_the_values_along_its_way(plots):
    draw, table = plots["episode"]
    above, below = drawn(draw)
    (line,) = above.lines
    expected = [GAMMA ** (WAY - 1 - step) for step in range(WAY)]
    assert line.get_ydata() == pytest.approx(expected)
    of_actions = np.array([one.get_ydata() for one in below.lines])
    assert of_actions.shape == (4, WAY)
    assert of_actions.max(axis=0) == pytest.approx(expected)
    assert table.columns == (
        "step", "state", "action", "reward", "return", "value", *(f"action_{k}" for k in range(4)),
    )  # fmt: skip
    rows = np.array(table.rows)
    assert rows[:, 0].tolist() == list(range(WAY))
    assert rows[0, 1] == 0
    assert rows[:, 3].tolist() == [0, 0, 0, 0, 0, 1]
    assert rows[:, 4].tolist() == [0, 0, 0, 0, 0, 1]
    assert rows[:, 2].tolist() == rows[:, 6:].argmax(axis=1).tolist()
    np.testing.assert_allclose(of_actions.T, rows[:, 6:])


@pytest.mark.parametrize("part", PARTS)
def test_agent_is_measured_on_the_seeds_of_each_part(part):
    settings = {"model": "value-iteration", "valid_episodes": 5, "test_episodes": 5}
    order = place("control", ["FrozenLake-v1"], ("test", settings))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0)
    use = order.recipe.use(order.config, data.facts(), ready.model)
    for one in (use.evaluate(data, part), use.baselines(data, part)["random"]):
        assert 0 <= one.metrics["return"] <= 1
