"""A whole model as a pipeline: its beginning and its end belong to the first and to the last stage.

What ``pipeline`` does for a stack of like layers, for a ``Staged`` model that a recipe trains: tokens
go in at the first stage, the objective is computed at the last one (GPipe: Huang et al. 2019,
arXiv:1811.06965).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch import distributed as processes
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.pipelining import PipelineStage

from shinso.contracts import Objective, OfStates
from shinso.data.batch_parts import num_samples, parts_of
from shinso.language import _
from shinso.training.gradient import (
    add_shares,
    load_own_state,
    share_of_loss,
    shares_of,
    weights_of,
)
from shinso.training.parallel.joined import JoinedCrew, new_group
from shinso.training.parallel.pieces import sum_gradients
from shinso.training.parallel.pipeline import SCHEDULES, ScheduleName, dense, micro_batches_fault
from shinso.training.parallel.shapes import bubble
from shinso.training.parallel.stage_pieces import StagePieces
from shinso.training.plan import Training


@runtime_checkable
class StatesObjective(OfStates[Any], Objective[Any], Protocol):
    """An objective whose pass can be cut."""


@final
class _Work(nn.Module):
    """What one stage does with a micro-batch: the first with its input, the last up to its loss."""

    def __init__(self, gradients: StageGradients) -> None:
        super().__init__()
        self.model = gradients.model
        self._gradients = (gradients,)
        self.next = 0

    def forward(self, x: Tensor) -> Tensor:
        """x: of the stage before; anything at the first."""
        own = self._gradients[0]
        place, self.next = self.next, self.next + 1
        mixed = own.training.precision == "bf16"
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=mixed):
            return own.computed(dense(x), place)


@final
class _Timed(PipelineStage):
    """Knows how long it computed."""

    busy_s = 0.0

    def forward_one_chunk(self, *given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = super().forward_one_chunk(*given, **named)
        self.busy_s += time.perf_counter() - began
        return found

    def backward_one_chunk(self, *given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = super().backward_one_chunk(*given, **named)
        self.busy_s += time.perf_counter() - began
        return found


@final
class StageGradients:
    """Scalars of the joint batch, and gradients of this row's share of its loss.

    ``bubble`` among the scalars: the share of the step that workers waited, as measured. Where a
    parameter belongs to the first and to the last stage, both have the sum of their gradients.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: StatesObjective,
        training: Training,
        pieces: StagePieces,
        column: JoinedCrew,
        mesh: DeviceMesh,
        *,
        micro_batches: int,
        schedule: ScheduleName = "1f1b",
    ) -> None:
        """mesh: (rows, stages)."""
        self.model, self.objective, self.training = model, objective, training
        self.pieces, self.row, self.column = pieces, pieces.row, column
        self.micro_batches, self.schedule = micro_batches, schedule
        self._sharing = _groups_of_shared(pieces, mesh)
        self._pipelines: dict[tuple[int, ...], tuple[Any, _Timed, _Work]] = {}
        self._names: list[str] = []
        self._waited: list[float] = []
        self._parts: list[Any] = []
        self._shares: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        """batch: this row's share."""
        if num_samples(batch) % self.micro_batches:
            raise micro_batches_fault(num_samples(batch), self.micro_batches)
        self._parts = parts_of(batch, self.micro_batches)
        weights = [weights_of(self.objective, part) for part in self._parts]  # pyright: ignore[reportArgumentType]
        names = list(weights[0])
        table = torch.tensor([sum(one[name] for one in weights) for name in names], dtype=torch.float64, device=self.row.device)  # fmt: skip
        processes.all_reduce(table, group=self.column.group)
        totals = dict(zip(names, table.tolist(), strict=True))
        pieces = self.micro_batches * self.column.size
        self._shares = [shares_of(one, totals, pieces) for one in weights]
        self._sums = {}
        first = self._shape_of(self._parts[0]) not in self._pipelines
        busy_s, step_s = self._run()
        for group, parameters in self._sharing:
            sum_gradients(parameters, group)
        scalars = self._told(busy_s, step_s)
        if not first:  # the first one makes acquaintance
            self._waited.append(float(scalars["bubble"]))
        return scalars

    def _run(self) -> tuple[float, float]:
        """One step of the schedule: seconds of computing, and of all."""
        schedule, stage, work = self._pipeline()
        work.next, stage.busy_s = 0, 0.0
        began = time.perf_counter()
        places = torch.arange(self.micro_batches, device=self.row.device)
        given = (places,) if self.row.rank == 0 else ()
        target = places if self.row.rank == self.row.size - 1 else None
        schedule.step(*given, target=target, return_outputs=False)
        return stage.busy_s, time.perf_counter() - began

    def computed(self, x: Tensor, place: int) -> Tensor:
        """This stage's work on micro-batch ``place``; at the last stage its share of the loss."""
        model: Any = self.model
        part = self._parts[place]
        if self.row.rank == 0:
            x = model.begin(self.objective.given(part))
        for block in model.blocks:
            if not isinstance(block, nn.Identity):
                x = model.through(block, x)
        if self.row.rank < self.row.size - 1:
            return x.contiguous()
        scalars = self.objective.of_states(model, model.end(x), part)
        loss = share_of_loss(scalars, self._shares[place])
        add_shares(self._sums, scalars, loss, self._shares[place])
        return loss

    def _shape_of(self, part: Any) -> tuple[int, ...]:
        return self.model.between(self.objective.given(part))  # pyright: ignore[reportCallIssue]

    def _pipeline(self) -> tuple[Any, _Timed, _Work]:
        """Messages have a fixed shape: a schedule for each there is."""
        shape = self._shape_of(self._parts[0])
        if shape not in self._pipelines:
            own = next(iter(self.pieces.held.values()))
            passed = torch.empty(shape, dtype=own.dtype, device="meta", requires_grad=True)
            place = torch.empty(1, dtype=torch.int64, device="meta")
            loss = torch.empty((), dtype=own.dtype, device="meta", requires_grad=True)
            rank, size = self.row.rank, self.row.size
            work = _Work(self)
            stage = _Timed(
                work, rank, size, self.row.device,
                input_args=place if rank == 0 else passed,
                output_args=loss if rank == size - 1 else passed,
                group=self.row.group,
            )  # fmt: skip
            schedule = SCHEDULES[self.schedule](
                stage, self.micro_batches, loss_fn=lambda found, _target: found, scale_grads=False
            )
            self._pipelines[shape] = (schedule, stage, work)
        return self._pipelines[shape]

    def _told(self, busy_s: float, step_s: float) -> dict[str, Tensor]:
        """What the last stages found, at every worker."""
        if not self._names:
            self._names = self.row.gather(sorted(self._sums))[-1]
        zero = torch.zeros((), dtype=torch.float64, device=self.row.device)
        own = [self._sums.get(name, zero) for name in self._names]
        table = torch.stack([*own, zero + busy_s])
        processes.all_reduce(table)
        # A worker that is done waits for the one that takes longest.
        longest = zero + step_s
        processes.all_reduce(longest, processes.ReduceOp.MAX)
        *found, busy = table
        share = 1 - busy / (longest * self.row.size * self.column.size)
        return {**dict(zip(self._names, found, strict=True)), "bubble": share}

    def notes(self) -> list[str]:
        """The bubble as it was measured, beside its formula."""
        if not self._waited:
            return []
        measured = sorted(self._waited)[len(self._waited) // 2]
        stages, count = self.row.size, self.micro_batches
        return [
            _(
                "pipeline of {stages} stages, {count} micro-batches: workers waited {measured:.1%} of a "
                "step (median); (K − 1)/(M + K − 1) is {formula:.1%}"
            ).format(stages=stages, count=count, measured=measured, formula=bubble(stages, count))
        ]

    def state_dict(self) -> dict[str, Any]:
        """What objectives carry from step to step: those of the last stages."""
        own = self.row.gather(self.objective.state_dict())[-1]
        return {"objectives": self.column.gather(own)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        kept, rows = state["objectives"], self.column
        load_own_state(self.objective, kept, rows.rank, rows.size, self.training.batch_size)


def _groups_of_shared(
    pieces: StagePieces, mesh: DeviceMesh
) -> list[tuple[JoinedCrew, list[nn.Parameter]]]:
    """Parameters that several stages hold, and with whom this one holds them. All workers ask."""
    found = []
    for stages in sorted({one for one in pieces.holders.values() if len(one) > 1}):
        names = [name for name, holders in pieces.holders.items() if holders == stages]
        for ranks in mesh.mesh[:, list(stages)].tolist():
            group = new_group(pieces.row.timeout, ranks)
            if pieces.row.rank in stages and processes.get_rank() in ranks:
                found.append((pieces.row.of(group, ranks), [pieces.held[n] for n in names]))
    return found
