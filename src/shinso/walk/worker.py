"""One worker of ``--workers N``: trains a run's folder with the others, and tells who started it.

    python -m shinso.walk.worker RUN DIVISION [--previous-checkpoint]

DIVISION: how many workers divide the model and how, as JSON; it may have changed since the run began.

Standard output is for ``train.parallel.launch``: one JSON object a line.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shinso.faults import Fault, Interrupted
from shinso.runs.files import strict


class Teller:
    """The audience of the first worker: everything goes to whoever started it."""

    def __init__(self) -> None:
        self.out = sys.stdout

    def tell(self, event: Mapping[str, Any]) -> None:
        self.out.write(json.dumps(strict(event), ensure_ascii=False) + "\n")
        self.out.flush()

    def on_notes(self, notes: Sequence[str]) -> None:
        self.tell({"notes": list(notes)})

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None:
        self.tell({"seed": [seed, seeds, str(folder)]})

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        self.tell({"step": [step, steps, dict(scalars)]})

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        self.tell({"validation": [step, dict(metrics), best]})


DIVISION = ("workers", "tensor", "pipeline", "micro_batches", "shard")
"""Settings of a run that say how its workers divide the model."""


def command_of_worker(run: Path, settings: Any, *, previous_checkpoint: bool) -> list[str]:
    """The command line of each worker of a run, whose settings are those of a ``RunSettings``."""
    division = json.dumps({name: getattr(settings, name) for name in DIVISION})
    command = [sys.executable, "-m", "shinso.walk.worker", str(run), division]
    return [*command, *(["--previous-checkpoint"] if previous_checkpoint else [])]


def hear(event: Mapping[str, Any], audience: Any) -> None:
    """An event that a ``Teller`` told, before an audience."""
    if "notes" in event:
        audience.on_notes(event["notes"])
    elif "seed" in event:
        seed, seeds, folder = event["seed"]
        audience.on_seed(seed, seeds, Path(folder))
    elif "step" in event:
        step, steps, scalars = event["step"]
        audience.on_step(step, steps, _numbers(scalars))
    elif "validation" in event:
        step, metrics, best = event["validation"]
        audience.on_validation(step, _numbers(metrics), best)


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in found.items()}


def main(arguments: Sequence[str]) -> int:
    from shinso.training.parallel.launch import LOST_OTHERS
    from shinso.training.parallel.place import is_first
    from shinso.training.stopping import StopRequest
    from shinso.walk.audience import NoAudience
    from shinso.walk.training import resume

    threading.Thread(target=_end_with_leader, daemon=True).start()
    teller = Teller()
    sys.stdout = sys.stderr  # what anybody prints is for the log
    try:
        with StopRequest() as stop:
            resume(
                Path(arguments[0]),
                division=json.loads(arguments[1]),
                previous_checkpoint="--previous-checkpoint" in arguments,
                audience=teller if is_first() else NoAudience(),
                stop=stop,
            )
    except Interrupted as stopped:
        return stopped.exit_code
    except Fault as fault:
        print(fault.text(), file=sys.stderr)
        if fault.code == "WORKER-LOST":
            return LOST_OTHERS
        teller.tell({"fault": {**fault.as_dict(), "exit_code": fault.exit_code}})
        return fault.exit_code
    return 0


def _end_with_leader() -> None:
    """Standard input ends when whoever started this worker does, however that ended."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # a daemon thread reads standard input, which a normal exit would wait for
