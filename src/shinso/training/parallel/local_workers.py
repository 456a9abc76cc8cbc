"""Workers of an asynchronous run as processes of this machine.

``LocalWorkers`` compute gradients for the server. ``HogwildWorkers`` change the weights, which lie
in shared memory, themselves and without a lock (Recht, Ré, Wright & Niu 2011): an update may
overwrite part of another, which the paper shows to be harmless where updates rarely meet.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, final

import torch
from torch import Tensor, nn

from shinso.contracts import Objective
from shinso.training.gradient import GradientLearner, OwnGradients
from shinso.training.parallel.asynchronous import (
    LOOK_S,
    Answer,
    Patience,
    Task,
    answered,
    never,
    tell_nobody,
)
from shinso.training.parallel.together import PRELOADED
from shinso.training.plan import Training
from shinso.training.stopping import StepStopped


@contextmanager
def _no_script() -> Iterator[None]:
    """Within, a process that is started does not run the program's script first, as multiprocessing
    has it do: all that workers need is imported by name, and a script without
    ``if __name__ == "__main__"`` would train again in each of them."""
    script = sys.modules["__main__"]
    hidden = {name: vars(script)[name] for name in ("__file__", "__spec__") if name in vars(script)}
    vars(script).update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        vars(script).update(hidden)


@dataclass(frozen=True)
class Job:
    """What a worker needs to know once: the model (whose weights lie in shared memory), the
    objective, the training, and for Hogwild the optimizer's shared state and the count of updates.
    """

    model: nn.Module
    objective: Objective[Any]
    training: Training
    seed: int
    moments: list[dict[str, Tensor]] | None = None
    updates: Any = None


class _Processes:
    """Processes with a pipe each, started again when they die.

    timeout_s: a worker that takes longer for a task is hung and is replaced. in_order: answers are
    taken in the order of their tasks, not of their arrival: staleness is then the same in every
    run, at the price of waiting for the slowest.
    """

    def __init__(
        self, job: Job, size: int, *, timeout_s: float = float("inf"), in_order: bool = False
    ) -> None:
        self.job, self.size, self.in_order = job, size, in_order
        self.patience = Patience(size, timeout_s)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        self._sent: dict[int, Any] = {}
        self._answers: queue.Queue[tuple[Any, int, Any]] = queue.Queue()
        self._come: dict[int, tuple[Answer, str]] = {}
        self._order: deque[int] = deque()
        self.pipes: list[Connection] = []
        self.processes: list[Any] = []
        for rank in range(size):
            pipe, process = self._start(rank)
            self.pipes.append(pipe)
            self.processes.append(process)

    def _start(self, rank: int) -> tuple[Connection, Any]:
        import torch.multiprocessing  # noqa: F401  teaches pickle to share tensors

        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self.job, rank), daemon=True)
        with _no_script():
            process.start()
        theirs.close()
        return ours, process

    def _give(self, task: Task, message: Any) -> None:
        rank = next(rank for rank in range(self.size) if rank not in self._sent)
        self._sent[rank] = message
        self._order.append(rank)
        self._ask(rank)

    def _ask(self, rank: int) -> None:
        """Send a worker its task and wait for the answer, in a thread: a worker that hangs may do so
        before it has read the one or written all of the other."""
        self.patience.begins(rank)
        pipe, process, message = self.pipes[rank], self.processes[rank], self._sent[rank]

        def ask() -> None:
            try:
                pipe.send(message)
                found = pipe.recv()
            except (EOFError, OSError):
                found = None
            self._answers.put((process, rank, found))

        threading.Thread(target=ask, daemon=True).start()

    def _replace(self, rank: int, *, hung: bool = False) -> None:
        """A worker has died or hangs: another takes its place and its task."""
        self.patience.replaced(rank, hung=hung)
        self.processes[rank].kill()
        self.processes[rank].join()
        self.pipes[rank], self.processes[rank] = self._start(rank)
        self._ask(rank)

    def receive(
        self, tell: Callable[[str], None] = tell_nobody, stopped: Callable[[], bool] = never
    ) -> Answer:
        while True:
            self.patience.speak(tell)
            first = self._order[0] if self.in_order else next(iter(self._come), None)
            if first in self._come:
                break
            try:
                process, rank, found = self._answers.get(timeout=LOOK_S)
            except queue.Empty:
                if stopped():
                    raise StepStopped from None
                for rank in self.patience.hung():
                    self._replace(rank, hung=True)
                continue
            if process is not self.processes[rank]:
                continue  # the end of one that was replaced
            if found is None:
                self._replace(rank)
                continue
            self.patience.answers(rank)
            self._come[rank] = found
        answer, error = self._come.pop(first)
        if error:
            raise RuntimeError(f"worker {first}: {error}")
        del self._sent[first]
        self._order.remove(first)
        return answer

    def close(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.kill()  # they keep nothing that would be lost
        for process in self.processes:
            process.join()


@final
class LocalWorkers(_Processes):
    """Gradients from a copy of the weights at the moment of sending."""

    def __init__(self, learner: GradientLearner[Any], size: int, seed: int, **more: Any) -> None:
        self.learner = learner
        job = Job(learner.model, learner.objective, learner.training, seed)
        super().__init__(job, size, **more)

    def send(self, task: Task, step: int) -> None:
        state = self.learner.model.state_dict()
        weights = {name: one.detach().cpu().numpy().copy() for name, one in state.items()}
        self._give(task, (task.number, step, weights, task.batch))


@final
class HogwildWorkers(_Processes):
    """Weights and the optimizer's moments in shared memory, changed by all."""

    def __init__(self, learner: GradientLearner[Any], size: int, seed: int, **more: Any) -> None:
        learner.model.share_memory()
        moments = _shared_moments(learner)
        updates = torch.zeros(1, dtype=torch.int64).share_memory_()
        job = Job(learner.model, learner.objective, learner.training, seed, moments, updates)
        super().__init__(job, size, **more)

    def send(self, task: Task, step: int) -> None:
        self._give(task, (task.number, step, None, task.batch))


def _shared_moments(learner: GradientLearner[Any]) -> list[dict[str, Tensor]]:
    """The optimizer's state of each parameter, begun if it has none yet, in shared memory."""
    optimizer = learner.optimizer
    if not optimizer.state:
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        for parameter in learner.parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()  # at rate 0 this makes the moments, all zero, and moves nothing
        for state in optimizer.state.values():
            if "step" in state:
                state["step"].zero_()
    found = []
    for parameter in learner.parameters:
        state = optimizer.state[parameter]
        for value in state.values():
            if isinstance(value, Tensor):
                value.share_memory_()
        found.append({k: v for k, v in state.items() if isinstance(v, Tensor)})
    return found


def _serve(pipe: Connection, job: Job, rank: int) -> None:
    """The life of a worker: gradients of what comes until the server hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's: it saves and ends all
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    torch.manual_seed(job.seed + 1_000_003 * (rank + 1))
    work = _hogwild(job) if job.moments is not None else _gradients(job)
    while True:
        try:
            message = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            pipe.send((work(*message), ""))
        except BrokenPipeError:
            return
        except Exception:
            pipe.send((None, traceback.format_exc()))


def _gradients(job: Job) -> Any:
    # The model came by shared memory; a server's worker computes on a copy of its own.
    import copy

    compute = OwnGradients(copy.deepcopy(job.model), job.objective, job.training)

    def work(number: int, step: int, weights: dict[str, Any], batch: Any) -> Answer:
        state = {name: torch.from_numpy(one) for name, one in weights.items()}
        return answered(compute, number, state, batch)

    return work


def _hogwild(job: Job) -> Any:
    assert job.moments is not None
    learner = GradientLearner(job.model, job.objective, job.training)
    for parameter, state in zip(learner.parameters, job.moments, strict=True):
        learner.optimizer.state[parameter] = state

    def work(number: int, step: int, weights: None, batch: Any) -> Answer:
        began = int(job.updates)
        learner.steps_taken = step
        scalars = {name: float(value) for name, value in learner.step(batch).items()}
        staleness = int(job.updates) - began
        job.updates.add_(1)  # not atomic: a lost count makes one staleness one too small
        return Answer(number, scalars, [], staleness)

    return work


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
