"""Environments that tests open as ``tests.experience.small_worlds:Name``."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

BOX = spaces.Box(-10.0, 10.0, (2,), np.float32)


class Counting(gym.Env):
    """Shows (age, last action); pays 1 a step; ends after ``length`` steps, by ``cut`` or not."""

    observation_space = BOX
    action_space = spaces.Discrete(2)

    def __init__(self, length: int = 3, cut: bool = False) -> None:
        self.length, self.cut = length, cut

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.age = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> Any:
        self.age += 1
        over = self.age >= self.length
        seen = np.array([self.age, action], np.float32)
        return seen, 1.0, over and not self.cut, over and self.cut, {}


class Door(Counting):
    """Counts how many were made and closed; shows a number of four states with ``discrete``; breaks
    after ``lives`` steps of all copies."""

    made = closed = lived = 0

    def __init__(self, discrete: bool = False, lives: int = 0) -> None:
        super().__init__()
        self.discrete, self.lives = discrete, lives
        self.observation_space = spaces.Discrete(4) if discrete else BOX
        Door.made += 1

    def close(self) -> None:
        Door.closed += 1

    def shown(self, seen: Any) -> Any:
        return self.age if self.discrete else seen

    def reset(self, **more: Any) -> Any:
        seen, info = super().reset(**more)
        return self.shown(seen), info

    def step(self, action: int) -> Any:
        Door.lived += 1
        if self.lives and Door.lived > self.lives:
            raise RuntimeError("the door is jammed")
        seen, *rest = super().step(action)
        return (self.shown(seen), *rest)


class Noisy(Counting):
    """Adds chance that follows from the seed of reset."""

    def step(self, action: int) -> Any:
        seen, *rest = super().step(action)
        return (seen + self.np_random.normal(size=2).astype(np.float32), *rest)


class Unrepeatable(Counting):
    """Adds chance that follows from nothing."""

    def step(self, action: int) -> Any:
        seen, *rest = super().step(action)
        return (seen + np.random.default_rng().normal(size=2).astype(np.float32), *rest)


class Raising(Counting):
    """Breaks in the second step, or in the one after ``after`` steps of all copies."""

    lived = 0

    def __init__(self, after: int = 0) -> None:
        super().__init__()
        self.after = after

    def breaks(self) -> bool:
        type(self).lived += 1
        return self.lived > self.after if self.after else self.age == 1

    def step(self, action: int) -> Any:
        if self.breaks():
            raise RuntimeError("the motor is broken")
        return super().step(action)


class NotANumber(Raising):
    def step(self, action: int) -> Any:
        broken = self.breaks()
        seen, reward, *rest = Counting.step(self, action)
        return (seen, float("nan") if broken else reward, *rest)


class TextualPart(Counting):
    observation_space = spaces.Dict({"said": spaces.Text(5), "place": BOX})


class PartOfAnyLength(Counting):
    observation_space = spaces.Tuple([spaces.Sequence(BOX), BOX])


class Misshapen(Counting):
    """Shows one number too many, or a single one, from the second step on."""

    def __init__(self, single: bool = False) -> None:
        super().__init__()
        self.single = single

    def step(self, action: int) -> Any:
        seen, *rest = super().step(action)
        wrong = 0.5 if self.single else np.zeros(3)
        return (wrong if self.age > 1 else seen, *rest)


class Textual(Counting):
    observation_space = spaces.Text(5)


class Spaceless(gym.Env):
    """Says what can be done, not what it shows."""

    action_space = spaces.Discrete(2)


class NoEnvironment:
    observation_space, action_space = BOX, spaces.Discrete(2)


class Unbounded(Counting):
    action_space = spaces.Box(-np.inf, np.inf, (1,), np.float32)


class ManyParts(Counting):
    observation_space = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(0, 1, (2, 2))})

    def reset(self, **more: Any) -> Any:
        super().reset(**more)
        return {"a": 1, "b": np.zeros((2, 2), np.float32)}, {}

    def step(self, action: int) -> Any:
        _seen, *rest = super().step(action)
        return ({"a": 2, "b": np.ones((2, 2), np.float32)}, *rest)


class NoTable(Counting):
    """Discrete, but without the transitions: stay or go on; the third place pays."""

    observation_space = spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = 0
        return 0, {}

    def step(self, action: int) -> Any:
        self.age += 1
        self.place = self.place + 1 if action else 0
        return self.place, float(self.place == 3), self.place == 3, self.age >= 20, {}


class Slippery(NoTable):
    """Numbers its states from 1, its actions from 2, and slips back to the first by chance."""

    observation_space = spaces.Discrete(4, start=1)
    action_space = spaces.Discrete(2, start=2)

    def reset(self, **more: Any) -> Any:
        super().reset(**more)
        return 1, {}

    def step(self, action: int) -> Any:
        if self.np_random.random() < 0.2:
            self.place = 0
        seen, *rest = super().step(action - 2)
        return (seen + 1, *rest)


class Jumping(Slippery):
    """Leaves its states in the second step, or pays what is no number with ``bad``."""

    def __init__(self, bad: bool = False) -> None:
        super().__init__()
        self.bad = bad

    def step(self, action: int) -> Any:
        seen, reward, *rest = super().step(action)
        wrong = self.age == 2
        return (9 if wrong and not self.bad else seen, np.nan if wrong else reward, *rest)
