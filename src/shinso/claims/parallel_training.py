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
from shinso.train.gradient import GradientLearner
from shinso.train.parallel.joined import JoinedCrew
from shinso.train.parallel.synchronous import SynchronousGradients
from shinso.train.plan import Training

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


def step_cpu_s(
    crew: JoinedCrew | None, width: int, batch_size: int, steps: int, divided: bool
) -> float:
    """CPU seconds of one step of this worker on its share of a joint batch; the median of some.

    divided: otherwise every worker learns the whole joint batch.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Convolutional(width)
    objective, training = CrossEntropy(), Training(steps=steps + 2)
    batch = some_batch(batch_size, 0, torch.float32)
    found = None
    if crew is not None:
        batch = part_of(batch, crew.rank, crew.size) if divided else batch
        found = SynchronousGradients(model, objective, training, crew)
    learner = GradientLearner(model, objective, training, gradients=found)
    taken = []
    for _ in range(steps + 2):
        began = time.process_time()
        learner.step(batch)
        taken.append(time.process_time() - began)
    return float(torch.tensor(taken[2:]).median())


def relative_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """The largest difference of any entry, divided by the largest entry of all."""
    scale = max(abs(value).max() for value in theirs.values())
    return float(max(abs(ours[name] - value).max() for name, value in theirs.items()) / scale)
