"""Ctrl-C: the first asks the loop to save and stop, the second leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType


class StepStopped(Exception):
    """A learner that had to wait was asked to stop; the step it was in has changed nothing."""


class StopRequest:
    """Within ``with StopRequest() as stop`` the first SIGINT or SIGTERM sets ``stop.asked``.

    A second one ends the process with 130 and saves nothing more. Outside the main thread,
    where Python delivers no signals, only ``ask`` sets it.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, object] = {}

    def ask(self) -> None:
        self.asked = True

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.asked:
            os._exit(130)
        self.asked = True

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
