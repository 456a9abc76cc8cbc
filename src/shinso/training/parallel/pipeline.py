"""Pipeline parallelism: each worker holds some layers and passes what they give to the next one.

A batch is cut into M micro-batches. With K stages a worker is idle for the share

    (K − 1) / (M + K − 1)

of a step (Huang et al. 2019, section 2.3): the bubble. GPipe computes all forward passes, then all
backward ones; 1F1B (Narayanan et al. 2019) begins a micro-batch's backward pass as soon as it can,
with the same bubble and at most K micro-batches in memory instead of M. Both are
``torch.distributed.pipelining``'s; this cuts shinso's models into layers that can be passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch import distributed as processes
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from shinso.faults import UsageFault
from shinso.language import _
from shinso.nn.recurrent import RecurrentLayers
from shinso.training.parallel.shapes import even_cuts

ScheduleName = Literal["gpipe", "1f1b"]
SCHEDULES = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}


@final
class RecurrentLayer(nn.Module):
    """One of several stacked layers by itself: sequence in, sequence out."""

    def __init__(self, layer: RecurrentLayers) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


def recurrent_layers(stack: RecurrentLayers) -> list[nn.Module]:
    """The layers of a stack, one module each, with the stack's own weights."""
    found: list[nn.Module] = []
    for number in range(stack.num_layers):
        width = stack.input_size if number == 0 else stack.hidden_size * stack.num_directions
        single = type(stack)(
            width, stack.hidden_size, 1, stack.bias, stack.batch_first,
            bidirectional=stack.bidirectional,
        )  # fmt: skip
        old, new = f"_l{number}", "_l0"
        names = dict(stack.named_parameters())
        for name, parameter in single.named_parameters():
            parameter.data = names[name.replace(new, old)].data.clone()
        found.append(RecurrentLayer(single))
    return found


def stages_of(layers: Sequence[nn.Module], count: int) -> list[nn.Sequential]:
    """Neighbouring layers together, so that the largest stage has as few parameters as possible.

    Raises UsageFault STAGES-TOO-MANY where there are fewer layers than stages.
    """
    if count > len(layers):
        raise UsageFault(
            "STAGES-TOO-MANY",
            place=_("{count} stages").format(count=count),
            found=_("{layers} layers").format(layers=len(layers)),
            why=_("each stage holds at least one layer"),
            next_step=_("give fewer workers to the pipeline"),
        )
    sizes = [sum(one.numel() for one in layer.parameters()) for layer in layers]
    cuts = even_cuts(sizes, count)
    return [nn.Sequential(*layers[begin:end]) for begin, end in cuts]


class _Dense(torch.autograd.Function):
    """Nothing, with a gradient that lies in memory as a message must."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous()


def dense(x: Tensor) -> Tensor:
    """The same, whose gradient can be sent as it lies in memory."""
    return _Dense.apply(x)  # pyright: ignore[reportReturnType]


@final
class _Between(nn.Module):
    """A stage whose output, and whose input's gradient, can be sent as they lie in memory."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: Tensor) -> Tensor:
        return self.stage(dense(x)).contiguous()


def micro_batches_fault(size: int, count: int) -> UsageFault:
    """For a batch of ``size`` samples that ``count`` micro-batches do not share evenly."""
    return UsageFault(
        "MICRO-BATCHES",
        place=_("a batch of {size}").format(size=size),
        found=_("{count} micro-batches").format(count=count),
        why=_("they must be of one size"),
        next_step=_("give a batch size that their number divides"),
    )


@final
class Pipeline:
    """One worker's stage of a model, and the schedule by which all work.

    group: the workers of this pipeline; all by default. loss: mean over a micro-batch; the
    gradient is that of the mean over the batch, for micro-batches of one size.
    """

    def __init__(
        self,
        stage: nn.Module,
        loss: Callable[[Tensor, Tensor], Tensor],
        *,
        micro_batches: int,
        schedule: ScheduleName = "1f1b",
        group: Any = None,
        device: torch.device | None = None,
    ) -> None:
        self.module = stage
        self.rank, self.size = processes.get_rank(group), processes.get_world_size(group)
        self.micro_batches = micro_batches
        place = device or torch.device("cpu")
        self.stage = PipelineStage(_Between(stage), self.rank, self.size, place, group=group)
        self.schedule = SCHEDULES[schedule](self.stage, micro_batches, loss_fn=loss)

    def step(self, x: Tensor, target: Tensor) -> list[Tensor]:
        """Gradients of one batch in this stage's parameters; the last stage gets the losses of the
        micro-batches, others an empty list.

        Every worker gives the batch; only the first reads x and only the last the target. Raises
        UsageFault MICRO-BATCHES where the batch does not divide.
        """
        if len(x) % self.micro_batches:
            raise micro_batches_fault(len(x), self.micro_batches)
        losses: list[Tensor] = []
        given = (x,) if self.rank == 0 else ()
        if self.rank == self.size - 1:
            self.schedule.step(*given, target=target, losses=losses, return_outputs=False)
        else:
            self.schedule.step(*given, return_outputs=False)
        return losses
