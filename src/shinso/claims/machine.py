"""The claims machine: measures what is missing, keeps each number the moment it is there.

A measurement that is in the ledger and not stale is never repeated, so that a machine stopped
anywhere goes on where it was. One that raises, dies or does not end is recorded with its reason,
and the others go on.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Literal

from shinso.claims.claim import Claim, Profile
from shinso.claims.schedule import Pace, Task, longest_first, missing, tasks
from shinso.claims.workers import Answer, Worker
from shinso.faults import Interrupted
from shinso.language import _
from shinso.runs.environment import versions
from shinso.runs.ledger import Failure, Ledger, Record, now
from shinso.training.stopping import StopRequest

Kind = Literal["set aside", "kept", "started", "done", "failed", "skipped"]
POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Something happened to one measurement.

    kind: ``set aside`` (stale or damaged evidence was moved to ``detail``), ``kept`` (measured
    before), ``started``, ``done``, ``failed`` (``detail`` says why), ``skipped`` (another seed of
    the claim failed, so its verdict is open anyway).
    seed: None for ``set aside``, which is about the whole claim.
    done, total: measurements dealt with, of all that the claims ask for.
    seconds: what this measurement took; remaining_s: an estimate for all that is left.
    """

    kind: Kind
    claim: str
    seed: int | None
    control: bool
    done: int
    total: int
    seconds: float
    remaining_s: float
    detail: str = ""


def run(
    claims: Sequence[Claim],
    ledger: Ledger,
    profile: Profile,
    *,
    workers: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    resume: str | None = None,
    limit_s: float | None = None,
) -> None:
    """Measure what ``claims`` lack in ``ledger``; stale and damaged evidence is set aside first.

    workers: processes, by default one for each core; the numbers do not depend on it.
    stop: asked several times a second; a true answer does what Ctrl-C does.
    resume: the command that goes on from an interruption.
    limit_s: seconds allowed to one measurement instead of ``Task.limit_s``.

    The first Ctrl-C ends the workers, keeps what is saved and raises Interrupted; the second
    leaves the process at once with exit code 130, and the workers follow. Called outside the
    main thread it cannot see Ctrl-C: give ``stop``.
    """
    machine = _Machine(ledger, profile, on_progress or (lambda progress: None), limit_s)
    machine.plan(claims)
    names = " ".join(claim.name for claim in claims)
    again = resume or f"shinso claims run {names} --{profile}"
    with StopRequest() as asked:
        try:
            machine.work(workers or _cores(), lambda: asked.asked or bool(stop and stop()))
        except _StoppedError:
            raise Interrupted(again) from None
        finally:
            machine.end()


class _StoppedError(Exception):
    """The user asked for an end."""


class _Machine:
    """The state of one run: what waits, what is at work, how fast it goes."""

    def __init__(
        self,
        ledger: Ledger,
        profile: Profile,
        on_progress: Callable[[Progress], None],
        limit_s: float | None,
    ) -> None:
        self.ledger = ledger
        self.profile: Profile = profile
        self.on_progress = on_progress
        self.limit_s = limit_s
        self.versions = versions()
        self.waiting: deque[Task] = deque()
        self.workers: list[Worker] = []
        self.num_workers = 1
        self.pace = Pace()
        self.total = 0
        self.dealt_with = 0

    def plan(self, claims: Sequence[Claim]) -> None:
        """Find out what is missing; say what was set aside and what is kept."""
        self.total = sum(len(tasks(claim, self.profile)) for claim in claims)
        moved: list[tuple[Claim, Path]] = []
        kept: list[tuple[Task, float]] = []
        waiting: list[Task] = []
        for claim in claims:
            aside = self.ledger.set_aside_damaged(claim.name) + self.ledger.set_aside_stale(claim)
            moved += [(claim, path) for path in aside]
            records = self.ledger.records(claim.name, self.profile)
            waiting += missing(claim, self.profile, records)
            taken_s = {(record.seed, record.control): record.seconds for record in records}
            kept += [
                (task, taken_s[task.seed, task.control])
                for task in tasks(claim, self.profile)
                if (task.seed, task.control) in taken_s
            ]
        self.waiting = deque(longest_first(waiting))
        for task, seconds in kept:
            self.pace.add(task, seconds)
        for claim, path in moved:
            self._tell("set aside", claim, None, False, detail=str(path))
        for task, seconds in kept:
            self.dealt_with += 1
            self._tell("kept", task.claim, task.seed, task.control, seconds)

    def work(self, num_workers: int, stop: Callable[[], bool]) -> None:
        """Measure until nothing waits. Raises _StoppedError as soon as ``stop`` says so."""
        self.num_workers = max(1, min(num_workers, len(self.waiting)))
        while self.waiting or any(worker.task for worker in self.workers):
            if stop():
                self._collect(0.0)  # what is finished already is kept
                raise _StoppedError
            self._give_out()
            self._collect(POLL_S)
            self._end_overdue()

    def end(self) -> None:
        """No process outlives the run."""
        for worker in self.workers:
            worker.kill()
        self.workers.clear()

    def _give_out(self) -> None:
        while self.waiting:
            free = next((worker for worker in self.workers if worker.task is None), None)
            if free is None and len(self.workers) < self.num_workers:
                free = Worker()
                self.workers.append(free)
            if free is None:
                return
            task = self.waiting.popleft()
            free.send(task)
            self._tell("started", task.claim, task.seed, task.control)

    def _collect(self, timeout_s: float) -> None:
        """Keep what finished within ``timeout_s``."""
        busy = {worker.connection: worker for worker in self.workers if worker.task}
        for connection in wait(list(busy), timeout=timeout_s):
            worker = busy[connection]  # type: ignore[index]
            task, elapsed = worker.task, worker.elapsed_s
            assert task is not None
            answer = worker.receive()
            worker.task = None
            if answer is None:
                code = worker.process.exitcode
                self._replace(worker)
                why = _("the process that measured it ended by itself, with exit code {code}")
                answer = Answer(None, why.format(code=code), elapsed)
            self._keep(task, answer)

    def _end_overdue(self) -> None:
        for worker in list(self.workers):
            task = worker.task
            limit_s = self.limit_s or (task.limit_s if task else 0.0)
            if task is None or worker.elapsed_s <= limit_s:
                continue
            elapsed = worker.elapsed_s
            self._replace(worker)
            why = _("ended after {seconds:.0f} s: it may take {limit:g} s at most")
            self._keep(task, Answer(None, why.format(seconds=elapsed, limit=limit_s), elapsed))

    def _replace(self, worker: Worker) -> None:
        worker.kill()
        self.workers.remove(worker)

    def _keep(self, task: Task, answer: Answer) -> None:
        self.dealt_with += 1
        about = {
            "claim": task.claim.name, "profile": task.profile, "seed": task.seed,
            "control": task.control, "seconds": answer.seconds, "versions": self.versions,
            "sha256": task.claim.source_sha256, "time": now(),
        }  # fmt: skip
        if answer.numbers is not None:
            self.ledger.save(Record(**about, numbers=answer.numbers, threads=1))
            self.pace.add(task, answer.seconds)
            self._tell("done", task.claim, task.seed, task.control, answer.seconds)
            return
        self.ledger.save_failure(Failure(**about, error=answer.error))
        last = answer.error.strip().splitlines()[-1]
        self._tell("failed", task.claim, task.seed, task.control, answer.seconds, last)
        self._skip(task.claim)

    def _skip(self, claim: Claim) -> None:
        """With one seed lacking the verdict is open; the claim's others would be time lost."""
        skipped = [task for task in self.waiting if task.claim.name == claim.name]
        self.waiting = deque(task for task in self.waiting if task not in skipped)
        for task in skipped:
            self.dealt_with += 1
            self._tell("skipped", claim, task.seed, task.control)

    def _tell(
        self,
        kind: Kind,
        claim: Claim,
        seed: int | None,
        control: bool,
        seconds: float = 0.0,
        detail: str = "",
    ) -> None:
        running = [(w.task, w.elapsed_s) for w in self.workers if w.task]
        self.on_progress(
            Progress(
                kind=kind,
                claim=claim.name,
                seed=seed,
                control=control,
                done=self.dealt_with,
                total=self.total,
                seconds=seconds,
                remaining_s=self.pace.left_s(self.waiting, running, self.num_workers),
                detail=detail,
            )
        )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
