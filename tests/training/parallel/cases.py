"""Systems small enough to be trained by several processes in a test, and what workers do in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.nn.norm import BatchNorm
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.shared import SharedSource
from shinso.training.parallel.synchronous import SynchronousGradients
from shinso.training.plan import Training


class Example(NamedTuple):
    x: Tensor
    y: Tensor


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, 5, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(45, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.view(-1, 2, 8, 8))


class Normalized(nn.Module):
    """Keeps statistics of the batches it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(128, 4), BatchNorm(4), nn.Linear(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class SmallTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.read = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.blocks(x.view(-1, 8, 16)).mean(1))


class PartlyUsed(nn.Module):
    """One layer takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(128, 3), nn.Linear(128, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


MODELS = {
    "convolutional": Convolutional,
    "transformer": SmallTransformer,
    "partly used": PartlyUsed,
}


class CrossEntropy:
    def __call__(self, model: nn.Module, batch: Example) -> Mapping[str, Tensor]:
        scores = model(batch.x)
        return {
            "loss": F.cross_entropy(scores, batch.y),
            "accuracy": (scores.argmax(-1) == batch.y).double().mean(),
        }

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Batches:
    """The same batches wherever it is made, of the sizes given, over and over."""

    def __init__(self, sizes: tuple[int, ...], dtype: torch.dtype) -> None:
        self.sizes, self.dtype, self.place = sizes, dtype, 0

    def next_batch(self) -> Example:
        size = self.sizes[self.place % len(self.sizes)]
        generator = torch.Generator().manual_seed(self.place)
        self.place += 1
        x = torch.randn(size, 128, generator=generator, dtype=self.dtype)
        return Example(x, torch.randint(0, 3, (size,), generator=generator))

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


SIZES = (8, 7, 3, 1)


def gradients_of_small(
    crew: JoinedCrew | None, kind: str, dtype: torch.dtype, accumulate: int
) -> list[dict[str, np.ndarray | float]]:
    """Of some steps: every gradient and the scalars."""
    torch.manual_seed(5)
    model = MODELS[kind]().to(dtype)
    objective = CrossEntropy()
    training = Training(lr=0.05, clip_norm=0.0, accumulate=accumulate, optimizer="sgd")
    source: Any = Batches(SIZES, dtype)
    gradients = None
    if crew is not None:
        source = SharedSource(source, crew)
        gradients = SynchronousGradients(model, objective, training, crew)
    learner = GradientLearner(model, objective, training, gradients=gradients)
    return [_one_step(learner, source, model) for _ in SIZES]


def _one_step(learner: Any, source: Any, model: nn.Module) -> dict[str, np.ndarray | float]:
    scalars = learner.step(source.next_batch())
    found: dict[str, Any] = {name: float(value) for name, value in scalars.items()}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found[f"gradient of {name}"] = parameter.grad.numpy().copy()
    return found


def gradients_of_recipe(
    crew: JoinedCrew | None, task: str, settings: dict[str, Any], dtype: torch.dtype, steps: int
) -> list[dict[str, np.ndarray | float]]:
    """The same of a whole recipe on its bundled sample, its own source and objective included."""
    ready, source = _ready(crew, task, settings, dtype)
    found = [_one_step(ready.learner, source, ready.model) for _ in range(steps)]
    buffers = {name: one.numpy().copy() for name, one in ready.model.named_buffers()}
    return [*found, buffers]


def gradients_of_recipe_in_each(
    crew: JoinedCrew | None, task: str, settings: dict[str, Any], dtypes: list[str], steps: int
) -> dict[str, list[dict[str, np.ndarray | float]]]:
    """The same in several precisions, by their names, one after the other."""
    return {
        name: gradients_of_recipe(crew, task, settings, getattr(torch, name), steps)
        for name in dtypes
    }


def gradients_of_recipes(
    crew: JoinedCrew | None, recipes: dict[str, dict[str, Any]]
) -> dict[str, list[dict[str, np.ndarray | float]]]:
    """The same of two steps of several recipes, one after the other."""
    return {
        task: gradients_of_recipe(crew, task, settings, torch.float64, 2)
        for task, settings in recipes.items()
    }


def recipe_goes_on(
    crew: JoinedCrew | None, task: str, settings: dict[str, Any], file: str, begins: bool
) -> list[dict[str, np.ndarray | float]]:
    """Two steps of a recipe, then its state goes into ``file``; or two more from there."""
    ready, source = _ready(crew, task, settings, torch.float64)
    if not begins:
        state = torch.load(file, weights_only=True)
        ready.learner.load_state_dict(state["learner"])
        source.load_state_dict(state["source"])
    found = [_one_step(ready.learner, source, ready.model) for _ in range(2)]
    if begins:
        state = {"learner": ready.learner.state_dict(), "source": source.state_dict()}
        if crew is None or crew.rank == 0:
            torch.save(state, file)
    return found


def _ready(
    crew: JoinedCrew | None, task: str, settings: dict[str, Any], dtype: torch.dtype
) -> tuple[Any, Any]:
    """A recipe ready to train on its bundled sample, and its source."""
    from shinso.walk import catalogue
    from shinso.walk.order import place
    from shinso.walk.preparing import prepare

    brief = catalogue.recipe(task).BRIEF
    order = place(task, brief.data, ("test", {**brief.settings, **settings}))
    data = order.recipe.read(order.config, order.paths)
    ready = prepare(order, data, data.facts(), 0, crew)
    ready.model.to(dtype)
    source: Any = InDouble(ready.built.source) if dtype == torch.float64 else ready.built.source
    return ready, source if crew is None else SharedSource(source, crew)


class InDouble:
    """A source whose batches are in float64."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def next_batch(self) -> Any:
        return self._double(self.source.next_batch())

    def next_part(self, index: int, of: int) -> Any:
        from shinso.contracts import Divisible
        from shinso.data.batch_parts import share_of

        if isinstance(self.source, Divisible):
            return self._double(self.source.next_part(index, of))
        return self._double(share_of(self.source.next_batch(), index, of))

    def _double(self, batch: Any) -> Any:
        parts = [p.double() if torch.is_tensor(p) and p.is_floating_point() else p for p in batch]
        return type(batch)(*parts)

    def state_dict(self) -> dict[str, Any]:
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state)


def agree(crew: JoinedCrew) -> list[Any]:
    """What a crew of two agrees on."""
    said = crew.first_says(lambda: {"rank": crew.rank, "numbers": [1.5, None], "path": "a"})
    return [
        said,
        crew.largest(crew.rank * 3),
        crew.gather({"rank": crew.rank, "x": "é" * crew.rank}),
    ]


def fail_at_one(crew: JoinedCrew) -> None:
    if crew.rank == 1:
        raise ValueError("worker one does not like it")
    crew.largest(0)


def end_at_one(crew: JoinedCrew) -> None:
    import os

    if crew.rank == 1:
        os._exit(3)
    crew.largest(0)


def outlive(crew: JoinedCrew, folder: str) -> None:
    """Write who this is, then wait for ever."""
    import os
    import time

    (Path(folder) / f"pid{crew.rank}").write_text(str(os.getpid()))
    time.sleep(600)
