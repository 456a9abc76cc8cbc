"""``train``: an order becomes a run folder with trained seeds, baselines and a result table."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from shinso.compress.calls import keep
from shinso.contracts import Learner
from shinso.faults import Interrupted, RunFault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Use
from shinso.runs.checkpoint import has_resume, load_weights, save_weights
from shinso.runs.environment import describe
from shinso.runs.folder import RunFolder, SeedFolder
from shinso.training.crew import Crew
from shinso.training.loop import Outcome, run_loop
from shinso.training.parallel.place import Place
from shinso.training.stopping import StopRequest
from shinso.walk.audience import Audience, NoAudience
from shinso.walk.crewing import check_workers, crew_of, lead, started
from shinso.walk.network_calls import evaluated
from shinso.walk.order import Order, as_yaml, order_of, with_workers
from shinso.walk.preparing import Prepared, device_of, prepare, refuse_other_data, set_threads
from shinso.walk.run import Run, as_json, record_look
from shinso.walk.run_log import Logged, told_status


@runtime_checkable
class Closing(Protocol):
    """A learner that has something to end, and something to tell of it. tell: whom it tells what
    happens meanwhile. stopped: whom it asks, while it waits, whether the run is to stop."""

    tell: Callable[[str], None]
    stopped: Callable[[], bool]

    def close(self) -> None: ...

    def notes(self) -> Sequence[str]: ...


def train(
    order: Order,
    *,
    command: Sequence[str] = (),
    audience: Audience | None = None,
    stop: StopRequest | None = None,
) -> Run:
    """Train all seeds of an order in a new run folder.

    Every fault in the data, and of workers that cannot train together, is raised before the folder
    is made. Raises faults.Interrupted when
    ``stop`` was asked; then everything is saved and ``resume`` goes on bit for bit.
    """
    set_threads(order)
    device_of(order)
    audience, stop = audience or NoAudience(), stop or StopRequest()
    data = order.recipe.read(order.config, order.paths)
    place = Place.of_environment()
    check_workers(order, data, place)
    with crew_of(order, place) as crew:

        def begin() -> str:
            folder = _earlier_attempt(order, place) or _new_folder(order, data, command, place)
            return str(folder.path)

        folder = RunFolder(Path(crew.first_says(begin)))
        if place is None and started(order.run.config) > 1:
            return lead(order, folder, audience, stop)
        return _train_seeds(order, data, folder, audience, stop, crew)


def _new_folder(order: Order, data: Any, command: Sequence[str], place: Place | None) -> RunFolder:
    folder = RunFolder.create(Path(order.run.config.runs), order.task, order.model)
    folder.set_status("running", launch=place.launch if place else "")
    folder.write_text("config.yaml", as_yaml(order))
    folder.write_text("command.txt", shlex.join(command) + "\n" if command else "(python)\n")
    folder.write_json("data.json", data.facts())
    folder.write_json("env.json", describe())
    return folder


def _earlier_attempt(order: Order, place: Place | None) -> RunFolder | None:
    """The folder that torchrun's earlier start of the same workers began."""
    if place is None or place.attempt == 0:
        return None
    root = Path(order.run.config.runs)
    found = [
        one
        for one in RunFolder.all_below(root)
        if one.state() != "damaged" and one.status().get("launch") == place.launch
    ]
    return found[-1] if found else None


def resume(
    path: Path,
    *,
    previous_checkpoint: bool = False,
    workers: int | None = None,
    division: Mapping[str, Any] | None = None,
    audience: Audience | None = None,
    stop: StopRequest | None = None,
) -> Run:
    """Go on with a stopped run, in the same folder, as if it had not been stopped.

    workers: how many go on with it; as many as before by default. division: how they divide the
    model now, and how many they are, where that changes (``with_workers``). Joint batches stay what they were; bit for bit
    the same comes out with the same number and division.
    Raises RunFault DATA-CHANGED when the data is no longer what the run began with.
    """
    folder = RunFolder.open(path)
    if folder.compressed:
        raise UsageFault(
            "RUN-COMPRESSED",
            place=str(path),
            why=_("this run is another one made smaller; it was not trained from the start"),
            next_step=folder.resume_line(),
        )
    place = Place.of_environment()
    launched = place is not None and place.launched
    if not launched and (place is None or not place.rank):
        folder.refuse_in_use()
    order = order_of(folder)
    set_threads(order)
    data = order.recipe.read(order.config, order.paths)
    before, now = folder.read_json("data.json"), data.facts()
    refuse_other_data(order, before, now)
    audience, stop = audience or NoAudience(), stop or StopRequest()
    # A mended program is what a stopped run was told to come back with; only its data is held equal.
    if before.get("source_sha256") != now.get("source_sha256"):
        audience.on_notes(
            [
                _("the source of {data} is another than the run began with (sha256 {sha})").format(
                    data=", ".join(map(str, order.paths)), sha=before.get("source_sha256")
                )
            ]
        )
    if workers is not None or division:
        order = with_workers(order, **{"workers": workers, **(division or {})})
    if order.run.config.divided and not launched:
        check_workers(order, data, place)
    if started(order.run.config) > 1 and place is None:
        folder.set_status("running")
        return lead(order, folder, audience, stop, previous_checkpoint)
    with crew_of(order, place) as crew:
        return _train_seeds(order, data, folder, audience, stop, crew, previous_checkpoint)


def _train_seeds(
    order: Order,
    data: Any,
    folder: RunFolder,
    audience: Audience,
    stop: StopRequest,
    crew: Crew,
    previous_checkpoint: bool = False,
) -> Run:
    place = Place.of_environment()
    keeps_status = crew.rank == 0 and not (place is not None and place.launched)
    if crew.rank > 0:
        audience = NoAudience()
    elif keeps_status:
        audience = Logged(folder, audience)
    with told_status(folder) if keeps_status else nullcontext():
        audience.on_notes(data.notes)
        facts = crew.first_says(lambda: folder.read_json("data.json"))
        _check_same_data(data, facts, crew)
        for number, seed in enumerate(order.seeds):
            if seed in crew.first_says(folder.seeds_done):
                continue
            audience.on_seed(number, len(order.seeds), folder.path)
            _train_seed(order, data, facts, folder, seed, audience, stop, crew, previous_checkpoint)
        run = Run(folder)
        crew.first_says(lambda: _finish(order, data, facts, run))
    return run


def _check_same_data(data: Any, facts: Mapping[str, Any], crew: Crew) -> None:
    """RunFault DATA-DIFFERS where another worker read other data than the first."""
    read = crew.gather(data.facts().get("sha256", "")) if crew.size > 1 else []
    for rank, sha in enumerate(read):
        if sha != facts.get("sha256"):
            raise RunFault(
                "DATA-DIFFERS",
                place=_("worker {rank}").format(rank=rank),
                found=f"sha256 {sha}",
                why=_("the first worker read {sha}").format(sha=facts.get("sha256")),
                next_step=_("give every worker the same files"),
            )


def _train_seed(
    order: Order,
    data: Any,
    facts: Mapping[str, Any],
    folder: RunFolder,
    seed: int,
    audience: Audience,
    stop: StopRequest,
    crew: Crew,
    previous_checkpoint: bool,
) -> None:
    one = folder.seed(seed)
    ready = prepare(order, data, facts, seed, crew)
    with closing(ready), _closing(ready.learner, audience, stop):
        outcome = _run(order, ready, one, audience, stop, crew, previous_checkpoint)
    if outcome.ended == "asked":
        raise Interrupted(folder.resume_line())
    crew.first_says(lambda: _keep_result(order, data, facts, folder, one, ready.model, outcome))


@contextmanager
def _closing(learner: Learner[Any], audience: Audience, stop: StopRequest) -> Iterator[None]:
    """An asynchronous learner's workers end with the seed, and it tells how stale their gradients
    were and which workers were replaced."""
    if isinstance(learner, Closing):
        learner.tell = lambda note: audience.on_notes([note])
        learner.stopped = lambda: stop.asked
    try:
        yield
    finally:
        if isinstance(learner, Closing):
            learner.close()
            audience.on_notes(learner.notes())


def _run(
    order: Order,
    ready: Prepared,
    one: SeedFolder,
    audience: Audience,
    stop: StopRequest,
    crew: Crew,
    previous_checkpoint: bool,
) -> Outcome:
    from shinso.training.parallel.shared import folder_for

    return run_loop(
        ready.learner,
        ready.source,
        order.config.training,
        folder_for(crew, one),
        validate=ready.built.validate,
        selection=ready.built.selection,
        keep_best=lambda: save_weights(one.best_weights, ready.model),
        stop=stop,
        progress=audience,
        resume=crew.first_says(lambda: has_resume(one.path)),
        previous_checkpoint=previous_checkpoint,
        crew=crew,
    )


def _keep_result(
    order: Order,
    data: Any,
    facts: Mapping[str, Any],
    folder: RunFolder,
    one: SeedFolder,
    model: torch.nn.Module,
    outcome: Outcome,
) -> None:
    use = _load_best(order, facts, model, one)
    valid, made = evaluated(use, model, data, "valid")
    keep(folder.path / "assets", made.calls)
    test = use.evaluate(data, "test")
    record_look(folder, "test", f"end of training, seed {one.seed}")
    folder.write_json(
        f"{one.path.name}/result.json",
        {
            "seed": one.seed,
            "steps": outcome.step,
            "best_step": outcome.best_step,
            "ended": outcome.ended,
            "seconds": outcome.seconds,
            "waited_for_data_s": outcome.waited_s,
            "parameters": sum(p.numel() for p in model.parameters()),
            "valid": as_json(valid),
            "test": as_json(test),
        },
    )


def _load_best(
    order: Order, facts: Mapping[str, Any], model: torch.nn.Module, one: SeedFolder
) -> Use:
    model.load_state_dict(load_weights(one.best_weights))
    model.eval()
    return order.recipe.use(order.config, facts, model)


def _finish(order: Order, data: Any, facts: Mapping[str, Any], run: Run) -> None:
    """Baselines, table, plots and the run's own page."""
    from shinso.walk.card import write_card

    use = run.use(order.seeds[0])
    found = {part: use.baselines(data, part) for part in ("valid", "test")}
    run.folder.write_json(
        "assets/baselines.json",
        {part: {name: as_json(one) for name, one in rows.items()} for part, rows in found.items()},
    )
    write_card(run, use.plots(data, "test"), list(data.notes))
