"""``compress``: a trained run becomes a smaller one, a run like any other, with what it cost."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import nn

from shinso.compress import measure
from shinso.compress.calls import Call
from shinso.compress.chain import Step, parse
from shinso.faults import RunFault, UsageFault
from shinso.intervals import Interval, median
from shinso.language import _
from shinso.runs.environment import describe
from shinso.runs.files import write_atomically
from shinso.runs.folder import COMPRESSION, RunFolder
from shinso.settings import resolve
from shinso.training.stopping import StopRequest
from shinso.walk import kept_training
from shinso.walk.audience import Audience
from shinso.walk.compression import Compression
from shinso.walk.exporting import known_calls
from shinso.walk.order import Order, as_yaml
from shinso.walk.preparing import refuse_other_data, set_threads
from shinso.walk.run import Run, as_json, record_look
from shinso.walk.run_log import Logged, told_status

if TYPE_CHECKING:
    from shinso.walk.compress_steps import Work


@dataclass(frozen=True)
class Compressed:
    """A run made smaller. before, after: cost of the first seed; metric: the one that counts,
    with its interval before and after."""

    run: Run
    metric: str
    values: tuple[Interval, Interval]
    before: measure.Cost
    after: measure.Cost
    notes: tuple[str, ...]

    def rows(self) -> list[tuple[str, str, str]]:
        """Header and rows of the table: what, before, after."""
        shown = [
            (_("parameters"), "parameters"), (_("not zero"), "nonzero"),
            (_("file, bytes"), "file_bytes"), (_("multiply–adds a sample"), "multiply_adds"),
            (_("memory, bytes"), "memory_bytes"),
        ]  # fmt: skip
        table = [
            ("", _("before"), _("after")),
            (self.metric, *(show_interval(one) for one in self.values)),
        ]
        table += [
            (name, *(_shown(getattr(one, key), ",") for one in (self.before, self.after)))
            for name, key in shown
        ]
        times = (
            "—" if one.latency_ms is None else show_interval(one.latency_ms, ".3g")
            for one in (self.before, self.after)
        )
        return [*table, (_("one sample, ms"), *times)]  # type: ignore[list-item]


def _shown(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)


def show_interval(value: Interval, form: str = ".4f") -> str:
    """A number with its ends; without them where they are not known."""
    if value.low == -float("inf"):
        return format(value.value, form)
    return f"{value.value:{form}} ({value.low:{form}}–{value.high:{form}})"


def compress_run(
    run: Run,
    settings: Compression,
    *,
    command: str = "",
    audience: Audience | None = None,
    stop: StopRequest | None = None,
) -> Compressed:
    """Do the steps of ``settings.do`` to every seed of a run, in a new folder below its own.

    All of it, training on included, is computed on the CPU, whatever the run's own device: there a
    stopped chain goes on bit for bit, and there the cost is measured.
    When ``stop`` was asked, all that was trained is kept and ``resume_compression`` goes on.
    Raises UsageFault COMPRESS-UNKNOWN, COMPRESS-REFUSED; every fault in the data before a folder
    is made.
    """
    steps = parse(settings.do)
    order = _order(run, steps)
    run.use()  # a run that is not trained is refused before its data is read
    data = run.order.recipe.read(run.order.config, run.order.paths)
    refuse_other_data(run.order, run.facts, data.facts())
    label = "-".join("".join(sign if sign.isalnum() else "-" for sign in s.text) for s in steps)
    folder = RunFolder.create(run.folder.path, "compress", label)
    _begin(run, folder, order, settings, steps, command or "(python)")
    return _go_on(run, order, data, settings, folder, audience, stop)


def resume_compression(
    path: Path, *, audience: Audience | None = None, stop: StopRequest | None = None
) -> Compressed:
    """Go on with a compression that was stopped, in its own folder, as if it had not been: seeds
    that are done stay, and so do the trainings of a chain that came to their end.

    Raises UsageFault RUN-NOT-COMPRESSED, RUN-IN-USE, RunFault DATA-CHANGED.
    """
    folder = RunFolder.open(path)
    if not folder.compressed:
        raise UsageFault(
            "RUN-NOT-COMPRESSED",
            place=str(path),
            why=_("this run was trained, and is no compression of another"),
            next_step=folder.resume_line(),
        )
    folder.refuse_in_use()
    kept = folder.read_json(COMPRESSION)
    settings = resolve(Compression, ("run", kept["settings"])).config
    run = Run.open(path.resolve().parent.parent)
    data = run.order.recipe.read(run.order.config, run.order.paths)
    refuse_other_data(run.order, run.facts, data.facts())
    order = _order(run, parse(settings.do))
    return _go_on(run, order, data, settings, folder, audience, stop)


def _order(run: Run, steps: Sequence[Step]) -> Order:
    from shinso.walk.compress_steps import student_order

    return student_order(run.order, steps[0]) if steps[0].kind == "distill" else run.order


def _go_on(
    run: Run, order: Order, data: Any, settings: Compression, folder: RunFolder,
    audience: Audience | None, stop: StopRequest | None,
) -> Compressed:  # fmt: skip
    """Compress the seeds that are not done yet, and make the pages of the whole."""
    from shinso.walk.compress_steps import Work

    steps = parse(settings.do)
    audience = Logged(folder, audience)
    set_threads(run.order)
    try:
        with told_status(folder):
            for number, seed in enumerate(run.seeds):
                if seed in folder.seeds_done():
                    continue
                audience.on_seed(number, len(run.seeds), folder.path)
                one = folder.seed(seed)
                work = Work(
                    run, order, data, settings, one, audience, stop, resume=folder.resume_line()
                )
                write_atomically(one.best_weights, save(work.do(steps)))
                kept_training.join(one, work.trainings)
                _score(Run(folder), data, work)
                kept_training.discard(one)
            return _finish(run, Run(folder), data, steps)
    except UsageFault:
        if not [*folder.seeds_done(), *folder.path.glob("seed*/training*/result.json")]:
            shutil.rmtree(folder.path)
        raise


def _begin(
    run: Run, folder: RunFolder, order: Order, settings: Compression, steps: Sequence[Step],
    command: str,
) -> None:  # fmt: skip
    folder.set_status("running")
    folder.write_text("config.yaml", as_yaml(order))
    folder.write_text("command.txt", command + "\n")
    folder.write_json("env.json", describe())
    folder.write_json(
        COMPRESSION,
        {
            "of": str(run.folder.path.resolve()),
            "settings": vars(settings),
            "steps": [s.text for s in steps],
        },
    )
    for name in ("data.json", "assets/baselines.json", "assets/inputs.json",
                 "assets/inputs.safetensors"):  # fmt: skip
        source = run.folder.path / name
        if source.exists():
            (folder.path / name).parent.mkdir(exist_ok=True)
            shutil.copy2(source, folder.path / name)


def _score(run: Run, data: Any, work: Work) -> None:
    seed = work.seed
    use = run.use_weights(seed)
    valid, test = use.evaluate(data, "valid"), use.evaluate(data, "test")
    record_look(run.folder, "test", f"end of compression, seed {seed}")
    model: nn.Module = use.model  # pyright: ignore[reportAttributeAccessIssue]
    run.folder.write_json(
        f"seed{seed}/result.json",
        {
            "seed": seed,
            "steps": work.trained_steps,
            "best_step": work.best_step,
            "ended": "steps",
            "seconds": work.seconds,
            "parameters": sum(p.numel() for p in model.parameters()),
            "valid": as_json(valid),
            "test": as_json(test),
        },
    )


def _finish(before: Run, after: Run, data: Any, steps: Sequence[Step]) -> Compressed:
    """The table of before and after, plots and pages."""
    from shinso.walk.card import write_card

    seed = before.seeds[0]
    models = [one.use(seed).model for one in (before, after)]  # pyright: ignore[reportAttributeAccessIssue]
    call = _call_of(before, models[0])
    times: list[Interval | None] = [None, None]
    if call is not None:
        single = call.taking([0])
        with torch.no_grad():
            taken = measure.times_ms([lambda m=m: single.of(m) for m in models])
            times = [median(one) for one in taken]
    costs = [
        measure.cost(model, call, one.folder.seed(seed).best_weights, latency_ms=time)
        for model, one, time in zip(models, (before, after), times, strict=True)
    ]
    metric = next(iter(after.use().better))
    values = tuple(interval_of(one, metric) for one in (before, after))
    notes = tuple(_notes(steps))
    done = Compressed(after, metric, values, costs[0], costs[1], notes)  # type: ignore[arg-type]
    kept = after.folder.read_json(COMPRESSION)
    after.folder.write_json(
        COMPRESSION,
        {
            **kept,
            "metric": metric,
            "before": {**vars(values[0]), **asdict(costs[0])},
            "after": {**vars(values[1]), **asdict(costs[1])},
            "notes": list(notes),
        },
    )
    write_card(after, after.use().plots(data, "test"), [*notes, *data.notes], done.rows())
    return done


def _call_of(run: Run, model: nn.Module) -> Call | None:
    """A call to measure with; None where the network takes no plain tensors, which is a reason not
    to export it, and none not to make it smaller."""
    try:
        return known_calls(run, model)[0]
    except RunFault:
        return None


def interval_of(run: Run, metric: str) -> Interval:
    """A metric on the test part with its interval: over seeds, or, of one seed's accuracy, over
    samples (Wilson)."""
    value = next(r for r in run.table().rows if r.learned).values[metric]
    if len(run.seeds) > 1 or metric != "accuracy":
        return value
    ends = run.result(run.seeds[0])["test"]["details"].get("accuracy_interval")
    if not ends:
        return value
    return Interval(value.value, float(ends[0]["low"]), float(ends[0]["high"]))


def _notes(steps: Sequence[Step]) -> list[str]:
    """What the numbers do not say by themselves."""
    found = []
    if any(step.kind == "prune" for step in steps):
        found.append(
            _(
                "weights that are masked take part in every product: dense hardware gains no time "
                "from them, only the file is smaller"
            )
        )
    if any(step.kind == "quantize" for step in steps):
        found.append(
            _(
                "PyTorch computes with the rounded numbers in float32: whole numbers are faster "
                "in the exported file (shinso export RUN onnx)"
            )
        )
    return found
