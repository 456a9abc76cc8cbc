"""Synchronous engines for a model that is divided: each worker computes with its part of the weights.

``synchronous.SynchronousGradients`` weighs shares and asks one of these for the gradient.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, final

from torch import Tensor, nn
from torch import distributed as processes
from torch.distributed.device_mesh import DeviceMesh

from shinso.contracts import Objective
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.sharded import shard
from shinso.training.parallel.synchronous import Pass, synchronize_norms, unsynchronized
from shinso.training.parallel.tensor import random_state, set_random_state
from shinso.training.plan import Training


@final
class Cut:
    """For a model that was cut by tensors (``tensor.cut``) among the workers of a row (Megatron-LM:
    Shoeybi et al. 2019, arXiv:1909.08053).

    They draw equal random numbers, those of the first: what they hold alike they drop alike. The sum
    over rows is left to ``divided``.
    """

    def __init__(
        self, model: nn.Module, objective: Objective[Any], training: Training, row: JoinedCrew
    ) -> None:
        self.scale = 1.0
        self.row = row
        self._pass = Pass(model, objective, training)
        self._agreed = False

    def prepare(self, batch: Any) -> None:
        """Before the first step, also of a run that goes on in another division."""
        if not self._agreed:
            set_random_state(self.row.gather(random_state())[0])
            self._agreed = True

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        return nullcontext()

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        return self._pass(batch)


@final
class Sharded:
    """For workers that share each batch and, between its uses, each parameter: torch's FSDP2, which
    takes the mean over workers (Zhao et al. 2023, arXiv:2304.11277).

    Around the objective's whole pass, as ``Replicated`` is. With parts (``accumulate``) gradients are
    summed up after each, so that none is ever held whole.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective[Any],
        training: Training,
        mesh: DeviceMesh,
        crew: JoinedCrew,
    ) -> None:
        self.scale = float(crew.size)
        self.model, self.crew = model, crew
        synchronize_norms(model)
        self._pass = Pass(model, objective, training)
        shard(self._pass, mesh)

    def prepare(self, batch: Any) -> None:
        """What is no parameter is the first worker's at all; synchronized statistics are equal."""
        for buffer in unsynchronized(self.model):
            processes.broadcast(buffer, group=self.crew.group, group_src=0)

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        return nullcontext()

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        return self._pass(batch)
