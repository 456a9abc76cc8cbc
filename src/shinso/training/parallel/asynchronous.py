"""Asynchronous data parallelism: workers compute gradients from weights that may be old by now.

The loop's process is the parameter server. It hands each free worker the newest weights and a
batch, and applies whichever gradient comes first, as far as the bound on staleness allows: one step
of the loop is one update. ``Hogwild`` instead lets the workers change shared weights themselves.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from shinso.contracts import Source
from shinso.faults import RunFault
from shinso.language import _
from shinso.training.gradient import GradientLearner, OwnGradients
from shinso.training.parallel.staleness import as_pairs, at_once, may_be_applied, slowed, told


@dataclass
class Task:
    """One batch under way. before: the source's state before it was drawn, from which it can be
    drawn again. version: updates made when it was handed out."""

    number: int
    batch: Any
    before: dict[str, Any]
    version: int = 0


@dataclass(frozen=True)
class Answer:
    """What a worker found. gradients: in the order of the learner's parameters; empty where the
    worker has changed the weights itself, which then says how stale that was. buffers: what the
    batch made of the model's statistics (batch normalization)."""

    number: int
    scalars: Mapping[str, float]
    gradients: list[Tensor]
    staleness: int | None = None
    buffers: Mapping[str, Tensor] = field(default_factory=dict)


def answered(
    compute: OwnGradients, number: int, weights: Mapping[str, Tensor], batch: Any
) -> Answer:
    """What a worker finds: the gradient of ``batch`` at these weights."""
    model = compute.model
    model.load_state_dict(weights)
    model.train()
    model.zero_grad(set_to_none=True)
    scalars = {name: float(value) for name, value in compute(batch).items()}
    gradients = [
        torch.zeros_like(one) if one.grad is None else one.grad
        for one in model.parameters()
        if one.requires_grad
    ]
    buffers = {name: one.clone() for name, one in model.named_buffers() if name in weights}
    return Answer(number, scalars, gradients, buffers=buffers)


START_S = 120.0
"""How much longer a worker's first answer may take: it starts and imports what it needs."""
LOOK_S = 0.2
"""How often it is asked meanwhile whether a worker hangs or the run is to stop."""


def tell_nobody(note: str) -> None:
    pass


def never() -> bool:
    return False


@final
class Patience:
    """How long each worker has been waited for, and what became of it. timeout_s: from when on a
    worker counts as hung."""

    def __init__(self, size: int, timeout_s: float) -> None:
        self.size, self.timeout_s = size, timeout_s
        self.deaths = 0
        self._until: dict[int, float] = {}
        self._answered: set[int] = set()
        self._untold: list[str] = []

    def begins(self, rank: int) -> None:
        """The worker has a task from now on."""
        more = 0.0 if rank in self._answered else START_S
        self._until[rank] = time.monotonic() + self.timeout_s + more

    def answers(self, rank: int) -> None:
        self._answered.add(rank)
        del self._until[rank]

    def hung(self) -> list[int]:
        """The workers that were waited for too long."""
        now = time.monotonic()
        return [rank for rank, until in self._until.items() if now > until]

    def replaced(self, rank: int, *, hung: bool) -> None:
        """Another process takes the worker's place. RunFault WORKER-LOST where that happens again
        and again: it is then the task that kills them."""
        self.deaths += 1
        self._answered.discard(rank)
        note = _("worker {rank} hung") if hung else _("worker {rank} died")
        found = note.format(rank=rank)
        self._untold.append(_("{lost}; another one does its task").format(lost=found))
        if self.deaths > 10 * self.size:
            raise RunFault(
                "WORKER-LOST",
                place="--together",
                found=found,
                why=_("workers were replaced {count} times").format(count=self.deaths),
                next_step=_("check the memory of the machine, or give a longer --worker-timeout"),
            )

    def speak(self, tell: Callable[[str], None]) -> None:
        """Tell what has not been told."""
        while self._untold:
            tell(self._untold.pop(0))


@runtime_checkable
class Workers(Protocol):
    """Who computes gradients: processes of this machine, or Ray's actors on many."""

    size: int

    def send(self, task: Task, step: int) -> None:
        """Begin ``task`` with the newest weights; a worker is free. step: for the schedule."""
        ...

    def receive(
        self, tell: Callable[[str], None] = ..., stopped: Callable[[], bool] = ...
    ) -> Answer:
        """The next answer. A worker that dies or hangs is replaced, which is told, and its task is
        done again. Raises StepStopped as soon as ``stopped`` says so."""
        ...

    def close(self) -> None: ...


@final
class Drawn:
    """The source as the loop sees it: batches go to the workers, ahead of the loop's steps."""

    def __init__(self, source: Source[Any]) -> None:
        self.source = source
        self.again: deque[dict[str, Any]] = deque()  # states of batches to be drawn again

    def next_batch(self) -> None:
        return None

    def draw(self) -> tuple[Any, dict[str, Any]]:
        """A batch, and the state before it."""
        if not self.again:
            before = self.source.state_dict()
            return self.source.next_batch(), before
        before = self.again.popleft()
        now = self.source.state_dict()
        self.source.load_state_dict(before)
        batch = self.source.next_batch()
        self.source.load_state_dict(now)
        return batch, before

    def state_dict(self) -> dict[str, Any]:
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state)


@final
class AsynchronousLearner:
    """The server: hands out batches, applies gradients, counts staleness.

    bound: largest staleness allowed; None for no bound. slow: smaller steps for stale gradients.
    A checkpoint holds the batches under way as places in the source; a resumed run begins with
    them, from fresh weights. It is not bit for bit the run that was not stopped: which worker is
    first is chance.
    """

    def __init__(
        self,
        learner: GradientLearner[Any],
        source: Drawn,
        workers: Workers,
        *,
        bound: int | None = None,
        slow: bool = True,
    ) -> None:
        if bound is not None and bound < 0:
            raise ValueError(f"bound is {bound}; give 0 or more, or None")
        self.learner, self.source, self.workers = learner, source, workers
        self.bound, self.slow = bound, slow
        self.under_way: dict[int, Task] = {}
        self.early: list[Answer] = []  # that would make others too stale
        self.counts: Counter[int] = Counter()
        self._training = learner.training
        self._answer: Answer | None = None
        self.tell: Callable[[str], None] = tell_nobody
        self.stopped: Callable[[], bool] = never
        self._counted = 0  # version of the weights from which the model's buffers came
        self._number = 0
        learner.gradients = self._install

    def step(self, batch: None) -> Mapping[str, Tensor | float]:
        """One update; the scalars are those of its batch, with its ``staleness``.

        Raises StepStopped, and leaves everything as it was, once ``stopped`` says so."""
        now = self.learner.steps_taken
        while len(self.under_way) < at_once(self.workers.size, self.bound):
            drawn, before = self.source.draw()
            task = Task(self._number, drawn, before, now)
            self._number += 1
            self.under_way[task.number] = task
            self.workers.send(task, now)
        answer = self._next(now)
        task = self.under_way.pop(answer.number)
        staleness = now - task.version if answer.staleness is None else answer.staleness
        self.counts[staleness] += 1
        if not answer.gradients:
            self.learner.steps_taken += 1
            return {**answer.scalars, "staleness": float(staleness)}
        lr = slowed(self._training.lr, staleness) if self.slow else self._training.lr
        self.learner.training = replace(self._training, lr=lr)
        self._answer = answer
        self._take_buffers(answer, task.version)
        scalars = self.learner.step(None)
        return {**scalars, "staleness": float(staleness)}

    def _next(self, now: int) -> Answer:
        """The first answer that may be applied; others wait."""
        while True:
            numbers = list(self.under_way)
            versions = [task.version for task in self.under_way.values()]
            for place, answer in enumerate(self.early):
                chosen = numbers.index(answer.number)
                if answer.staleness is not None or may_be_applied(
                    versions, chosen, now, self.bound
                ):
                    return self.early.pop(place)
            self.early.append(self.workers.receive(self.tell, self.stopped))

    def _take_buffers(self, answer: Answer, version: int) -> None:
        """The model's statistics are those of the answer from the newest weights. Sums of what all
        workers changed would count a stale change twice, and could make a variance negative."""
        if version < self._counted:
            return
        self._counted = version
        own = dict(self.learner.model.named_buffers())
        for name, value in answer.buffers.items():
            own[name].copy_(value)

    def _install(self, batch: None) -> Mapping[str, Tensor]:
        assert self._answer is not None
        parameters = self.learner.parameters
        for own, gradient in zip(parameters, self._answer.gradients, strict=True):
            own.grad = gradient.to(own.device)
        return {name: torch.tensor(value) for name, value in self._answer.scalars.items()}

    def evaluating(self) -> AbstractContextManager[None]:
        return self.learner.evaluating()

    def state_dict(self) -> dict[str, Any]:
        undone = [task.before for task in self.under_way.values()] + list(self.source.again)
        return {
            **self.learner.state_dict(),
            "undone": undone,
            "staleness": as_pairs(self.counts),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state)
        self.source.again = deque(state.get("undone", []))
        self.counts = Counter(dict(map(tuple, state.get("staleness", []))))

    def close(self) -> None:
        self.workers.close()

    def notes(self) -> list[str]:
        """How stale the gradients were."""
        return [told(self.counts)] if self.counts else []
