"""Run one function in several processes of this machine and bring their answers back.

For what is measured across processes (claims, benchmarks, the planner's calibration) without a run
folder. The processes end with the one that asked, however that ended.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from shinso.training.parallel.joined import joined
from shinso.training.parallel.place import Place

PRELOADED = ["torch", "torch._dynamo", "torch.nn.parallel", "shinso.training.parallel.synchronous"]
"""Imported once by a process from which all others are forked: a start then takes milliseconds."""

OTHERS_S = 5.0
"""How long the others may take to say what they know of one's failure."""


def run_together(
    function: Callable[..., Any], size: int, *arguments: Any, timeout_s: float = 300.0
) -> list[Any]:
    """``function(crew, *arguments)`` at ``size`` workers of one thread each; answers by rank.

    function: one that can be imported by its name. Answers are plain values; tensors travel as
    numpy arrays. Raises RuntimeError with a worker's traceback, or where one ended without a word.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    store = TCPStore(
        "127.0.0.1", 0, None, is_master=True,
        timeout=timedelta(seconds=timeout_s), wait_for_workers=False,
    )  # fmt: skip
    pipes, workers = [], []
    for rank in range(size):
        place = Place(rank, size, rank, "127.0.0.1", store.port, True)
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(
            target=_work, args=(theirs, place, function, arguments, timeout_s), daemon=True
        )
        worker.start()
        theirs.close()
        pipes.append(ours)
        workers.append(worker)
    try:
        return _answers(pipes, time.monotonic() + timeout_s)
    finally:
        for worker in workers:
            worker.join(1.0)
            if worker.is_alive():
                worker.kill()
                worker.join()


def _answers(pipes: list[Connection], deadline: float) -> list[Any]:
    answers: dict[int, Any] = {}
    errors: dict[int, str] = {}
    while len(answers) + len(errors) < len(pipes):
        waiting = [pipe for r, pipe in enumerate(pipes) if r not in answers and r not in errors]
        ready = wait(waiting, timeout=max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        for pipe in ready:
            rank = pipes.index(pipe)  # pyright: ignore[reportArgumentType]
            try:
                answer, error = pipes[rank].recv()
            except EOFError:
                answer, error = None, "ended without an answer"
            if error:
                errors[rank] = error
                deadline = min(deadline, time.monotonic() + OTHERS_S)
            else:
                answers[rank] = answer
    if errors:  # a worker that lost another one says less than that one
        rank = min(errors, key=lambda r: ("WORKER-LOST" in errors[r], r))
        raise RuntimeError(f"worker {rank}: {errors[rank]}")
    if len(answers) < len(pipes):
        raise RuntimeError("the workers did not answer in time")
    return [answers[rank] for rank in range(len(pipes))]


def _work(
    pipe: Connection,
    place: Place,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    timeout_s: float,
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    torch.manual_seed(place.rank)
    try:
        with joined(place, torch.device("cpu"), timeout_s) as crew:
            answer = function(crew, *arguments)
        pipe.send((answer, ""))
    except Exception:
        pipe.send((None, traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
