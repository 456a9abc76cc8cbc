"""Processes that measure: one thread each, one measurement at a time.

Each is spawned afresh, so that nothing of the parent leaks in, and every random generator is
seeded before every measurement: the numbers depend on the seed alone, whatever the number of
workers and whatever a worker measured before. Ctrl-C is the parent's affair: workers ignore it,
and end when the parent does, however it ended.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from shinso.claims.schedule import Task
from shinso.runs.ledger import Number, plain

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class Order:
    """A task as it is sent: where its function is found instead of the function itself."""

    module: str
    function: str
    seed: int
    control: bool
    profile: str


@dataclass(frozen=True)
class Answer:
    """What a measurement gave: numbers, or else an error with its traceback."""

    numbers: dict[str, Number] | None
    error: str
    seconds: float


class Worker:
    """One process and what it is measuring now."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs,), name="shinso-claims")
        with _ctrl_c_held_back():
            self.process.start()
        theirs.close()
        self.task: Task | None = None
        self._begun = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the present task was sent."""
        return time.monotonic() - self._begun

    def send(self, task: Task) -> None:
        """Begin ``task``; its ``measure`` must be importable under its own name."""
        self.task, self._begun = task, time.monotonic()
        measure = task.claim.measure
        with contextlib.suppress(BrokenPipeError):  # it has died; ``receive`` will say so
            self.connection.send(
                Order(measure.__module__, measure.__name__, task.seed, task.control, task.profile)
            )

    def receive(self) -> Answer | None:
        """The answer; None where the process ended without one."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(timeout=5)
            return None

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection) -> None:
    """The life of a worker: measure what comes until the parent hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            order = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(_measure(order))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measure(order: Order) -> Answer:
    begun = time.perf_counter()
    try:
        measure = getattr(importlib.import_module(order.module), order.function)
        _seed_everything(order.seed)
        numbers = plain(measure(order.seed, order.control, order.profile))
        return Answer(numbers, "", time.perf_counter() - begun)
    except Exception:
        return Answer(None, traceback.format_exc(), time.perf_counter() - begun)


def _seed_everything(seed: int) -> None:
    """Also those generators that a claim should not use: a slip must not make it irreproducible."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the global one is meant
    torch.manual_seed(seed)


@contextlib.contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Ctrl-C waits until the block is left; a process started in it is born with SIGINT blocked,
    so that it cannot die of one before it learns to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would lift the block when first started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
