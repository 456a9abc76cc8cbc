"""The learner of a run whose workers divide the model: by tensors, into stages, or by shares."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from shinso.contracts import OfStates
from shinso.faults import UsageFault
from shinso.language import _
from shinso.recipes.recipe import Built
from shinso.training.parallel.divided import DividedLearner
from shinso.training.parallel.grid import Grid, grid
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.shared import SharedSource
from shinso.walk.order import Order


def check_divided(order: Order, model: nn.Module, workers: int) -> None:
    """What would stop the division of ``model`` that an order asks for among so many processes.

    Raises UsageFault DIVIDED-TWICE for two divisions at once, DIVISION-SYNCHRONOUS for asynchronous
    workers, CREW-UNEVEN for processes that do not fill rows, SHARD-ALONE and SHARD-SCALAR for what
    cannot be shared out, MICRO-BATCHES and BATCH-IN-PARTS for a batch that a pipeline cannot pass on,
    and what ``tensor.check_cut`` and ``stage_pieces.check_stages`` do.
    """
    settings, training = order.run.config, order.config.training
    asked = _asked(settings)
    if len(asked) > 1:
        raise UsageFault(
            "DIVIDED-TWICE",
            place=" ".join(asked),
            why=_("a model is divided in one way at a time; batches may be shared beside it"),
            next_step=_("give one of the two, and --workers for the batches"),
        )
    if settings.together != "synchronous":
        raise UsageFault(
            "DIVISION-SYNCHRONOUS",
            place=f"--together {settings.together} {asked[0]}",
            why=_("those who hold parts of one model take every step together"),
            next_step="--together synchronous",
        )
    row = settings.tensor * settings.pipeline
    if workers % row:
        raise UsageFault(
            "CREW-UNEVEN",
            place=asked[0],
            found=_("{workers} processes").format(workers=workers),
            why=_("{row} of them hold one model together").format(row=row),
            next_step=_("start a multiple of {row}").format(row=row),
        )
    if settings.tensor > 1:
        from shinso.training.parallel.tensor import check_cut

        check_cut(model, settings.tensor)
    elif settings.pipeline > 1:
        _check_pipeline(settings, training, model, workers // row)
    else:
        _check_shard(model, workers)


def _asked(settings: Any) -> list[str]:
    tensor = [f"--tensor {settings.tensor}"] if settings.tensor > 1 else []
    pipeline = [f"--pipeline {settings.pipeline}"] if settings.pipeline > 1 else []
    return [*tensor, *pipeline, *(["--shard"] if settings.shard else [])]


def _check_pipeline(settings: Any, training: Any, model: nn.Module, rows: int) -> None:
    from shinso.training.parallel.pipeline import micro_batches_fault
    from shinso.training.parallel.stage_pieces import check_stages

    check_stages(model, settings.pipeline)
    if training.accumulate > 1:
        raise UsageFault(
            "BATCH-IN-PARTS",
            place=f"--accumulate {training.accumulate} --pipeline {settings.pipeline}",
            why=_("a pipeline learns a batch in parts already"),
            next_step=f"--micro-batches {settings.passed_on * training.accumulate}",
        )
    if training.batch_size % (rows * settings.passed_on):
        raise micro_batches_fault(training.batch_size, rows * settings.passed_on)


def _check_shard(model: nn.Module, workers: int) -> None:
    if workers == 1:
        raise UsageFault(
            "SHARD-ALONE",
            place="--shard",
            found=_("1 process"),
            why=_("there is nobody to share the weights with"),
            next_step="--workers 2",
        )
    for name, parameter in model.named_parameters():
        if parameter.ndim == 0:
            raise UsageFault(
                "SHARD-SCALAR",
                place=f"{type(model).__name__} {name}",
                why=_("a single number cannot be shared out, and torch refuses to"),
                next_step=_("share the batches alone: --workers without --shard"),
            )


def prepare_divided(
    order: Order, model: nn.Module, built: Built, seed: int, crew: JoinedCrew
) -> tuple[DividedLearner, SharedSource]:
    """Learner and source of one worker. ``model`` stays whole at the first worker, where it is
    validated and kept; at the others it is what they divide."""
    settings = order.run.config
    shapes = {
        name: nn.Parameter(torch.empty_like(one, device="meta"), requires_grad=one.requires_grad)
        for name, one in model.named_parameters()
    }
    first = crew.rank == 0
    divided = copy.deepcopy(model) if first else model
    place = grid(crew, settings.tensor * settings.pipeline)
    divide = _by_tensor if settings.tensor > 1 else _in_stages if settings.pipeline > 1 else _shared
    pieces, gradients, column = divide(order, divided, built, place)
    learner = DividedLearner(
        model if first else None,
        divided,
        pieces,
        built.objective,
        order.config.training,
        gradients,
        shapes,
        column,
    )
    # Dropout of its own at each row, and at each worker where workers do not hold the same states.
    # The first row cut by tensors draws what one process would.
    number = place.column.rank if settings.tensor > 1 else crew.rank
    if number or settings.tensor == 1:
        torch.manual_seed(seed + 1_000_003 * number)
    return learner, SharedSource(built.source, place.column)


def _by_tensor(order: Order, divided: nn.Module, built: Built, place: Grid) -> Any:
    from shinso.training.parallel.engines import Cut
    from shinso.training.parallel.pieces import Spread
    from shinso.training.parallel.synchronous import SynchronousGradients
    from shinso.training.parallel.tensor import cut

    training, objective = order.config.training, built.objective
    cut(divided, place.of_row)
    engine = Cut(divided, objective, training, place.row)
    gradients = SynchronousGradients(divided, objective, training, place.column, engine)
    return Spread(divided, place.row, cut=True), gradients, place.column


def _in_stages(order: Order, divided: nn.Module, built: Built, place: Grid) -> Any:
    from shinso.training.parallel.stage_pieces import StagePieces
    from shinso.training.parallel.stages import StageGradients

    settings, objective = order.run.config, built.objective
    if not isinstance(objective, OfStates):
        raise UsageFault(
            "MODEL-IN-ONE",
            place=f"--pipeline {settings.pipeline}",
            found=type(objective).__name__,
            why=_("it asks its model for more than states that a last worker could have"),
            next_step=_("share batches instead: --workers"),
        )
    pieces = StagePieces(divided, place.row)
    gradients = StageGradients(
        divided,
        objective,
        order.config.training,
        pieces,
        place.column,
        place.mesh,
        micro_batches=settings.passed_on,
    )
    return pieces, gradients, place.column


def _shared(order: Order, divided: nn.Module, built: Built, place: Grid) -> Any:
    from shinso.training.parallel.engines import Sharded
    from shinso.training.parallel.pieces import Spread
    from shinso.training.parallel.synchronous import SynchronousGradients

    training, objective = order.config.training, built.objective
    engine = Sharded(divided, objective, training, place.of_column, place.column)
    gradients = SynchronousGradients(divided, objective, training, place.column, engine)
    return Spread(divided, place.column, cut=False), gradients, None
