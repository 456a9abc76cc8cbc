"""What workers do in the tests of divided models: whole runs of the loop, and steps of recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import torch

from shinso.runs.checkpoint import load_weights, save_weights
from shinso.runs.folder import SeedFolder
from shinso.training.crew import Alone
from shinso.training.loop import run_loop
from shinso.training.parallel.joined import JoinedCrew
from shinso.training.parallel.shared import folder_for
from shinso.training.stopping import StopRequest
from shinso.walk import catalogue
from shinso.walk.audience import NoAudience
from shinso.walk.order import place
from shinso.walk.preparing import Prepared, prepare

Found = dict[str, Any]


TEXT = "A pipeline passes on what it was given, and waits for what comes back.\n"


def ready(
    crew: JoinedCrew | None,
    task: str,
    settings: Mapping[str, Any],
    dtype: torch.dtype,
    text: Path | None = None,
) -> tuple[Any, Prepared]:
    """An order for ``text``, or for the recipe's bundled sample; its learner with weights of ``dtype``."""
    brief = catalogue.recipe(task).BRIEF
    order = place(task, [text] if text else brief.data, ("test", {**brief.settings, **settings}))
    data = order.recipe.read(order.config, order.paths)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return order, prepare(order, data, data.facts(), 0, crew)
    finally:
        torch.set_default_dtype(before)


class StopsAt(NoAudience):
    """Asks for a stop once ``step`` has been validated."""

    def __init__(self, step: int) -> None:
        self.stop, self.step = StopRequest(), step

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        if step == self.step:
            self.stop.asked = True


def run(
    crew: JoinedCrew | None,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    stop_at: int = -1,
    resume: bool = False,
) -> bool:
    """Train a Transformer language model on the text beside ``folder``, by the loop. Whether what all
    workers hold whole is the same at all of them afterwards, bit for bit."""
    text = folder.parent / "text.txt"
    order, prepared = ready(crew, "language-model", settings, torch.float64, text)
    progress = StopsAt(stop_at)
    one = SeedFolder(folder, 0)
    run_loop(
        prepared.learner,
        prepared.source,
        order.config.training,
        one if crew is None else folder_for(crew, one),
        validate=prepared.built.validate,
        selection=prepared.built.selection,
        keep_best=lambda: save_weights(one.best_weights, prepared.model),
        stop=progress.stop,
        progress=progress,
        resume=resume,
        crew=crew or Alone(),
    )
    if crew is None or order.run.config.tensor == 1:
        return True
    learner: Any = prepared.learner
    held = [learner.pieces.held[name].detach() for name in ("embedding.weight", "norm.weight")]
    first, *others = crew.gather(held)
    return all(torch.equal(a, b) for one in others for a, b in zip(one, first, strict=True))


def runs(crew: JoinedCrew | None, jobs: list[dict[str, Any]]) -> bool:
    """Several, one after the other. copy: another folder to begin in."""
    alike = []
    for job in jobs:
        begun = job.pop("copy", None)
        if begun is not None and (crew is None or crew.rank == 0):
            copytree(begun, job["folder"])
        alike.append(run(crew, **job))
    return all(alike)


def result(folder: Path) -> Found:
    """What a run left: rows of metrics, best weights, and its last state."""
    one = SeedFolder(folder, 0)
    state = one.load_resume()["learner"]
    rows = [{k: v for k, v in row.items() if k != "bubble"} for row in one.metrics.rows()]
    return {
        "rows": rows,
        "best": {name: tensor.numpy() for name, tensor in load_weights(one.best_weights).items()},
        "model": {name: tensor.numpy() for name, tensor in state["model"].items()},
        "mean": {str(place): tensor.numpy() for place, tensor in enumerate(state["mean"])},
        "moments": {
            f"{place} {kind}": np.asarray(value)
            for place, entry in state["optimizer"]["state"].items()
            for kind, value in entry.items()
        },
    }


def steps(
    crew: JoinedCrew | None,
    task: str,
    settings: Mapping[str, Any],
    dtype: torch.dtype = torch.float64,
) -> Found:
    """The scalars of two steps of a recipe, and its weights afterwards, put together."""
    _order, prepared = ready(crew, task, settings, dtype)
    found = []
    for _ in range(2):
        scalars = prepared.learner.step(prepared.source.next_batch())
        found.append({name: float(one) for name, one in scalars.items() if name != "bubble"})
    state = prepared.learner.state_dict()["model"]
    return {"rows": found, "model": {name: one.numpy().copy() for name, one in state.items()}}


def steps_of_all(crew: JoinedCrew, jobs: Mapping[str, tuple[Any, ...]]) -> dict[str, Found]:
    """Of several recipes; each job is (task, settings, dtype)."""
    return {name: steps(crew, *job) for name, job in jobs.items()}


def states_of_last_stage(
    crew: JoinedCrew, settings: Mapping[str, Any], text: Path
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the last stage of a pipeline makes of the first batch: (tokens, states) a micro-batch."""
    _order, prepared = ready(crew, "language-model", settings, torch.float64, text)
    found = []
    objective = prepared.built.objective
    of_states = objective.of_states

    def noted(model: Any, states: torch.Tensor, batch: Any) -> Any:
        found.append((batch.tokens.numpy().copy(), states.detach().numpy().copy()))
        return of_states(model, states, batch)

    objective.of_states = noted
    prepared.learner.step(prepared.source.next_batch())
    return found


def held(crew: JoinedCrew, settings: Mapping[str, Any], text: Path) -> int:
    """Parameters that this worker holds."""
    learner: Any = ready(crew, "language-model", settings, torch.float64, text)[1].learner
    return sum(one.numel() for one in learner.pieces.held.values())


def pair(
    crew: JoinedCrew,
    jobs: list[dict[str, Any]],
    divided: Mapping[str, Mapping[str, Any]],
    text: Path,
) -> Found:
    """What two workers do in the tests: some runs, one step of a pipeline, and what they hold."""
    return {
        "alike": runs(crew, jobs),
        "states": states_of_last_stage(crew, divided["pipeline"], text),
        "held": {name: held(crew, one, text) for name, one in divided.items()},
    }
