"""The main job: train every system briefly, measure every claim, write the whole report.

Each finished run, figure and measurement is kept below the report's folder and never repeated,
so that a job stopped anywhere goes on where it was. Deleting the folder begins anew.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

from shinso import figures, numerals
from shinso.claims import catalogue as claims
from shinso.claims import machine
from shinso.claims.claim import Profile
from shinso.claims.judgement import judge
from shinso.claims.schedule import tasks as measurements_of
from shinso.faults import Interrupted
from shinso.language import LANGUAGES, Text, speaking
from shinso.recipes.recipe import Brief
from shinso.report.content import (
    FigurePage,
    Picture,
    ReportContent,
    SystemEvidence,
    Table,
    Words,
    table_of,
)
from shinso.report.pages import write
from shinso.runs.environment import describe
from shinso.runs.folder import RunFolder
from shinso.runs.ledger import Ledger, now
from shinso.training.stopping import StopRequest
from shinso.walk import catalogue as recipes
from shinso.walk.order import place
from shinso.walk.run import Run, compare
from shinso.walk.tables import ResultTable
from shinso.walk.training import resume, train


@runtime_checkable
class Watcher(Protocol):
    """Who follows the main job."""

    def on_stage(self, stage: str, done: int, total: int) -> None: ...

    def on_claim(self, progress: machine.Progress) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to do and where. chapters: only these (all by default)."""

    folder: Path
    profile: Profile
    workers: int | None = None

    @property
    def command(self) -> str:
        words = ["shinso", "report", f"--{self.profile}"]
        if self.folder != Path("report"):
            words += ["--folder", str(self.folder)]
        if self.workers is not None:
            words += ["--workers", str(self.workers)]
        return shlex.join(words)


def run(job: Job, watcher: Watcher) -> Path:
    """Do the whole job; returns the first page. Raises Interrupted, everything saved."""
    began = time.monotonic()
    job.folder.mkdir(parents=True, exist_ok=True)
    try:
        with StopRequest() as stop:
            systems = _systems(job, watcher, stop)
            drawn = _figures(job, watcher, stop)
        chosen = [claims.load(name) for name in claims.names()]
        ledger = Ledger(job.folder / "ledger")
        total = sum(len(measurements_of(claim, job.profile)) for claim in chosen)
        watcher.on_stage("claims", 0, total)
        machine.run(
            chosen,
            ledger,
            job.profile,
            workers=job.workers,
            on_progress=watcher.on_claim,
            resume=job.command,
        )
    except Interrupted:
        raise Interrupted(job.command) from None
    watcher.on_stage("pages", 0, 1)
    return write(
        job.folder,
        ReportContent(
            profile=job.profile,
            judgements=tuple(judge(claim, ledger, job.profile) for claim in chosen),
            systems=tuple(systems),
            figures=tuple(drawn),
            environment=_environment(),
            seconds=time.monotonic() - began,
            made=now(),
            command=job.command,
        ),
    )


def _environment() -> dict[str, str | int | float]:
    found = describe()
    plain = {name: found[name] for name in ("platform", "processor", "cores", "threads")}
    return {**found["versions"], **plain}


def _systems(job: Job, watcher: Watcher, stop: StopRequest) -> list[SystemEvidence]:
    orders = [
        (task, model) for task in recipes.tasks() for model in recipes.recipe(task).BRIEF.models
    ]
    trained: dict[str, list[Run]] = {task: [] for task in recipes.tasks()}
    for number, (task, model) in enumerate(orders):
        watcher.on_stage(f"train {task} {model}", number, len(orders))
        trained[task].append(_brief_run(job, task, model, stop))
    return [_evidence(task, recipes.recipe(task), runs) for task, runs in trained.items()]


def _brief_run(job: Job, task: str, model: str, stop: StopRequest) -> Run:
    """The run of this task and model below the report, trained unless it is there already."""
    brief: Brief = recipes.recipe(task).BRIEF
    settings = {**brief.settings, "model": model, "runs": str(job.folder / "runs")}
    order = place(task, brief.data, ("report", settings))
    for folder in RunFolder.all_below(job.folder / "runs"):
        if folder.path.parent.name != task or not folder.path.name.endswith(f"-{model}"):
            continue
        if not _same_order(folder, order):
            continue
        if folder.status()["state"] == "done":
            return Run(folder)
        if folder.status()["state"] == "interrupted":
            return resume(folder.path, stop=stop)
    return train(order, command=_command(task, model, brief).split(), stop=stop)


def _same_order(folder: RunFolder, order: object) -> bool:
    """Whether a run was made from the same settings: an edited recipe is trained anew."""
    from shinso.walk.order import Order, as_yaml

    assert isinstance(order, Order)
    return (folder.path / "config.yaml").read_text(encoding="utf-8") == as_yaml(order)


def _command(task: str, model: str, brief: Brief) -> str:
    flags = " ".join(
        f"--{name.replace('_', '-')} {value}" for name, value in brief.settings.items()
    )
    words = ["shinso train", task, *(path.name for path in brief.data), f"--model {model}", flags]
    return " ".join(filter(None, words))


def _evidence(task: str, module: ModuleType, runs: list[Run]) -> SystemEvidence:
    tables = {language: speaking(language, partial(compare, runs)) for language in LANGUAGES}
    table = tables["en"]
    notes = tuple(starmap(Text, zip(*(tables[one].notes for one in LANGUAGES), strict=True)))
    pictures = [
        Picture(
            files=dict.fromkeys(LANGUAGES, path),
            alt=Text(f"{path.stem} of {run.order.model}", f"{run.order.model} の {path.stem}"),
            caption=f"{run.order.model}: {path.stem}",
        )
        for run in runs[-1:]
        for path in sorted((run.folder.path / "plots").glob("*.png"))
    ]
    return SystemEvidence(
        name=task,
        title=module.TITLE,
        place=module.PLACE,
        body=(module.ABOUT, module.READS),
        command=_command(task, runs[-1].order.model, module.BRIEF),
        headline=_headline(table, runs),
        tables=(replace(table_of(table, _caption(table)), notes=notes),),
        pictures=tuple(pictures),
        notes=_notes(runs[0]),
    )


def _headline(table: ResultTable, runs: Sequence[Run]) -> Text:
    """The best of the networks, then the best of what stands beside them."""
    metric = next(iter(table.better))
    model = {run.folder.path.name: run.order.model for run in runs}
    said = []
    for learned in (True, False):
        some = replace(table, rows=tuple(row for row in table.rows if row.learned == learned))
        if (best := some.best(metric)) is not None:
            value = next(row.values[metric].value for row in some.rows if row.name == best)
            said.append(f"{model.get(best, best)} {numerals.number(value, digits=3)}")
    own, *rival = said
    return Text(
        f"{metric}: {own}" + "".join(f" (beside it {one})" for one in rival),
        f"{metric}: {own}" + "".join(f" (比較対象 {one})" for one in rival),
    )


def _caption(table: ResultTable) -> Text:
    seeds = max(row.seeds for row in table.rows if row.learned)
    return Text(
        f"Test part, {seeds} seed{'s' if seeds > 1 else ''}", f"テスト部分 (シード {seeds} 個)"
    )


def _notes(run: Run) -> tuple[Words, ...]:
    """What reading the data found, in both languages: the run keeps the language it was made in."""
    kept = run.facts.get("notes", ())
    if not kept:
        return ()
    order = run.order
    read = partial(order.recipe.read, order.config, order.paths)
    spoken = [speaking(language, read).notes for language in LANGUAGES]
    return tuple(starmap(Text, zip(*spoken, strict=True)))


def _figures(job: Job, watcher: Watcher, stop: StopRequest) -> list[FigurePage]:
    pages = []
    names = figures.names()
    for number, name in enumerate(names):
        if stop.asked:
            raise Interrupted(job.command)
        watcher.on_stage(f"figure {name}", number, len(names))
        module = figures.load(name)
        made = {
            language: module.make(
                job.folder / "figures" / language, gradient="both", seed=0, language=language
            )
            for language in LANGUAGES
        }
        numbers = made["en"].numbers
        pages.append(
            FigurePage(
                name=name,
                title=module.TITLE,
                place=Text("Day 3: recurrent networks", "3 日目: 再帰型ニューラルネットワーク"),
                body=(module.EXPLANATION,),
                command=f"shinso figure {name}",
                pictures=(
                    Picture(
                        files={language: files.png for language, files in made.items()},
                        alt=module.TITLE,
                    ),
                ),
                tables=(
                    Table(
                        caption="",
                        columns=(Text("number", "項目"), Text("value", "値")),
                        rows=tuple((key, value) for key, value in numbers.items()),
                    ),
                ),
            )
        )
    return pages
