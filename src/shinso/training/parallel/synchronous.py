"""Synchronous data parallelism: every worker learns its share of each batch, all take one step.

    g = Σ_r w_r g_r / Σ_r w_r

with g_r the gradient of worker r's mean loss and w_r what that mean is over (samples, tokens): the
gradient of the joint batch, also where shares are uneven. The sum runs through torch's
DistributedDataParallel, which sends a bucket of gradients while the next is still computed.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch import distributed as processes
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from shinso.contracts import Objective
from shinso.data.batch_parts import parts_of
from shinso.faults import UsageFault
from shinso.language import _
from shinso.training.gradient import (
    StatesOfParts,
    add_shares,
    evaluated,
    load_own_state,
    share_of_loss,
    shares_of,
    weights_of,
)
from shinso.training.parallel.joined import JoinedCrew, new_group
from shinso.training.plan import Training

_BUFFERS = (
    "forward_sync_buffers"  # the name since torch 2.13
    if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    else "broadcast_buffers"
)


@final
class Pass(nn.Module):
    """The whole way from a batch to its loss as one module.

    Engines watch the forward of what they wrap. Objectives call models in their
    own ways (encode, then decode; twice), so the objective is inside.
    """

    def __init__(self, model: nn.Module, objective: Objective[Any], training: Training) -> None:
        super().__init__()
        self.model = model
        self.objective, self.plan = objective, training

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return evaluated(self.objective, self.model, batch, self.plan)


@runtime_checkable
class Engine(Protocol):
    """What computes a worker's share and makes one of all their gradients.

    scale: what a share of the loss is multiplied by before its gradient is taken: the number of
    workers for an engine that takes the mean over them, 1 for one that leaves the sum to its caller.
    """

    @property
    def scale(self) -> float: ...

    def prepare(self, batch: Any) -> None:
        """Called before each batch."""
        ...

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        """Within, a part of the batch is learned."""
        ...

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        """The objective's scalars."""
        ...


@final
class SynchronousGradients:
    """Gradients and scalars of the joint batch, the same at every worker (``training.gradient``).

    crew: those who share each batch. engine: ``Replicated``, every worker with the whole model, by
    default.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective[Any],
        training: Training,
        crew: JoinedCrew,
        engine: Engine | None = None,
    ) -> None:
        self.objective, self.training, self.crew = objective, training, crew
        if engine is None:
            synchronize_norms(model)
            engine = Replicated(model, objective, training, crew)
        self.engine = engine

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        """batch: this worker's share."""
        engine, crew = self.engine, self.crew
        engine.prepare(batch)
        # Each worker has the same number of parts, for each part is a meeting.
        parts = parts_of(batch, self.training.accumulate)
        count = crew.largest(len(parts)) if self.training.accumulate > 1 else 1
        weights = [weights_of(self.objective, part) for part in parts]
        own = [sum(one[name] for one in weights) for name in weights[0]]
        table = torch.tensor(own, dtype=torch.float64, device=crew.device)
        # Under way during the forward pass.
        weighing = processes.all_reduce(table, group=crew.group, async_op=True)
        assert weighing is not None
        states = StatesOfParts(self.objective, len(parts)) if count > 1 else None
        totals: dict[str, float] = {}
        sums: dict[str, Tensor] = {}
        waiting = None
        for place in range(count):
            last = place == count - 1
            # A worker with fewer parts than another learns its last one again, at no weight.
            index = min(place, len(parts) - 1)
            with engine.part(last=last):
                with states.of_part(index) if states else nullcontext():
                    scalars = engine(parts[index])
                if not totals:
                    weighing.wait()
                    totals = dict(zip(weights[0], table.tolist(), strict=True))
                shares = shares_of(weights[index], totals, count * crew.size)
                if place >= len(parts):
                    shares = dict.fromkeys(shares, 0.0)
                loss = share_of_loss(scalars, shares)
                add_shares(sums, scalars, loss, shares)
                if last:
                    table = torch.stack([sums[name] for name in sorted(sums)])
                    # Under way while the gradients are computed.
                    waiting = processes.all_reduce(table, group=crew.group, async_op=True)
                (loss * engine.scale).backward()
        if states:
            states.join()
        assert waiting is not None
        waiting.wait()
        return dict(zip(sorted(sums), table, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """What the objectives of all workers carry from step to step, such as hidden states."""
        return {"objectives": self.crew.gather(self.objective.state_dict())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Each worker's objective goes on with its own share (``gradient.load_own_state``)."""
        kept, crew = state["objectives"], self.crew
        load_own_state(self.objective, kept, crew.rank, crew.size, self.training.batch_size)


@final
class Replicated:
    """An engine for workers that each hold the whole model: torch's DistributedDataParallel, which
    takes the mean over workers."""

    def __init__(
        self, model: nn.Module, objective: Objective[Any], training: Training, crew: JoinedCrew
    ) -> None:
        self.model, self.objective, self.crew = model, objective, crew
        self.scale = float(crew.size)
        self._pass = Pass(model, objective, training)
        self._parallel: DistributedDataParallel | None = None

    def prepare(self, batch: Any) -> None:
        """Wrap the pass, once it is known whether every parameter takes part in it."""
        if self._parallel is not None:
            return
        self._parallel = DistributedDataParallel(
            self._pass,
            # Synchronized statistics are equal without being sent.
            **{_BUFFERS: bool(unsynchronized(self.model))},  # pyright: ignore[reportArgumentType]
            # Buckets meet apart from what the model itself sends in mid-pass.
            process_group=new_group(self.crew.timeout),
            find_unused_parameters=bool(self.crew.largest(int(self._leaves_some_out(batch)))),
            gradient_as_bucket_view=True,
        )

    def part(self, *, last: bool) -> AbstractContextManager[Any]:
        return nullcontext() if last else self._wrapped.no_sync()

    def __call__(self, batch: Any) -> dict[str, Tensor]:
        return self._wrapped(batch)

    @property
    def _wrapped(self) -> DistributedDataParallel:
        assert self._parallel is not None
        return self._parallel

    def _leaves_some_out(self, batch: Any) -> bool:
        """Whether a pass leaves a parameter without a gradient, found by one that leaves no trace."""
        buffers = [one.clone() for one in self.model.buffers()]
        objective = copy.deepcopy(self.objective.state_dict())
        devices = [self.crew.device] if self.crew.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            self._pass(batch)["loss"].backward()
        without = any(one.requires_grad and one.grad is None for one in self.model.parameters())
        self.model.zero_grad(set_to_none=True)
        self.objective.load_state_dict(objective)
        with torch.no_grad():
            for own, before in zip(self.model.buffers(), buffers, strict=True):
                own.copy_(before)
        return without


def synchronize_norms(model: nn.Module) -> None:
    """Batch normalization takes its statistics over the joint batch: its flag ``synchronized``.

    Raises what ``check_norms`` does.
    """
    check_norms(model)
    for module in _norms(model):
        module.synchronized = True  # pyright: ignore[reportArgumentType]


def check_norms(model: nn.Module) -> None:
    """UsageFault NORM-NOT-SHARED for torch's own batch normalization, which cannot take its
    statistics over several processes on a CPU."""
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
            raise UsageFault(
                "NORM-NOT-SHARED",
                place=f"{name}: {type(module).__name__}",
                why=_("each worker would normalize by its own share of the batch"),
                next_step=_("use shinso.nn.BatchNorm or SyncBatchNorm, or train with --workers 1"),
            )


def unsynchronized(model: nn.Module) -> list[Tensor]:
    """Buffers that do not stay equal at all workers by themselves."""
    equal = {id(one) for module in _norms(model) for one in module.buffers()}
    return [one for one in model.buffers() if id(one) not in equal]


def _norms(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if hasattr(module, "synchronized")]
