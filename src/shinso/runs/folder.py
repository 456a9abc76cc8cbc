"""One run's folder: where each thing lies, which state the run is in.

``runs/forecast/0007-gru/`` with ``config.yaml command.txt status.json env.json data.json``,
``seed0/`` (metrics, resume state, weights), ``evaluation/``, ``plots/``, ``card.md`` and
``report.html``. The folder needs nothing outside it to predict, evaluate or be shown.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.runs.files import append_line, read_json, write_atomically, write_fault, write_json
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
            number = max((_number(path) for path in parent.iterdir()), default=0)
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
            raise write_fault(parent, error, 0) from error

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run; RunFault RUN-NOT-FOUND with what to do otherwise."""
        if not (path / "status.json").exists():
            raise RunFault(
                "RUN-NOT-FOUND",
                place=str(path),
                why=_("a run folder has a status.json"),
                next_step=_("see which runs there are: shinso runs list"),
            )
        return cls(path)

    @classmethod
    def all_below(cls, root: Path) -> Iterator[RunFolder]:
        """Every run below ``root``, by task and number."""
        for status in sorted(root.glob("*/*/status.json")):
            yield cls(status.parent)

    def seed(self, seed: int) -> SeedFolder:
        return SeedFolder(self.path / f"seed{seed}", seed)

    def seeds_done(self) -> list[int]:
        """Seeds whose training and evaluation are finished, in order."""
        found = [int(path.parent.name[4:]) for path in self.path.glob("seed*/result.json")]
        return sorted(found)

    def seeds_with_weights(self) -> list[int]:
        """Seeds that have weights to use, finished or not, in order."""
        found = self.path.glob("seed*/weights/best.safetensors")
        return sorted(int(path.parent.parent.name[4:]) for path in found)

    def set_status(self, state: State, **more: Any) -> None:
        """Record the run's state, with the command that goes on from it."""
        write_json(
            self.path / "status.json",
            {"state": state, "resume": self.resume_line(), "pid": os.getpid(), **more},
        )

    def status(self) -> dict[str, Any]:
        """The recorded state; a "running" whose process is gone reads "interrupted"."""
        status = read_json(self.path / "status.json")
        if status.get("state") == "running" and not is_alive(int(status.get("pid", 0))):
            status["state"] = "interrupted"
        return status

    @property
    def compressed(self) -> bool:
        """Whether it is another run made smaller, and not trained from the start."""
        return (self.path / COMPRESSION).exists()

    def resume_line(self) -> str:
        """The command that goes on with the run."""
        verb = "compress" if self.compressed else "train"
        return shlex.join(["shinso", verb, "--resume", str(self.path)])

    def log(self, line: str) -> None:
        append_line(self.path / "log.txt", line)

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
        """Delete the run; refused while its process is at work."""
        if self.status().get("state") == "running":
            raise UsageFault(
                "RUN-IN-USE",
                place=str(self.path),
                why=_("a process is training in this folder"),
                next_step=_("stop it first (Ctrl-C)"),
            )
        shutil.rmtree(self.path)


def _number(path: Path) -> int:
    match = re.match(r"(\d+)-", path.name)
    return int(match.group(1)) if match else 0


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
