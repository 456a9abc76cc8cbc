"""One run's folder: where each thing lies, which state the run is in.

``runs/forecast/0007-gru/`` with ``config.yaml command.txt status.json log.txt env.json data.json``,
``seed0/`` (metrics, resume state, weights), ``evaluation/``, ``plots/``, ``card.md`` and
``report.html``. The folder needs nothing outside it to predict, evaluate or be shown.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.runs.files import (
    append_line,
    read_json,
    unreadable,
    write_atomically,
    write_fault,
    write_json,
)
from shinso.runs.metrics import MetricsLog

State = Literal["running", "interrupted", "done", "failed"]
COMPRESSION = "compression.json"
"""Of a run that is another one made smaller: which, by what steps, and what it cost."""


def state_words() -> dict[str, str]:
    """The states in the language in use."""
    return {
        "running": _("running"),
        "interrupted": _("interrupted"),
        "done": _("done"),
        "failed": _("failed"),
        "damaged": _("damaged"),
    }


@dataclass(frozen=True)
class SeedFolder:
    """What one seed of a run keeps."""

    path: Path
    seed: int

    @property
    def metrics(self) -> MetricsLog:
        return MetricsLog(self.path / "metrics.jsonl")

    @property
    def best_weights(self) -> Path:
        return self.path / "weights" / "best.safetensors"

    def save_resume(self, state: dict[str, Any]) -> None:
        """Keep the state from which this seed goes on (``runs.checkpoint``)."""
        from shinso.runs.checkpoint import save_resume

        save_resume(self.path, state)

    def load_resume(self, *, previous: bool = False) -> dict[str, Any]:
        from shinso.runs.checkpoint import load_resume

        return load_resume(self.path, previous=previous)

    @property
    def result(self) -> Path:
        """Final numbers of this seed; present only when the seed is done."""
        return self.path / "result.json"


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds (or will hold) a run."""

    path: Path

    @classmethod
    def create(cls, root: Path, task: str, label: str) -> RunFolder:
        """A new folder ``root/task/NNNN-label``; the number is one above the highest there.

        Two processes that start together get two numbers: making the folder decides.
        """
        parent = root / task
        try:
            parent.mkdir(parents=True, exist_ok=True)
            number = next_number(parent) - 1
            while True:
                number += 1
                path = parent / f"{number:04d}-{label}"
                if any(_number(other) == number for other in parent.iterdir()):
                    continue
                try:
                    path.mkdir()
                    return cls(path)
                except FileExistsError:
                    continue
        except OSError as error:
            other = _("choose another folder with --runs, or mend its permissions")
            raise write_fault(parent, error, 0, next_step=other) from error

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run; RunFault RUN-NOT-FOUND with what to do otherwise."""
        if not _exists(path / "status.json"):
            raise RunFault(
                "RUN-NOT-FOUND",
                place=str(path),
                why=_("a run folder has a status.json"),
                next_step=_("see which runs there are: shinso runs list"),
            )
        return cls(path)

    @classmethod
    def all_below(cls, root: Path) -> Iterator[RunFolder]:
        """Every run below ``root``, by task and number; those made smaller from one are its own."""
        for status in sorted(root.glob("*/*/status.json")):
            yield cls(status.parent)

    @classmethod
    def all_with_compressed(cls, root: Path) -> Iterator[RunFolder]:
        """The same, each followed by those made smaller from it, and from these."""
        for run in cls.all_below(root):
            yield run
            yield from cls.all_with_compressed(run.path)

    def seed(self, seed: int) -> SeedFolder:
        return SeedFolder(self.path / f"seed{seed}", seed)

    def seeds_done(self) -> list[int]:
        """Seeds whose training and evaluation are finished, in order."""
        return _seeds(path.parent for path in self.path.glob("seed*/result.json"))

    def seeds_with_weights(self) -> list[int]:
        """Seeds that have weights to use, finished or not, in order."""
        found = self.path.glob("seed*/weights/best.safetensors")
        return _seeds(path.parent.parent for path in found)

    def set_status(self, state: State, **more: Any) -> None:
        """Record the run's state, with the command that goes on from it."""
        write_json(
            self.path / "status.json",
            {
                "state": state,
                "resume": self.resume_line(),
                "pid": os.getpid(),
                "pid_began": process_began(os.getpid()),
                **more,
            },
        )

    def status(self) -> dict[str, Any]:
        """The recorded state; a "running" whose process is gone reads "interrupted".

        Raises RunFault RUN-FILE-MISSING, RUN-FILE-UNREADABLE.
        """
        path = self.path / "status.json"
        status = read_json(path)
        if not isinstance(status, dict) or not isinstance(status.get("state"), str):
            raise unreadable(path, _("no state is in it"))
        if status["state"] == "running" and not _at_work(status):
            status["state"] = "interrupted"
        return status

    def state(self) -> str:
        """The state's name; "damaged" where it cannot be read, so that a list of runs goes on."""
        try:
            return self.status()["state"]
        except RunFault:
            return "damaged"

    def refuse_in_use(self) -> None:
        """UsageFault RUN-IN-USE while its process is at work."""
        if self.status()["state"] == "running":
            raise UsageFault(
                "RUN-IN-USE",
                place=str(self.path),
                why=_("a process is training in this folder"),
                next_step=_("stop it first (Ctrl-C)"),
            )

    @property
    def compressed(self) -> bool:
        """Whether it is another run made smaller, and not trained from the start."""
        return (self.path / COMPRESSION).exists()

    def resume_line(self) -> str:
        """The command that goes on with the run."""
        verb = "compress" if self.compressed else "train"
        return shlex.join(["shinso", verb, "--resume", str(self.path)])

    def log(self, text: str) -> None:
        """Add a line to log.txt, with the time before it."""
        time = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        append_line(self.path / "log.txt", f"{time}  {' '.join(text.split())}")

    def write_text(self, name: str, text: str) -> Path:
        path = self.path / name
        write_atomically(path, text)
        return path

    def write_json(self, name: str, content: dict[str, Any] | list[Any]) -> Path:
        path = self.path / name
        write_json(path, content)
        return path

    def read_json(self, name: str) -> Any:
        return read_json(self.path / name)

    def remove(self) -> None:
        """Delete the run; refused while its process is at work, not where its state is damaged."""
        if self.state() != "damaged":
            self.refuse_in_use()
        shutil.rmtree(self.path)


def _number(path: Path) -> int:
    match = re.match(r"(\d+)-", path.name)
    return int(match.group(1)) if match else 0


def next_number(folder: Path) -> int:
    """One above the highest number that a name in ``folder`` begins with: ``0007-new.json``."""
    return max((_number(path) for path in folder.glob("*")), default=0) + 1


def _seeds(folders: Iterable[Path]) -> list[int]:
    # A copy that someone laid beside a seed, such as seed0.bak, is none.
    found = (re.fullmatch(r"seed(\d+)", folder.name) for folder in folders)
    return sorted(int(match.group(1)) for match in found if match)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is too long for a file's name is no file
        return False


def _at_work(status: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a status still is. Its number alone does not say so: numbers
    are given again, and in a container the first process always has the same."""
    pid = status.get("pid")
    if not isinstance(pid, int) or not is_alive(pid):
        return False
    began = status.get("pid_began")
    if began is None:
        return pid != os.getpid()
    return process_began(pid) in (began, None)


def process_began(pid: int) -> int | None:
    """When a process was started, in ticks since the machine was; None where no /proc tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # The program's name may hold spaces and brackets; the start is the 20th after it.
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has the number."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
