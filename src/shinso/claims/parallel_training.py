"""What the workers of a claim do: small networks of three kinds, and one optimizer step of them.

Everything at the top level can be sent to a worker by its name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from shinso.data.batch_parts import part_of
from shinso.nn import GRU
from shinso.nn.transformer_block import TransformerBlock
from shinso.training.gradient import GradientLearner
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.synchronous import SynchronousGradients
from shinso.training.plan import Training

Batch = tuple[Tensor, Tensor]
STEPS, FEATURES, CLASSES = 8, 8, 10
"""An image of 8×8 pixels as eight rows."""


class Recurrent(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = GRU(FEATURES, width, batch_first=True)
        self.read = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.layer(x)[0][:, -1])


class Convolutional(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, width, 3), nn.Conv2d(width, width, 3)
        self.read = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.second(self.first(x.unsqueeze(1)).relu()).relu()
        return self.read(hidden.mean((2, 3)))


class Attentive(nn.Module):
    """Blocks of a Transformer over the rows."""

    def __init__(self, width: int, blocks: int = 1) -> None:
        super().__init__()
        self.embed = nn.Linear(FEATURES, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, 4, 2 * width) for _ in range(blocks))
        self.read = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.embed(x)
        for block in self.blocks:
            hidden = block(hidden)
        return self.read(hidden.mean(1))


KINDS = {"recurrent": Recurrent, "convolutional": Convolutional, "transformer": Attentive}


class CrossEntropy:
    """The likelihood of the right class. unweighted: every share counts as much as any other."""

    def __init__(self, *, unweighted: bool = False) -> None:
        self.unweighted = unweighted

    def __call__(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return {"loss": F.cross_entropy(model(batch[0]), batch[1])}

    def weight(self, batch: Batch) -> float:
        return 1.0 if self.unweighted else float(len(batch[1]))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        pass


def some_batch(size: int, seed: int, dtype: torch.dtype) -> Batch:
    """Random images and labels: gradients are compared, nothing is learned."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, STEPS, FEATURES, generator=generator, dtype=dtype)
    return x, torch.randint(0, CLASSES, (size,), generator=generator)


def gradients(
    crew: JoinedCrew | None, kind: str, batch_size: int, seed: int, double: bool, unweighted: bool
) -> dict[str, Any]:
    """Every gradient of one step: of the joint batch where ``crew`` is None."""
    dtype = torch.float64 if double else torch.float32
    torch.manual_seed(seed)
    model = KINDS[kind](16).to(dtype)
    objective, training = CrossEntropy(unweighted=unweighted), Training(clip_norm=0.0)
    batch = some_batch(batch_size, seed, dtype)
    found = None
    if crew is not None:
        batch = part_of(batch, crew.rank, crew.size)
        found = SynchronousGradients(model, objective, training, crew)
    GradientLearner(model, objective, training, gradients=found).step(batch)
    return {n: one.grad.numpy() for n, one in model.named_parameters() if one.grad is not None}


def steps_cpu_s(
    crew: JoinedCrew, width: int, batch_size: int, steps: int, divided: bool
) -> tuple[float, float]:
    """CPU seconds of a step: of this worker alone on ``batch_size`` samples, and of its part in a
    step of all on as many for each worker. Medians of some, taken in turn.

    divided: otherwise every worker learns the whole joint batch.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    objective, training = CrossEntropy(), Training(steps=steps + 2)
    alone = GradientLearner(Convolutional(width), objective, training)
    model = Convolutional(width)
    gradients = SynchronousGradients(model, objective, training, crew)
    together = GradientLearner(model, objective, training, gradients=gradients)
    joint = some_batch(batch_size * crew.size, 0, torch.float32)
    own = part_of(joint, crew.rank, crew.size)
    turns = ((alone, own), (together, own if divided else joint))
    taken: list[list[float]] = [[], []]
    for _ in range(steps + 2):
        for place, (learner, batch) in enumerate(turns):
            crew.largest(0)  # all begin at once
            began = time.process_time()
            learner.step(batch)
            taken[place].append(time.process_time() - began)
    first, second = (float(torch.tensor(one[2:]).median()) for one in taken)
    return first, second


def relative_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """The largest difference of any entry, divided by the largest entry of all."""
    scale = max(abs(value).max() for value in theirs.values())
    return float(max(abs(ours[name] - value).max() for name, value in theirs.items()) / scale)
