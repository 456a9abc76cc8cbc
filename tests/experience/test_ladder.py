"""Generations are rated by their games, and the ladder stops and goes on."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from shinso.experience.ladder import Climbing, Ladder
from shinso.games.go import Rules
from shinso.search.contest import RandomMover, RolloutMover


class Skilled(nn.Module):
    """Stands for a network: its skill is the number of rollouts it searches with."""

    def __init__(self, skill: float) -> None:
        super().__init__()
        self.skill = nn.Parameter(torch.tensor(skill))


def ladder(model: Skilled) -> Ladder:
    return Ladder(
        Rules(side=3, komi=4.0),
        model,
        lambda one: RolloutMover(int(one.skill), 1) if one.skill > 0 else RandomMover(1),
        {"weak": lambda: RandomMover(2), "strong": lambda: RolloutMover(300, 3)},
        games=5,
        seed=7,
    )


def set_skill(model: Skilled, skill: float) -> None:
    with torch.no_grad():
        model.skill.fill_(skill)


def test_a_generation_that_became_stronger_is_rated_higher():
    model = Skilled(0.0)
    found = ladder(model)
    first = found.measure()
    assert set(first) == {"elo", "elo_half_width", "points_against_weak", "points_against_strong"}
    set_skill(model, 200.0)
    second = found.measure()
    assert second["points_against_earlier_1"] >= 0.5
    assert second["elo"] > first["elo"]
    assert np.isfinite(second["elo_half_width"])
    set_skill(model, 0.0)
    third = found.measure()
    assert third["elo"] < second["elo"]
    assert "points_against_earlier_2" in third
    # Colours are shared: an odd number of games becomes even.
    assert all(won + lost == 6 for won, lost in found.results.values())


def test_a_stopped_ladder_goes_on_as_if_it_had_not():
    class Nothing:
        def next_batch(self):
            return None

        def state_dict(self):
            return {"n": 1}

        def load_state_dict(self, state):
            assert state == {"n": 1}

    model = Skilled(0.0)
    whole = ladder(model)
    whole.measure()
    kept = Climbing(Nothing(), whole).state_dict()
    again = ladder(model)
    Climbing(Nothing(), again).load_state_dict(kept)
    set_skill(model, 30.0)
    assert whole.measure() == again.measure()
