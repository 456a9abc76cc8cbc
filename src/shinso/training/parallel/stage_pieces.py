"""Which worker of a pipeline holds what of a whole model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch import distributed as processes

from shinso.contracts import Staged
from shinso.faults import UsageFault
from shinso.language import _
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.shapes import even_cuts


def check_stages(model: nn.Module, count: int) -> list[tuple[int, int]]:
    """Which blocks each of ``count`` stages has, so that the largest has as few parameters as possible.

    Raises UsageFault MODEL-IN-ONE for a model that is not ``Staged``, and UsageFault STAGES-TOO-MANY
    where it has fewer blocks than stages.
    """
    if not isinstance(model, Staged):
        raise UsageFault(
            "MODEL-IN-ONE",
            place=f"--pipeline {count}",
            found=type(model).__name__,
            why=_("it is no row of blocks that could be passed on from one worker to the next"),
            next_step=_("use language-model with --model transformer, or share batches: --workers"),
        )
    if count > len(model.blocks):
        raise UsageFault(
            "STAGES-TOO-MANY",
            place=_("{count} stages").format(count=count),
            found=_("{layers} layers").format(layers=len(model.blocks)),
            why=_("each stage holds at least one layer"),
            next_step=_("give fewer workers to the pipeline"),
        )
    sizes = [size_of([block]) for block in model.blocks]
    sizes[0] += size_of(model.begins_with)
    sizes[-1] += size_of(model.ends_with)
    return even_cuts(sizes, count)


def size_of(modules: Sequence[nn.Module]) -> int:
    """Parameters of all of them, those that several have counted once."""
    return sum({id(p): p.numel() for one in modules for p in one.parameters()}.values())


@final
class StagePieces:
    """Pieces of a model of which each worker of a row holds some parameters whole. The others are
    left out of ``model``."""

    def __init__(self, model: nn.Module, row: JoinedCrew) -> None:
        """Raises what ``check_stages`` does, and ValueError for a parameter that belongs nowhere."""
        cuts = check_stages(model, row.size)
        assert isinstance(model, Staged)
        self.row = row
        named = dict(model.named_parameters())
        self.names = list(named)
        modules = [list(model.blocks[begin:end]) for begin, end in cuts]
        modules[0] += model.begins_with
        modules[-1] += model.ends_with
        owned = [{id(p) for one in stage for p in one.parameters()} for stage in modules]
        self.holders = {
            name: tuple(number for number, ids in enumerate(owned) if id(one) in ids)
            for name, one in named.items()
        }
        for name, stages in self.holders.items():
            if not stages:
                raise ValueError(
                    f"{name} belongs to no stage; begins_with or ends_with must have it"
                )
        self.held = {n: p for n, p in named.items() if row.rank in self.holders[n]}
        self._empty = {n: torch.empty_like(p, device="meta") for n, p in named.items()}
        _leave_out(model, row, cuts[row.rank])

    def whole(self, name: str, piece: Tensor | None, /) -> Tensor:
        if piece is None:
            piece = torch.empty_like(self._empty[name], device=self.row.device)
        piece = piece.detach()
        processes.broadcast(piece, group=self.row.group, group_src=self.holders[name][0])
        return piece

    def piece(self, name: str, whole: Tensor, /) -> Tensor:
        return whole

    def counts(self, name: str, /) -> bool:
        return self.holders[name][0] == self.row.rank

    def take_gradients(self) -> None:
        pass  # they are there


def _leave_out(model: Any, row: JoinedCrew, own: tuple[int, int]) -> None:
    """Names stay; what belongs to other stages is nothing."""
    foreign = list(model.begins_with) if row.rank > 0 else []
    foreign += model.ends_with if row.rank < row.size - 1 else []
    for name, child in list(model.named_children()):
        if any(child is one for one in foreign):
            setattr(model, name, nn.Identity())
    for number in range(len(model.blocks)):
        if not own[0] <= number < own[1]:
            model.blocks[number] = nn.Identity()
