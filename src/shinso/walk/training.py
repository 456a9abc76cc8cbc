"""``train``: an order becomes a run folder with trained seeds, baselines and a result table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from shinso.compress.calls import keep, recorded
from shinso.contracts import Learner
from shinso.faults import Interrupted, RunFault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Built, Use
from shinso.runs.checkpoint import has_resume, load_weights, save_weights
from shinso.runs.environment import describe
from shinso.runs.folder import RunFolder, SeedFolder
from shinso.train.gradient import GradientLearner
from shinso.train.loop import Progress, run_loop
from shinso.train.stopping import StopRequest
from shinso.walk.order import Order, as_yaml, order_of
from shinso.walk.run import Run, as_json, record_look


@runtime_checkable
class Audience(Progress, Protocol):
    """Who watches a whole run: its notes, its seeds, its steps."""

    def on_notes(self, notes: Sequence[str]) -> None: ...

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None: ...


class NoAudience:
    """Nobody watches."""

    def on_notes(self, notes: Sequence[str]) -> None:
        pass

    def on_seed(self, seed: int, seeds: int, folder: Path) -> None:
        pass

    def on_step(self, step: int, steps: int, scalars: Mapping[str, float]) -> None:
        pass

    def on_validation(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        pass


@dataclass
class Prepared:
    """One seed of an order, ready to train."""

    model: torch.nn.Module
    built: Built
    learner: Learner[Any]


def device_of(order: Order) -> torch.device:
    """The device an order asks for; UsageFault DEVICE-MISSING where it is not there."""
    asked = order.run.config.device
    if asked == "cuda" and not torch.cuda.is_available():
        raise UsageFault(
            "DEVICE-MISSING",
            place="--device",
            found=_("no CUDA device is seen"),
            next_step=_("use --device cpu, or see shinso doctor"),
        )
    if asked == "auto":
        asked = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(asked)


def prepare(order: Order, data: Any, facts: Mapping[str, Any], seed: int) -> Prepared:
    """Build model, objective, source and learner of one seed; every weight follows from it."""
    torch.manual_seed(seed)
    config = order.config
    network_config = order.network_settings.config
    model = order.recipe.make_model(config, order.network, network_config, facts)
    model.to(device_of(order))
    built: Built = order.recipe.build(config, data, model, seed)
    learner = built.learner or GradientLearner(model, built.objective, config.training)
    return Prepared(model, built, learner)


def train(
    order: Order,
    *,
    command: Sequence[str] = (),
    audience: Audience | None = None,
    stop: StopRequest | None = None,
) -> Run:
    """Train all seeds of an order in a new run folder.

    Every fault in the data is raised before the folder is made. Raises faults.Interrupted when
    ``stop`` was asked; then everything is saved and ``resume`` goes on bit for bit.
    """
    _set_threads(order)
    device_of(order)
    data = order.recipe.read(order.config, order.paths)
    folder = RunFolder.create(Path(order.run.config.runs), order.task, order.model)
    folder.set_status("running")
    folder.write_text("config.yaml", as_yaml(order))
    folder.write_text("command.txt", shlex.join(command) + "\n" if command else "(python)\n")
    folder.write_json("data.json", data.facts())
    folder.write_json("env.json", describe())
    return _train_seeds(order, data, folder, audience or NoAudience(), stop or StopRequest())


def resume(
    path: Path,
    *,
    previous_checkpoint: bool = False,
    audience: Audience | None = None,
    stop: StopRequest | None = None,
) -> Run:
    """Go on with a stopped run, in the same folder, as if it had not been stopped.

    Raises RunFault DATA-CHANGED when the data is no longer what the run began with.
    """
    folder = RunFolder.open(path)
    state = folder.status()["state"]
    if state == "running":
        raise UsageFault(
            "RUN-IN-USE",
            place=str(path),
            why=_("a process is training in this folder"),
            next_step=_("stop it first (Ctrl-C)"),
        )
    order = order_of(folder)
    _set_threads(order)
    data = order.recipe.read(order.config, order.paths)
    before, now = folder.read_json("data.json"), data.facts()
    if before.get("sha256") != now.get("sha256"):
        raise RunFault(
            "DATA-CHANGED",
            place=", ".join(map(str, order.paths)),
            found=f"sha256 {now.get('sha256')}",
            why=_("the run began with {sha}").format(sha=before.get("sha256")),
            next_step=_("bring the old file back, or train a new run"),
        )
    folder.set_status("running")
    return _train_seeds(
        order,
        data,
        folder,
        audience or NoAudience(),
        stop or StopRequest(),
        previous_checkpoint=previous_checkpoint,
    )


def _train_seeds(
    order: Order,
    data: Any,
    folder: RunFolder,
    audience: Audience,
    stop: StopRequest,
    *,
    previous_checkpoint: bool = False,
) -> Run:
    audience.on_notes(data.notes)
    facts = folder.read_json("data.json")
    try:
        for number, seed in enumerate(order.seeds):
            if seed in folder.seeds_done():
                continue
            audience.on_seed(number, len(order.seeds), folder.path)
            _train_seed(order, data, facts, folder, seed, audience, stop, previous_checkpoint)
        run = Run(folder)
        _finish(order, data, facts, run)
    except Interrupted:
        folder.set_status("interrupted")
        raise
    except BaseException as error:
        folder.set_status("failed", error=f"{type(error).__name__}: {error}")
        raise
    folder.set_status("done")
    return run


def _train_seed(
    order: Order,
    data: Any,
    facts: Mapping[str, Any],
    folder: RunFolder,
    seed: int,
    audience: Audience,
    stop: StopRequest,
    previous_checkpoint: bool,
) -> None:
    one = folder.seed(seed)
    ready = prepare(order, data, facts, seed)
    outcome = run_loop(
        ready.learner,
        ready.built.source,
        order.config.training,
        one,
        validate=ready.built.validate,
        selection=ready.built.selection,
        keep_best=lambda: save_weights(one.best_weights, ready.model),
        stop=stop,
        progress=audience,
        resume=has_resume(one.path),
        previous_checkpoint=previous_checkpoint,
    )
    if outcome.ended == "asked":
        raise Interrupted(folder.resume_line())
    use = _load_best(order, facts, ready.model, one)
    with recorded(ready.model) as made:
        valid = use.evaluate(data, "valid")
    keep(folder.path / "assets", made.calls)
    test = use.evaluate(data, "test")
    record_look(folder, "test", f"end of training, seed {seed}")
    folder.write_json(
        f"{one.path.name}/result.json",
        {
            "seed": seed,
            "steps": outcome.step,
            "best_step": outcome.best_step,
            "ended": outcome.ended,
            "seconds": outcome.seconds,
            "waited_for_data_s": outcome.waited_s,
            "parameters": sum(p.numel() for p in ready.model.parameters()),
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


def _set_threads(order: Order) -> None:
    if order.run.config.threads:
        torch.set_num_threads(order.run.config.threads)
