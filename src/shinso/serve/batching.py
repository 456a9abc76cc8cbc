"""Requests that come together are answered by one pass of the network.

While a pass runs, the next requests gather; when it ends they go together. On an idle service a
request waits ``max_wait_ms`` at most, and not at all where the one before it came alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Answer = Callable[[Sequence[Any]], Sequence[Any]]


class QueueFull(Exception):
    """More requests wait than may."""


class Stopped(Exception):
    """The service is being stopped."""


@dataclass(eq=False)
class Waiting:
    """A request and where its answer goes."""

    question: Any
    future: asyncio.Future[Any]


class Batcher:
    """Gathers questions and answers them on one thread of its own, many at a time."""

    def __init__(
        self,
        answer: Answer,
        *,
        max_batch: int,
        max_wait_ms: float,
        max_queue: int,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        """answer: one answer for each question, in their order; an answer that is an exception
        belongs to its question alone. on_batch: told of size and seconds of each pass."""
        self.answer, self.on_batch = answer, on_batch
        self.max_batch, self.wait_s, self.max_queue = max_batch, max_wait_ms / 1e3, max_queue
        self.queue: deque[Waiting] = deque()
        self.arrived = asyncio.Event()
        self.stopping = False
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self.task: asyncio.Task[None] | None = None
        self.last_size = 1

    def start(self) -> None:
        """Begin to answer; call it where the event loop runs."""
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Answer what waits, take nothing more."""
        self.stopping = True
        self.arrived.set()
        if self.task is not None:
            await self.task
        self.thread.shutdown(wait=True)

    async def ask(self, question: Any) -> Any:
        """The answer to a question. Raises QueueFull, Stopped, and what answering it raised."""
        if self.stopping:
            raise Stopped
        if len(self.queue) >= self.max_queue:
            raise QueueFull
        waiting = Waiting(question, asyncio.get_running_loop().create_future())
        self.queue.append(waiting)
        self.arrived.set()
        try:
            return await waiting.future
        except asyncio.CancelledError:
            # A client that went away, or whose time is over, must not keep another's place.
            with suppress(ValueError):  # not there any more: its pass runs
                self.queue.remove(waiting)
            raise

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.arrived.wait()
            if not self.queue:
                if self.stopping:
                    return
                self.arrived.clear()
                continue
            # Where the last pass was alone, another request is not to be expected at once.
            if self.last_size > 1 and len(self.queue) < self.max_batch and not self.stopping:
                await asyncio.sleep(self.wait_s)
            batch = self._take()
            if not batch:
                continue
            self.last_size = len(batch)
            started = time.perf_counter()
            try:
                # What is said of a question is said in the language that this service speaks.
                spoken = contextvars.copy_context()
                questions = [one.question for one in batch]
                answers = await loop.run_in_executor(
                    self.thread, lambda c=spoken, q=questions: c.run(self.answer, q)
                )
                if len(answers) != len(batch):
                    raise RuntimeError(f"{len(answers)} answers to {len(batch)} questions")
            except Exception as error:  # whatever went wrong, each request is told
                answers = [error] * len(batch)
            self.on_batch(len(batch), time.perf_counter() - started)
            for one, answer in zip(batch, answers, strict=True):
                if one.future.done():  # the client went away, or its time is over
                    continue
                if isinstance(answer, Exception):
                    one.future.set_exception(answer)
                else:
                    one.future.set_result(answer)

    def _take(self) -> list[Waiting]:
        """The longest waiting, without those whose client went away."""
        batch: list[Waiting] = []
        while self.queue and len(batch) < self.max_batch:
            one = self.queue.popleft()
            if not one.future.done():
                batch.append(one)
        return batch
