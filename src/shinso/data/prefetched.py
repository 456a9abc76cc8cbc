"""Batches made ahead on another thread, so that training does not wait for its data."""

from __future__ import annotations

import queue
import threading
from typing import Any, Generic

from shinso.contracts import BatchOut, Source


class Prefetched(Generic[BatchOut]):
    """Wraps a source that only this object draws from.

    Its state is that of the last batch handed out, not of those already made: a resumed run makes
    them again. The thread starts with the first batch and ends with this object's last user.
    """

    def __init__(self, source: Source[BatchOut], ahead: int = 3) -> None:
        """ahead: batches that are kept ready."""
        self.source = source
        self.ahead = ahead
        self._state = source.state_dict()
        self._ready: queue.Queue[Any] = queue.Queue(ahead)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def next_batch(self) -> BatchOut:
        if self._thread is None:
            self._start()
        batch, state, error = self._ready.get()
        if error is not None:
            self._halt()
            raise error
        self._state = state
        return batch

    def state_dict(self) -> dict[str, Any]:
        return self._state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._halt()
        self.source.load_state_dict(state)
        self._state = state

    def _start(self) -> None:
        self._ready = queue.Queue(self.ahead)
        self._stop = threading.Event()
        # The thread holds what it works with, not this object, which may then be collected.
        self._thread = threading.Thread(
            target=_make, args=(self.source, self._ready, self._stop), daemon=True
        )
        self._thread.start()

    def _halt(self) -> None:
        self._stop.set()
        if self._thread is not None:
            while self._thread.is_alive():
                try:  # room in the queue lets the thread see that it shall stop
                    self._ready.get_nowait()
                except queue.Empty:
                    self._thread.join(0.01)
            self._thread = None

    def __del__(self) -> None:
        self._stop.set()


def _make(source: Source[Any], ready: queue.Queue[Any], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            made = (source.next_batch(), source.state_dict(), None)
        except BaseException as error:  # raised again where the batch is asked for
            made = (None, None, error)
        while not stop.is_set():
            try:
                ready.put(made, timeout=0.2)
                break
            except queue.Full:
                continue
        if made[2] is not None:
            return
