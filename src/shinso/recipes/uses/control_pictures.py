"""An agent at work: one greedy episode step by step, as rows, as plots, as pictures of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from shinso.experience.acting import Acting
from shinso.experience.environments import Environment
from shinso.experience.episodes import MOST_STEPS
from shinso.recipes.recipe import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Moment:
    """One step. judged: the agent's number for each action: its value, its probability, or for a
    continuous action its mean. value: what the agent expects from here, in its own units."""

    seen: list[float]
    action: list[float]
    judged: list[float]
    value: float
    reward: float
    picture: Any


class _OneEpisode(Acting):
    def __init__(self, environment: Environment, seed: int, *, as_state: bool) -> None:
        self.only = seed
        super().__init__(environment, 1, 0, as_state=as_state)

    def episode_seed(self, place: int) -> int:
        return self.only + self.episodes[place]


def judge(model: nn.Module, seen: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The agent's number for each action, and the value of each state."""
    with torch.no_grad():
        found = model(seen)
        if not hasattr(model, "values"):
            return found.numpy(), found.max(1).values.numpy()
        values = model.values(seen).numpy()  # type: ignore[operator]
        chances = found if getattr(model, "continuous", False) else found.softmax(1)
        return chances.numpy(), values


def episode(environment: Environment, model: nn.Module, seed: int) -> Iterator[Moment]:
    """Play greedily; pictures are what the environment renders, None where it does not."""
    acting = _OneEpisode(environment, seed, as_state=bool(getattr(model, "reads_state", False)))
    with closing(acting):
        for _step in range(MOST_STEPS):
            picture = acting.copies[0].render() if acting.copies[0].render_mode else None
            seen = acting.seen.copy()
            judged, values = judge(model, torch.from_numpy(seen))
            if getattr(model, "continuous", False):
                action = judged.astype(float)
            else:
                action = judged.argmax(1, keepdims=True).astype(float)
            found = acting.step(action)
            yield Moment(
                seen[0].tolist(), action[0].tolist(), judged[0].tolist(), float(values[0]),
                float(found.rewards[0]), picture,
            )  # fmt: skip
            if found.terminated[0] or found.truncated[0]:
                return


def as_table(moments: list[Moment], facts: dict[str, Any]) -> Predictions:
    """A row for each step."""
    first = moments[0]
    kind = "action" if facts["action"] == "discrete" else "mean"
    numbers = [f"{kind}_{k}" for k in range(len(first.judged))]
    if facts["observation"] == "discrete":
        seen = ["state"]
        states = [[m.seen[0] if len(m.seen) == 1 else int(np.argmax(m.seen))] for m in moments]
    else:
        seen = [f"observation_{k}" for k in range(len(first.seen))]
        states = [m.seen for m in moments]
    acted = (
        ["action"] if len(first.action) == 1 else [f"action_{k}" for k in range(len(first.action))]
    )
    total, rows = 0.0, []
    for step, (moment, state) in enumerate(zip(moments, states, strict=True)):
        total += moment.reward
        rows.append(
            (step, *state, *moment.action, moment.reward, total, moment.value, *moment.judged)
        )
    return Predictions(("step", *seen, *acted, "reward", "return", "value", *numbers), rows)


def as_gif(pictures: Iterator[Any], fps: int) -> bytes:
    """An animation of RGB arrays, at most 600 pixels wide."""
    from PIL import Image

    frames = []
    for picture in pictures:
        frame = Image.fromarray(np.asarray(picture, dtype=np.uint8))
        frame.thumbnail((600, 600))
        frames.append(frame.quantize(64))
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=max(20, 1000 // fps),
        loop=0,
    )
    return buffer.getvalue()


def draw_episode(figure: Figure, moments: list[Moment], label: str) -> None:
    """The value of the state, and the agent's number for each action, along an episode."""
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot([moment.value for moment in moments])
    above.set_ylabel("V(s)")
    for k in range(min(len(moments[0].judged), 10)):
        below.plot([moment.judged[k] for moment in moments], label=f"action {k}")
    below.set_ylabel(label)
    below.set_xlabel("step of a greedy episode")
    below.legend(fontsize=7, ncols=5, frameon=False)


def draw_states(
    figure: Figure, values: np.ndarray, best: np.ndarray, shape: tuple[int, int]
) -> None:
    """The value of every state as a colour, with the number of the action chosen there."""
    axes = figure.subplots()
    grid = values.reshape(shape)
    image = axes.imshow(grid, cmap="viridis", aspect="auto" if shape[0] != shape[1] else "equal")
    figure.colorbar(image, label="V(s)")
    if grid.size <= 200:
        middle = (np.nanmax(grid) + np.nanmin(grid)) / 2
        for place, (value, action) in enumerate(zip(values, best, strict=False)):
            row, column = divmod(place, shape[1])
            colour = "black" if value > middle else "white"
            axes.text(
                column, row, f"{value:.2f}\na{action}", ha="center", va="center", color=colour,
                fontsize=8,
            )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
