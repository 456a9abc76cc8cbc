"""The few protocols at which everything meets.

``file → Source → Learner(Objective(model, batch)) → loop → run folder``. The loop in
``train`` knows these and nothing else; a new system implements them and needs no edit here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

Batch = TypeVar("Batch")
BatchIn = TypeVar("BatchIn", contravariant=True)
BatchOut = TypeVar("BatchOut", covariant=True)


@runtime_checkable
class Stateful(Protocol):
    """Something that a stopped run must bring back exactly.

    The state holds tensors, numbers, strings, lists and dicts only, so that it can be read
    back without unpickling code.
    """

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


@runtime_checkable
class Source(Stateful, Protocol[BatchOut]):
    """An endless stream of training batches: a file, an environment or self-play.

    Its state holds the position in the data and its random generator, so that the next batch
    after a resume is the one that would have come without the stop.
    """

    def next_batch(self) -> BatchOut: ...


@runtime_checkable
class Divisible(Protocol[BatchOut]):
    """A source that can give part of its next batch without making the rest."""

    def next_part(self, index: int, of: int, /) -> BatchOut:
        """Samples index, index + of, … of the next batch; all of them where there are fewer than
        ``of``. The state afterwards is that after ``next_batch``."""
        ...


@runtime_checkable
class Objective(Stateful, Protocol[BatchIn]):
    """What a model is trained for.

    ``loss`` must be among the named scalars; the others are logged beside it. Names carry
    their unit (``loss_nats``-like names belong to the others; ``loss`` is what is minimized).
    State is empty for most; a target network or a carried hidden state lives here.
    """

    def __call__(self, model: nn.Module, batch: BatchIn) -> Mapping[str, Tensor]: ...


@runtime_checkable
class LeavesOut(Protocol[BatchIn]):
    """An objective that looks at some places of an answer only: padding has no word, void no class."""

    def counted(self, batch: BatchIn, /) -> Tensor | None:
        """True at the places that count, in the shape of the answer without its classes; None
        where all do."""
        ...


class Compared(NamedTuple):
    """What a student's answer is told by its teacher's. said, told: scores of the places that count,
    classes last. of: over how many things their distances are a mean; None: over the places. beside:
    a loss of what else is in the answers; None: scores are all."""

    said: Tensor
    told: Tensor
    of: Tensor | None = None
    beside: Tensor | None = None


@runtime_checkable
class Compares(Protocol[BatchIn]):
    """An objective whose networks answer with more than scores, or where the answers themselves
    decide which places a teacher teaches."""

    def comparison(
        self, student: nn.Module, teacher: nn.Module, /
    ) -> Callable[[BatchIn, Any, Any], Compared]:
        """How a batch, the student's answer and the teacher's are compared. Raises UsageFault
        COMPRESS-REFUSED where no answers of the two can be."""
        ...


@runtime_checkable
class AnswersInFull(Protocol):
    """A network whose bare answer can be read with its own numbers only, as offsets from its default
    boxes can. Who has an exported file has the file alone."""

    def in_full(self, answer: Any, /) -> Any:
        """The answer as a file gives it: tensors that need nothing else to be read."""
        ...


@runtime_checkable
class Weighed(Protocol[BatchIn]):
    """An objective whose loss is a mean over something else than samples: tokens, boxes."""

    def weight(self, batch: BatchIn, /) -> float:
        """Over how many things the loss of this batch is a mean."""
        ...


@runtime_checkable
class WeighedByTerm(Protocol[BatchIn]):
    """An objective whose scalars are means over different things: pieces and sentences, boxes and
    images."""

    def term_weights(self, batch: BatchIn, /) -> Mapping[str, float]:
        """Over how many things the scalars of these names are means; others are means over what the
        first is. Without ``loss`` among them they are its terms, and the loss is their sum. One
        that a model does not have is left out."""
        ...


@runtime_checkable
class Carrying(Protocol):
    """An objective that carries something of each sample from one batch to the next, such as a
    hidden state: its state is divided as its batches are."""

    def state_of_part(self, state: dict[str, Any], index: int, of: int, /) -> dict[str, Any]:
        """What is carried of samples index, index + of, …"""
        ...

    def joined_state(self, states: Sequence[dict[str, Any]], /) -> dict[str, Any]:
        """What is carried of all samples, from the states of all parts in their order."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A model whose way from input to states is a row of steps: what begins it, blocks one after the
    other, what ends it. It can be cut between blocks, into the stages of a pipeline.

    Every parameter belongs to a block, to ``begins_with`` or to ``ends_with``; one may belong to both
    of these (a tied embedding).
    """

    blocks: nn.ModuleList

    @property
    def begins_with(self) -> Sequence[nn.Module]: ...

    @property
    def ends_with(self) -> Sequence[nn.Module]: ...

    def begin(self, given: Tensor, /) -> Tensor:
        """What the first block reads."""
        ...

    def through(self, block: nn.Module, x: Tensor, /) -> Tensor:
        """What the next block reads, in the same shape."""
        ...

    def end(self, x: Tensor, /) -> Tensor:
        """The states, of what the last block gives."""
        ...

    def between(self, given: Tensor, /) -> tuple[int, ...]:
        """The shape of what blocks pass on."""
        ...


@runtime_checkable
class OfStates(Protocol[BatchIn]):
    """An objective that asks a ``Staged`` model for its states once, so that other workers may compute
    them: ``objective(model, batch)`` is ``of_states`` of what the model makes of ``given``."""

    def given(self, batch: BatchIn, /) -> Tensor:
        """What the model reads of a batch."""
        ...

    def of_states(
        self, model: nn.Module, states: Tensor, batch: BatchIn, /
    ) -> Mapping[str, Tensor]:
        """The scalars, from the model's states; of the model itself only ``ends_with`` is there."""
        ...


@runtime_checkable
class Learner(Stateful, Protocol[BatchIn]):
    """One step of learning: a gradient step for most systems, a table update or a closed-form
    fit for others. The loop counts steps; only the learner knows what one does."""

    def step(self, batch: BatchIn) -> Mapping[str, Tensor | float]:
        """Learn from one batch; return what happened, by name."""
        ...


@runtime_checkable
class Evaluating(Protocol):
    """A learner whose model is validated and kept with other weights than those that learn."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Within, the model has the weights that count."""
        ...
