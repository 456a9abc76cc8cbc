"""What one worker holds of a model that is divided: plain tensors, and how they become whole again.

An optimizer, a running mean and a norm need no more than plain tensors; a checkpoint, a validation
and a worker in another division need whole ones. Both see the same memory.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn
from torch import distributed as processes
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor

from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.tensor import fused_parameters, reordered


@runtime_checkable
class Pieces(Protocol):
    """One worker's pieces. row: those among whom the model is divided; for each name they ask ``whole``
    together. held: the pieces by their parameters' names, in the memory of the divided model.

    names: of all trained and untrained parameters of the whole model, in its order.
    """

    @property
    def row(self) -> JoinedCrew: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def held(self) -> Mapping[str, nn.Parameter]: ...

    def whole(self, name: str, piece: Tensor | None, /) -> Tensor:
        """The whole of which workers hold pieces; None from those that hold none."""
        ...

    def piece(self, name: str, whole: Tensor, /) -> Tensor:
        """This worker's piece."""
        ...

    def counts(self, name: str, /) -> bool:
        """Whether this worker's piece counts in sums over the row: of what several hold alike, one
        does."""
        ...

    def take_gradients(self) -> None:
        """The divided model's gradients become those of ``held``."""
        ...


def norm(pieces: Pieces, parameters: Sequence[nn.Parameter]) -> Tensor:
    """Of the whole gradient: the root of the sum over all workers' squares; the same at each of them."""
    names = {id(one): name for name, one in pieces.held.items()}
    own = [one.grad for one in parameters if one.grad is not None and pieces.counts(names[id(one)])]
    total = torch.zeros((), dtype=torch.float64, device=pieces.row.device)
    if own:
        norms = torch.stack(torch._foreach_norm(own))  # pyright: ignore[reportPrivateImportUsage]
        total += norms.double().square().sum()
    processes.all_reduce(total, group=pieces.row.group)
    return total.sqrt().to(parameters[0].dtype)


def sum_gradients(parameters: Sequence[nn.Parameter], crew: JoinedCrew) -> None:
    """Add up the gradients of all workers of ``crew``, in one message; a parameter that none of them
    has a gradient of has none afterwards."""
    if crew.size == 1 or not parameters:
        return
    there = torch.tensor([float(one.grad is not None) for one in parameters], device=crew.device)
    processes.all_reduce(there, group=crew.group)
    used = [one for one, count in zip(parameters, there.tolist(), strict=True) if count]
    grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in used]
    joint = torch.cat([one.reshape(-1) for one in grads])
    processes.all_reduce(joint, group=crew.group)
    sizes = [one.numel() for one in grads]
    for one, grad, summed in zip(used, grads, joint.split(sizes), strict=True):
        one.grad = summed.view_as(grad)


@final
class Spread:
    """Pieces of parameters that torch spread over a mesh (DTensors): cut by tensors, or shared out."""

    def __init__(self, model: nn.Module, row: JoinedCrew, *, cut: bool) -> None:
        """cut: by ``tensor.cut``, which reorders rows."""
        self.row, self.model = row, model
        named = dict(model.named_parameters())
        self.names = list(named)
        self._spread: dict[str, Any] = {n: p for n, p in named.items() if isinstance(p, DTensor)}
        self._fused = fused_parameters(model) if cut else {}
        self.held = {name: self._plain(name, one) for name, one in named.items()}

    def _plain(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        if name not in self._spread:
            return parameter
        local = self._spread[name].detach().to_local()
        return nn.Parameter(local, requires_grad=parameter.requires_grad)

    def whole(self, name: str, piece: Tensor | None, /) -> Tensor:
        assert piece is not None
        like = self._spread.get(name)
        if like is None:
            return piece
        spread = DTensor.from_local(
            piece.detach(), like.device_mesh, like.placements,
            run_check=False, shape=like.shape, stride=like.stride(),
        )  # fmt: skip
        full = spread.full_tensor()
        parts = self._fused.get(name)
        return reordered(full, self.row.size, parts) if parts else full

    def piece(self, name: str, whole: Tensor, /) -> Tensor:
        like = self._spread.get(name)
        if like is None:
            return whole
        parts = self._fused.get(name)
        whole = reordered(whole, parts, self.row.size) if parts else whole
        # No messages: each worker has the whole and takes its own.
        spread = distribute_tensor(
            whole.contiguous(), like.device_mesh, like.placements, src_data_rank=None
        )
        return spread.to_local()

    def counts(self, name: str, /) -> bool:
        like = self._spread.get(name)
        alike = like is None or all(isinstance(one, Replicate) for one in like.placements)
        return not alike or self.row.rank == 0

    def take_gradients(self) -> None:
        for name, spread in self._spread.items():
            own = spread.grad
            if own is not None:
                own = own.redistribute(placements=spread.placements).to_local()
            self.held[name].grad = own
            spread.grad = None


Groups = Sequence[Sequence[str]]
"""Names of parameters, by the optimizer's groups."""
_PIECE = "piece"


def whole_optimizer(
    state: dict[str, Any], pieces: Pieces, own: Groups, whole: Groups, *, keep: bool
) -> dict[str, Any]:
    """An optimizer's state dict as it is where one process holds the whole model. own: the groups of
    the one that ``state`` is of; whole: of the other. keep: whether this worker wants it; without,
    it only gives its pieces."""
    entries = {name: state["state"].get(place, {}) for place, name in enumerate(_flat(own))}
    # What an entry has beside tensors of the parameter's shape is the same at all who have it.
    known: dict[str, dict[str, Any]] = {}
    for said in reversed(pieces.row.gather({n: _outline(one) for n, one in entries.items()})):
        known.update(said)
    found = {}
    for place, name in enumerate(_flat(whole)):
        entry = {
            kind: pieces.whole(name, entries.get(name, {}).get(kind)) if value == _PIECE else value
            for kind, value in known.get(name, {}).items()
        }
        if entry and keep:
            found[place] = entry
    return {"state": found, "param_groups": _regrouped(state["param_groups"], whole)}


def own_optimizer(
    state: dict[str, Any], pieces: Pieces, own: Groups, whole: Groups
) -> dict[str, Any]:
    """The opposite: this worker's part of a whole optimizer's state dict."""
    places = {name: place for place, name in enumerate(_flat(whole))}
    found = {}
    for place, name in enumerate(_flat(own)):
        entry = state["state"].get(places[name], {})
        taken = {
            kind: pieces.piece(name, value).clone() if _is_shaped(value) else copy.deepcopy(value)
            for kind, value in entry.items()
        }
        if taken:
            found[place] = taken
    return {"state": found, "param_groups": _regrouped(state["param_groups"], own)}


def _flat(groups: Groups) -> list[str]:
    return [name for group in groups for name in group]


def _is_shaped(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0


def _outline(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: _PIECE if _is_shaped(value) else value for kind, value in entry.items()}


def _regrouped(settings: Sequence[Mapping[str, Any]], groups: Groups) -> list[dict[str, Any]]:
    """The settings of an optimizer's groups for groups of other parameters."""
    found, first = [], 0
    for one, group in zip(settings, groups, strict=True):
        found.append({**one, "params": list(range(first, first + len(group)))})
        first += len(group)
    return found
