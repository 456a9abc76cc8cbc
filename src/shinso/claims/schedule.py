"""What is left to measure, in which order, and how long it will take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shinso.claims.claim import Claim, Profile
from shinso.runs.ledger import Record

LIMIT_FACTOR = 10.0
LIMIT_FLOOR_S = 300.0


@dataclass(frozen=True)
class Task:
    """One measurement to make: a claim, a seed, with the cause or without it (control)."""

    claim: Claim
    seed: int
    control: bool
    profile: Profile

    @property
    def expected_s(self) -> float:
        """The share of the claim's budget that falls to one measurement."""
        return self.claim.budget_s[self.profile] / (2 * self.claim.seeds[self.profile])

    @property
    def limit_s(self) -> float:
        """Seconds after which it is ended: ten times its share, and never less than five minutes.

        Seconds of the clock: a machine that others keep busy takes many times its share without
        being stuck, and one measurement that is stuck costs its claim no second wait.
        """
        return max(LIMIT_FLOOR_S, LIMIT_FACTOR * self.expected_s)


def tasks(claim: Claim, profile: Profile) -> list[Task]:
    """All measurements of a claim: every seed from 0 on, first with the cause, then without."""
    seeds = range(claim.seeds[profile])
    return [Task(claim, seed, control, profile) for control in (False, True) for seed in seeds]


def missing(claim: Claim, profile: Profile, records: Iterable[Record]) -> list[Task]:
    """The tasks that no record answers."""
    present = {(record.seed, record.control) for record in records if record.profile == profile}
    return [task for task in tasks(claim, profile) if (task.seed, task.control) not in present]


def longest_first(waiting: Sequence[Task]) -> list[Task]:
    """The order to measure in: no long measurement begins when the others are nearly done."""
    return sorted(waiting, key=lambda task: -task.expected_s)


class Pace:
    """How long measurements take: each claim's own mean once it is known, else its budget times
    the ratio in which the known ones stand to theirs."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, bool], list[float]] = {}
        self._taken_s = 0.0
        self._expected_s = 0.0

    def add(self, task: Task, seconds: float) -> None:
        """Learn that ``task`` took ``seconds``."""
        self._taken.setdefault((task.claim.name, task.control), []).append(seconds)
        self._taken_s += seconds
        self._expected_s += task.expected_s

    def guess_s(self, task: Task) -> float:
        """Seconds that ``task`` will take."""
        for control in (task.control, not task.control):
            known = self._taken.get((task.claim.name, control))
            if known:
                return math.fsum(known) / len(known)
        ratio = self._taken_s / self._expected_s if self._expected_s else 1.0
        return task.expected_s * ratio

    def left_s(
        self, waiting: Iterable[Task], running: Iterable[tuple[Task, float]], workers: int
    ) -> float:
        """Seconds until ``workers`` processes are done with all; running tasks come with the
        seconds they have taken so far."""
        rest = [max(0.0, self.guess_s(task) - elapsed) for task, elapsed in running]
        ahead = [self.guess_s(task) for task in waiting]
        return max([math.fsum(rest + ahead) / workers, *rest, *ahead], default=0.0)
