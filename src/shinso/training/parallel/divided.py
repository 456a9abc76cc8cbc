"""A learner of which each worker holds pieces: the ordinary one on the pieces, whole to all who look.

What is validated, kept as best and saved is the whole model, at the first worker; a checkpoint is
that of one process, so a run goes on in another division or in none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from shinso.contracts import Objective
from shinso.training.gradient import GradientLearner, in_groups
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.pieces import (
    Pieces,
    norm,
    own_optimizer,
    sum_gradients,
    whole_optimizer,
)
from shinso.training.plan import Training


@runtime_checkable
class JointGradients(Protocol):
    """Gradients of the joint batch in a divided model's own parameters."""

    def __call__(self, batch: Any, /) -> Mapping[str, Tensor]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


@runtime_checkable
class Noting(Protocol):
    """Something to be told at the end of a run."""

    def notes(self) -> Sequence[str]: ...


@final
class _OfPieces:
    """The same in the pieces, with the norm of the whole (``gradient.OfPieces``)."""

    def __init__(
        self, gradients: JointGradients, pieces: Pieces, column: JoinedCrew | None
    ) -> None:
        self.gradients, self.pieces, self.column = gradients, pieces, column

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        scalars = self.gradients(batch)
        self.pieces.take_gradients()
        if self.column is not None:
            sum_gradients(list(self.pieces.held.values()), self.column)
        return scalars

    def norm(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        return norm(self.pieces, parameters)

    def state_dict(self) -> dict[str, Any]:
        return self.gradients.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.gradients.load_state_dict(state)


def _own(pieces: Pieces) -> list[tuple[str, nn.Parameter]]:
    """The pieces of this worker in the order of the whole model's parameters."""
    return [(name, pieces.held[name]) for name in pieces.names if name in pieces.held]


@final
class _Held(nn.Module):
    """The pieces as a model: what an optimizer and a running mean go over. Its state is elsewhere."""

    def __init__(self, pieces: Pieces, divided: nn.Module) -> None:
        super().__init__()
        self._divided = (divided,)  # not a part of this one
        for name, piece in _own(pieces):
            self.register_parameter(name.replace(".", "/"), piece)
        for name, buffer in divided.named_buffers():
            self.register_buffer(name.replace(".", "/"), buffer)

    def train(self, mode: bool = True) -> _Held:
        self._divided[0].train(mode)
        return self

    def state_dict(self, *_given: Any, **_named: Any) -> dict[str, Any]:
        return {}

    def load_state_dict(self, *_given: Any, **_named: Any) -> Any:
        pass


@final
class DividedLearner:
    """AdamW or SGD on a model that is divided among the workers of a row.

    whole: the model that is validated, saved and used: the first worker's; None at the others, which
    never hold all of it. divided: the model that learns. All workers ask for the state together.
    """

    def __init__(
        self,
        whole: nn.Module | None,
        divided: nn.Module,
        pieces: Pieces,
        objective: Objective[Any],
        training: Training,
        gradients: JointGradients,
        shapes: Mapping[str, nn.Parameter],
        column: JoinedCrew | None = None,
    ) -> None:
        """shapes: the parameters of the whole model by name, or others of their shapes. gradients: of
        this row's share of the loss where ``column`` is given, of the workers who hold the same
        pieces in other rows and add them up; otherwise of all of it."""
        self.whole, self.divided, self.pieces = whole, divided, pieces
        self._gradients = gradients
        own = _own(pieces)
        self.learner: GradientLearner[Any] = GradientLearner(
            _Held(pieces, divided),
            objective,
            training,
            trained=own,
            gradients=_OfPieces(gradients, pieces, column),
        )
        self._own, self._all = (
            [[name for name, _ in group] for group in in_groups(named)]
            for named in (own, shapes.items())
        )
        self.tell: Callable[[str], None] = lambda note: None
        self.stopped: Callable[[], bool] = lambda: False

    def step(self, batch: Any) -> Mapping[str, Tensor | float]:
        """One update; batch: this worker's share."""
        return self.learner.step(batch)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within, the first worker's whole model has the weights that are validated and kept."""
        with self.learner.evaluating():
            self._bring_together()
        yield

    @torch.no_grad()
    def _bring_together(self) -> None:
        into = dict(self.whole.named_parameters()) if self.whole is not None else {}
        for name in self.pieces.names:
            found = self.pieces.whole(name, self.pieces.held.get(name))
            if name in into:
                into[name].copy_(found)
        if self.whole is not None:
            kept = dict(self.divided.named_buffers())
            for name, buffer in self.whole.named_buffers():
                if name in kept:
                    buffer.copy_(kept[name])

    def state_dict(self) -> dict[str, Any]:
        """As of one process; whole at the first worker alone."""
        state = self.learner.state_dict()
        self._bring_together()
        return {
            **state,
            "model": {} if self.whole is None else self.whole.state_dict(),
            "optimizer": whole_optimizer(
                state["optimizer"], self.pieces, self._own, self._all, keep=self.whole is not None
            ),
            "mean": self._whole_mean(state["mean"]),
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state of any division, or of one process."""
        for name, own in self.pieces.held.items():
            own.copy_(self.pieces.piece(name, state["model"][name]))
        for name, buffer in self.divided.named_buffers():
            if name in state["model"]:
                buffer.copy_(state["model"][name])
        self.learner.load_state_dict(
            {
                **state,
                "optimizer": own_optimizer(state["optimizer"], self.pieces, self._own, self._all),
                "mean": self._own_mean(state["mean"]),
            }
        )

    def _whole_mean(self, kept: list[Tensor]) -> list[Tensor]:
        """A running mean goes over parameters in their order, then over buffers."""
        if not kept:
            return []
        names = [name for name, _piece in _own(self.pieces)]
        own = dict(zip(names, kept, strict=False))
        wholes = []
        for name in self.pieces.names:
            found = self.pieces.whole(name, own.get(name))
            if self.whole is not None:
                wholes.append(found)
        return [*wholes, *kept[len(names) :]]

    def _own_mean(self, kept: list[Tensor]) -> list[Tensor]:
        if not kept:
            return []
        names = self.pieces.names
        own = [
            self.pieces.piece(name, one)
            for name, one in zip(names, kept, strict=False)
            if name in self.pieces.held
        ]
        return [*own, *kept[len(names) :]]

    def close(self) -> None:
        pass

    def notes(self) -> Sequence[str]:
        """What the division cost, where it was measured."""
        return self._gradients.notes() if isinstance(self._gradients, Noting) else []
