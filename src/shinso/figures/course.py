"""What the figures of the course share: the two gradients, the three weights, the files."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

Gradient = Literal["published", "exact"]
"""``published``: as in the course's code; ``exact``: of the loss that the code prints."""

Choice = Literal["published", "exact", "both"]


class Weights(NamedTuple):
    """The three weights of a recurrent network without biases, for row vectors: x W_in + z W.

    They stand in the order in which the course's code draws them.
    """

    w_in: Float[np.ndarray, "inputs hidden"]
    w_out: Float[np.ndarray, "hidden outputs"]
    w: Float[np.ndarray, "hidden hidden"]


@dataclass(frozen=True, kw_only=True)
class FigureFiles:
    """What one figure left behind.

    numbers: what the figure shows, by name with unit, as one row of a table.
    """

    png: Path
    csv: Path
    numbers: dict[str, float]


def gradients_of(choice: Choice) -> tuple[Gradient, ...]:
    """The gradients that ``choice`` asks for, published first."""
    if choice == "both":
        return get_args(Gradient)
    if choice not in get_args(Gradient):
        raise ValueError(f"gradient is {choice!r}; choose published, exact or both")
    return (choice,)


def draw_weights(
    rng: np.random.RandomState, scale: float, inputs: int, hidden: int, outputs: int
) -> Weights:
    """Weights from N(0, scale²), in the order W_in, W_out, W of the course's code.

    The legacy generator is meant: its stream is frozen for good and is the one that
    ``np.random.seed`` starts, so a seed gives here what it gives in the course's code.
    """
    return Weights(
        w_in=scale * rng.randn(inputs, hidden),
        w_out=scale * rng.randn(hidden, outputs),
        w=scale * rng.randn(hidden, hidden),
    )


def write_csv(path: Path, columns: Mapping[str, Sequence[float] | np.ndarray]) -> Path:
    """Write the columns behind a figure; every number reads back as the same float."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([np.asarray(value).item() for value in row])
    partial.replace(path)
    return path
