"""What ``import shinso`` offers: the verbs of the command line as Python functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shinso.training.stopping import StopRequest
from shinso.walk import training
from shinso.walk.order import file_layer, place, preset_layer
from shinso.walk.run import Run


def train(
    task: str,
    *data: str | Path,
    preset: str | None = None,
    config: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Train ``task`` on files, as ``shinso train`` does; returns the finished run.

    settings: of the run (``seeds=3``), the task (``target="close"``) or its network
    (``hidden=64``), by the names that ``shinso train TASK --help`` and ``shinso list TASK`` show.
    Raises shinso.faults.Fault for what the user can mend, faults.Interrupted after Ctrl-C.

        run = shinso.train("forecast", "prices.csv", target="close", horizon=5, model="gru")
        print(run.table().markdown())
    """
    from shinso.walk import catalogue

    layers = []
    if preset:
        layers.append(preset_layer(catalogue.recipe(task), preset))
    if config:
        layers.append(file_layer(Path(config)))
    layers.append(("python", settings))
    with StopRequest() as stop:
        return training.train(place(task, data, *layers), stop=stop)


def resume(
    run: str | Path,
    *,
    previous_checkpoint: bool = False,
    workers: int | None = None,
    **division: Any,
) -> Run:
    """Go on with a stopped run, bit for bit; with as many workers as before by default.

    division: tensor, pipeline, micro_batches or shard, where workers are to divide the model in
    another way than before.
    """
    with StopRequest() as stop:
        return training.resume(
            Path(run),
            previous_checkpoint=previous_checkpoint,
            workers=workers,
            division=division,
            stop=stop,
        )


def open_run(path: str | Path) -> Run:
    """A run that was trained before."""
    return Run.open(path)
