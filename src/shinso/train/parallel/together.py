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
from torch.distributed.distributed_c10d import TCPStore

from shinso.train.parallel.joined import JoinedCrew, joined
from shinso.train.parallel.place import Place

PRELOADED = ["torch", "torch._dynamo", "torch.nn.parallel", "shinso.train.parallel.synchronous"]
"""Imported once by a process from which all others are forked: a start then takes milliseconds."""


def run_together(
    function: Callable[..., Any], size: int, *arguments: Any, timeout_s: float = 120.0
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
            target=_work, args=(theirs, place, function, arguments, timeout_s), daemon=False
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
    while len(answers) < len(pipes):
        open_pipes = [one for rank, one in enumerate(pipes) if rank not in answers]
        ready = wait(open_pipes, timeout=max(0.0, deadline - time.monotonic()))
        if not ready:
            raise RuntimeError("the workers did not answer in time")
        for pipe in ready:
            rank = pipes.index(pipe)  # pyright: ignore[reportArgumentType]
            try:
                answer, error = pipes[rank].recv()
            except EOFError:
                raise RuntimeError(f"worker {rank} ended without an answer") from None
            if error:
                raise RuntimeError(f"worker {rank}: {error}")
            answers[rank] = answer
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
        with _crew(place, timeout_s) as crew:
            answer = function(crew, *arguments)
        pipe.send((answer, ""))
    except Exception:
        pipe.send((None, traceback.format_exc()))


def _crew(place: Place, timeout_s: float) -> Any:
    return joined(place, torch.device("cpu"), timeout_s)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


__all__ = ["JoinedCrew", "run_together"]
