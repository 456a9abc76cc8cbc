"""What a run folder says of what happens in it: its recorded state, and log.txt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from shinso.faults import Interrupted
from shinso.runs.folder import RunFolder
from shinso.walk.audience import Audience, NoAudience


@contextmanager
def told_status(folder: RunFolder) -> Iterator[None]:
    """The run's recorded state follows what happens within; its log says when."""
    launch = folder.status().get("launch", "")
    folder.set_status("running", launch=launch)
    folder.log("running")
    try:
        yield
    except Interrupted:
        folder.set_status("interrupted")
        folder.log("interrupted")
        raise
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"
        folder.set_status("failed", error=told, launch=launch)
        folder.log(f"failed: {told}")
        raise
    folder.set_status("done")
    folder.log("done")


class Logged:
    """An audience whose run also writes down what it is told: notes, seeds and validations."""

    def __init__(self, folder: RunFolder, audience: Audience | None) -> None:
        self.folder, self.audience = folder, audience or NoAudience()

    def on_notes(self, notes: Sequence[str]) -> None:
        for note in notes:
            self.folder.log(note)
        self.audience.on_notes(notes)

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None:
        self.folder.log(f"seed {seed + 1} of {seeds}")
        self.audience.on_seed(seed, seeds, folder)

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        self.audience.on_step(step, steps, scalars)

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        self.folder.log(f"step {step}: {numbers}{' (best)' if best else ''}")
        self.audience.on_validation(step, metrics, best)
