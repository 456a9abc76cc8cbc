"""Start the workers of a run on this machine, watch them, and start them again when one dies.

``torchrun`` does this for several machines. For one, this keeps what a user of ``--workers`` needs
and torchrun has not: one terminal that tells of one run, faults that come out as faults, Ctrl-C
that saves, and no worker that outlives whoever started it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from shinso.faults import ExtraFault, Fault, GateFault, Interrupted, RunFault, UsageFault
from shinso.language import _
from shinso.training.parallel.joined import check_free, port_taken
from shinso.training.parallel.place import Place
from shinso.training.stopping import StopRequest

LOST_OTHERS = 75
"""Exit code of a worker that ended because another did not answer."""
INTERRUPTED = 130
GRACE_S = 10.0
"""How long workers may take to end by themselves after one ended or told its fault."""
FAULTS = {kind.exit_code: kind for kind in (UsageFault, RunFault, GateFault, ExtraFault)}


@dataclass(frozen=True, kw_only=True)
class Crewing:
    """How many workers, and how they are treated.

    restarts: how often all are started again from the last checkpoint after one of them was lost.
    timeout_s: a worker that keeps the others waiting longer counts as hung. port: at which they
    meet, 0 for a free one. threads: of each worker, 0 for an even share of the cores.
    """

    workers: int
    restarts: int = 3
    timeout_s: float = 600.0
    port: int = 0
    threads: int = 0


def launch(
    command: Sequence[str],
    crewing: Crewing,
    *,
    logs: Path,
    on_event: Callable[[dict[str, Any]], None],
    stop: StopRequest,
    resume: str,
) -> None:
    """Run ``command`` once for each worker until all are done.

    on_event: what workers say, one JSON object a line on their standard output. logs: folder of
    what they write to standard error. resume: the command line that goes on after Ctrl-C.

    Raises a worker's own fault; RunFault WORKER-LOST when one was lost more than ``restarts``
    times or before the first, who saves, had answered ``stop``; Interrupted after it had;
    RuntimeError for a bug in a worker.
    """
    store = _open_store(crewing)
    place = Place(0, crewing.workers, 0, "127.0.0.1", store.port, True, launched=True)
    lost = ""
    for attempt in range(crewing.restarts + 1):
        crew = _Attempt(command, replace(place, attempt=attempt), crewing, logs, on_event)
        found = crew.run(stop, resume)
        if found is None:
            return
        lost = found
        left = crewing.restarts - attempt
        if stop.asked:
            break
        if left:
            note = _("{lost}; all start again from the last checkpoint ({left} more times)")
            on_event({"notes": [note.format(lost=lost, left=left - 1)]})
    raise RunFault(
        "WORKER-LOST",
        place=str(logs),
        found=lost,
        why=_("it was asked to stop and ended before it had saved")
        if stop.asked
        else _("the workers were started {count} times").format(count=crewing.restarts + 1),
        next_step=_("nothing saved is lost; go on with: {resume}").format(resume=resume),
    )


def _open_store(crewing: Crewing) -> TCPStore:
    check_free("127.0.0.1", crewing.port)
    try:
        return TCPStore(
            "127.0.0.1", crewing.port, None, is_master=True,
            timeout=timedelta(seconds=crewing.timeout_s), wait_for_workers=False,
        )  # fmt: skip
    except RuntimeError as error:
        raise port_taken(crewing.port) from error


class _Attempt:
    """All workers, started once."""

    def __init__(
        self,
        command: Sequence[str],
        place: Place,
        crewing: Crewing,
        logs: Path,
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        self.crewing, self.logs, self.on_event = crewing, logs, on_event
        self.events: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self.faults: dict[int, dict[str, str]] = {}
        self.listeners: list[threading.Thread] = []
        self.workers: list[subprocess.Popen[str]] = []
        logs.mkdir(parents=True, exist_ok=True)
        threads = crewing.threads or max(1, _cores() // crewing.workers)
        for rank in range(crewing.workers):
            own = replace(place, rank=rank, local_rank=rank).environment()
            environment = {**os.environ, **own, "OMP_NUM_THREADS": str(threads)}
            self._start(command, rank, environment)

    def _start(self, command: Sequence[str], rank: int, environment: Mapping[str, str]) -> None:
        with (self.logs / f"worker{rank}.log").open("a") as log:
            worker = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,  # its end tells the worker that we are gone
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C reaches us alone, and we tell each once
            )
        self.workers.append(worker)
        listener = threading.Thread(target=self._listen, args=(rank, worker), daemon=True)
        listener.start()
        self.listeners.append(listener)

    def _listen(self, rank: int, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a library's chatter
            if isinstance(event, dict):
                self.events.put((rank, event))

    def run(self, stop: StopRequest, resume: str) -> str | None:
        """None when all are done; otherwise which worker was lost, and how."""
        told = False
        first_end = None
        try:
            while any(worker.poll() is None for worker in self.workers):
                self._pass_on(0.1)
                if stop.asked and not told:
                    told = True
                    self._tell(signal.SIGINT)
                ended = self.faults or any(worker.poll() for worker in self.workers)
                if first_end is None and ended:
                    first_end = time.monotonic()
                # The first worker saves: cut short, it would leave the checkpoint before.
                saving = told and not self.faults and self.workers[0].poll() is None
                grace = self.crewing.timeout_s if saving else GRACE_S
                if first_end is not None and time.monotonic() - first_end > grace:
                    break
            alive = [rank for rank, one in enumerate(self.workers) if one.poll() is None]
        finally:
            self._end()
        return self._judge(alive, resume)

    def _judge(self, alive: list[int], resume: str) -> str | None:
        codes = [worker.returncode for worker in self.workers]
        if all(code == 0 for code in codes):
            return None
        for fault in self.faults.values():
            raise FAULTS.get(int(fault.pop("exit_code")), Fault)(**fault)
        if codes[0] == INTERRUPTED:
            raise Interrupted(resume)
        ended = {rank: code for rank, code in enumerate(codes) if rank not in alive}
        for rank, code in ended.items():
            if code == 1:
                tail = (self.logs / f"worker{rank}.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"worker {rank} failed\n{tail}")
        for rank, code in ended.items():
            if code not in (0, LOST_OTHERS, INTERRUPTED):
                how = (
                    signal.Signals(-code).name
                    if code < 0
                    else _("exit code {code}").format(code=code)
                )
                return _("worker {rank} died ({how})").format(rank=rank, how=how)
        if alive:
            return _("worker {rank} hung").format(rank=", ".join(map(str, alive)))
        return _("the workers lost each other")

    def _pass_on(self, timeout_s: float) -> None:
        """Hand on what was said; wait up to ``timeout_s`` for the first word."""
        while True:
            try:
                rank, event = self.events.get(timeout=timeout_s)
            except queue.Empty:
                return
            timeout_s = 0.0
            if "fault" in event:
                self.faults.setdefault(rank, event["fault"])
            elif rank == 0:
                self.on_event(event)

    def _tell(self, number: signal.Signals) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(number)

    def _end(self) -> None:
        """No worker outlives this; what was said to the last is handed on."""
        self._tell(signal.SIGKILL)
        for worker in self.workers:
            worker.wait()
        for listener in self.listeners:
            listener.join()
        self._pass_on(0.0)
        for worker in self.workers:
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
