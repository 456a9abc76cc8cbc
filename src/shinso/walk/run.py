"""A trained run in use: its table, evaluation on new data, predictions, comparison."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from shinso.compress.restoring import restore
from shinso.data.splits import PARTS
from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.recipes.recipe import Evaluation, MeasuredBySettings, Paired, Predictions, Use
from shinso.runs.checkpoint import load_weights
from shinso.runs.files import read_json, write_atomically
from shinso.runs.folder import RunFolder, next_number
from shinso.runs.metrics import MetricsLog
from shinso.settings import Setting, as_flat, resolve, schema, unknown_setting
from shinso.walk.gates import Gate, parse_gate
from shinso.walk.order import Order, order_of, refuse_unread
from shinso.walk.preparing import refuse_other_data
from shinso.walk.tables import ResultTable, Row, over_seeds

Given = str | Path | Any
"""Data as Python users hold it: a path, or a polars or pandas frame."""


class Run:
    """A run folder with its trained seeds."""

    def __init__(self, folder: RunFolder, changed: Mapping[str, Any] | None = None) -> None:
        """changed: settings of use, other than it was trained with (``with_settings``)."""
        self.folder = folder
        self.changed = dict(changed or {})

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run; RunFault RUN-NOT-FOUND otherwise."""
        return cls(RunFolder.open(Path(path)))

    @cached_property
    def order(self) -> Order:
        """What it was trained by; the settings of use as they are now."""
        order = order_of(self.folder)
        if not self.changed:
            return order
        layers = (("run", as_flat(order.config)), ("use", self.changed))
        settings = resolve(order.recipe.Config, *layers)
        refuse_unread(settings)
        return dataclasses.replace(order, recipe_settings=settings)

    @property
    def settings_of_use(self) -> dict[str, Setting]:
        """The settings that ``with_settings`` takes, with this run's own values as their defaults."""
        order = self.order
        known, own = schema(order.recipe.Config), as_flat(order.config)
        names = getattr(order.recipe, "SETTINGS_OF_USE", ())
        return {name: dataclasses.replace(known[name], default=own[name]) for name in names}

    def with_settings(self, **settings: Any) -> Run:
        """The same run to be used otherwise than it was trained, for example with more beams.

        Raises UsageFault SETTING-UNKNOWN for what is no setting of use. A value that does not fit
        is refused when the run is used.
        """
        known = self.settings_of_use
        for name in settings:
            if name not in known:
                raise unknown_setting(name, known, place="with_settings")
        return Run(self.folder, {**self.changed, **settings})

    @cached_property
    def facts(self) -> dict[str, Any]:
        return self.folder.read_json("data.json")

    @property
    def seeds(self) -> list[int]:
        return self.folder.seeds_done()

    def use(self, seed: int | None = None) -> Use:
        """The trained model of a seed (the first by default), ready to be used.

        Raises RunFault RUN-NOT-TRAINED, UsageFault SEED-UNKNOWN.
        """
        if not self.seeds:
            raise RunFault(
                "RUN-NOT-TRAINED",
                place=str(self.folder.path),
                why=_("no seed of this run is finished"),
                next_step=self.folder.resume_line(),
            )
        if seed is not None and seed not in self.seeds:
            raise UsageFault(
                "SEED-UNKNOWN",
                place=str(self.folder.path),
                found=_("seed {seed}").format(seed=seed),
                why=_("its finished seeds are {seeds}").format(
                    seeds=", ".join(map(str, self.seeds))
                ),
                next_step=_("give one of these, or none for the first"),
            )
        return self.use_weights(self.seeds[0] if seed is None else seed)

    def use_weights(self, seed: int) -> Use:
        """The weights of a seed that are on disk, whether or not the seed is finished."""
        one = self.folder.seed(seed)
        order = self.order
        model = order.recipe.make_model(
            order.config, order.network, order.network_settings.config, self.facts
        )
        restore(model, load_weights(one.best_weights))
        model.eval()
        return order.recipe.use(order.config, self.facts, model)

    def compress(self, do: str = "int8", **settings: Any) -> Run:
        """A smaller run, below this one's folder: ``shinso compress RUN --do …``, computed on the
        CPU. settings: of ``shinso compress``, by name. Raises UsageFault COMPRESS-UNKNOWN,
        COMPRESS-REFUSED, SETTING-UNKNOWN, SETTING-REFUSED."""
        from shinso.walk.compressing import compress_run
        from shinso.walk.compression import Compression

        given = resolve(Compression, ("python", {"do": do, **settings}))
        refuse_unread(given)
        return compress_run(self, given.config).run

    def export(self, file: str | Path = "") -> Path:
        """Write the run as one file, ONNX, or a torch.export archive where the name ends in .pt2;
        into this run's folder where no name is given. The file agrees with PyTorch, or there is
        none: RunFault EXPORT-REFUSED, EXPORT-DIFFERS. UsageFault OUTPUT-REFUSED for other names."""
        from shinso.walk.exporting import export_run

        target = Path(file)
        if str(file) and target.suffix not in (".onnx", ".pt2"):
            raise UsageFault(
                "OUTPUT-REFUSED",
                place=str(file),
                found=_("a name that ends in “{ending}”").format(ending=target.suffix),
                why=_("the ending says whether ONNX or a torch.export archive is written"),
                next_step=_("end the name in .onnx or .pt2"),
            )
        done = export_run(self, "torch" if target.suffix == ".pt2" else "onnx")
        if not str(file):
            return done.path
        write_atomically(target, done.path.read_bytes())
        return target

    def result(self, seed: int) -> dict[str, Any]:
        return read_json(self.folder.seed(seed).result)

    def evaluation(self, part: str = "test") -> Evaluation:
        """What the first seed's result holds of a part, its details included: valid or test."""
        _refuse_unknown_part(part, PARTS[1:], "evaluation")
        kept = self.result(self.seeds[0])[part]
        return Evaluation(metrics=_numbers(kept["metrics"]), details=kept["details"])

    def table(self, part: str = "test") -> ResultTable:
        """Baselines, then the model with its interval over seeds, on a part whose numbers the run
        keeps: valid or test. ``evaluate`` measures the train part too."""
        _refuse_unknown_part(part, PARTS[1:], "table")
        baselines = self.folder.read_json("assets/baselines.json")[part]
        rows = [
            over_seeds(name, [_numbers(one["metrics"])], learned=False)
            for name, one in baselines.items()
        ]
        found = [_numbers(self.result(seed)[part]["metrics"]) for seed in self.seeds]
        rows.append(over_seeds(self.order.model, found, learned=True))
        return self._table(
            f"{self.folder.path.name}: {part}", rows, self._unlearnt(self.order.model)
        )

    def _unlearnt(self, name: str) -> list[str]:
        """Says where the weights are those from before training: a table that shows them beside
        baselines would pass them for learnt ones. name: of the row."""
        if self.folder.compressed:
            return []
        found = [self.result(seed) for seed in self.seeds]
        start = [one for one in found if one.get("steps") and one.get("best_step") == 0]
        if not start:
            return []
        return [
            _(
                "{model}: no step of the training was shown to be better on the valid part than the "
                "start, whose weights are kept ({count} of {seeds} seeds)"
            ).format(model=name, count=len(start), seeds=len(found))
        ]

    def _table(self, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> ResultTable:
        metrics = list(dict.fromkeys(m for row in reversed(rows) for m in row.values))
        return ResultTable(
            title, tuple(metrics), tuple(rows), dict(self.use().better), tuple(notes)
        )

    def evaluate(
        self, data: Given | Sequence[Given] = (), *, require: str = "", part: str = ""
    ) -> ResultTable:
        """All seeds and the baselines on new files or data frames, or again on a part of the run's
        own data: train, valid or, where none is named, test.

        A further look at the test part is counted and said. require: a gate such as
        "beats=persistence" or "mse<0.4"; GateFault GATE-FAILED when it is not met, UsageFault
        GATE-UNKNOWN when it is none. RunFault DATA-CHANGED where the run's own data is another now.
        """
        order = self.order
        notes: list[str] = []
        with as_files(data) as paths:
            gate = self.gate(require, own=not paths) if require else None
            if paths:
                if part:
                    raise UsageFault(
                        "SETTING-REFUSED",
                        place="--part",
                        found=part,
                        why=_("new data are measured whole; parts are those of the run's own data"),
                        next_step=_("leave out --part, or the data"),
                    )
                read: Any = self.use().read_new(paths)
                notes += list(getattr(read, "notes", ()))
                part = "new"
            else:
                part = part or "test"
                _refuse_unknown_part(part, PARTS, "--part")
                read = order.recipe.read(order.config, order.paths)
                refuse_other_data(order, self.facts, read.facts())
                if part == "test":
                    looks = record_look(self.folder, "test", "evaluate")
                    notes.append(_("the test part was looked at {count} times").format(count=looks))
            found = [self.use(seed).evaluate(read, part) for seed in self.seeds]  # pyright: ignore[reportArgumentType]
            use = self.use()
            rivals: Mapping[str, Evaluation] = use.baselines(read, part)  # pyright: ignore[reportArgumentType]
            if isinstance(use, MeasuredBySettings):
                notes.append(use.how_measured())
        if self.changed:
            own = as_flat(order.config)
            changed = ", ".join(f"{name}={own[name]}" for name in self.changed)
            notes.append(_("used with {changed}").format(changed=changed))
        rows = [over_seeds(n, [one.metrics], learned=False) for n, one in rivals.items()]
        rows.append(over_seeds(order.model, [one.metrics for one in found], learned=True))
        table = self._table(f"{self.folder.path.name}: {part}", rows, notes)
        self.folder.write_json(
            f"evaluation/{next_number(self.folder.path / 'evaluation'):04d}-{part}.json",
            {
                "data": [str(p) for p in paths],
                **({"settings": self.changed} if self.changed else {}),
                "table": table.as_dict(),
                "seeds": [as_json(one) for one in found],
            },
        )
        if gate is not None:
            gate.check(table, order.model)
        return table

    def gate(self, require: str, *, own: bool) -> Gate:
        """A gate that tables of this run can be held against. own: it is for a part of the run's own
        data, whose rows and metrics are known before anything is measured.

        Raises UsageFault GATE-UNKNOWN.
        """
        found = parse_gate(require)
        kept = self.folder.path / "assets" / "baselines.json"
        if own and self.seeds and kept.exists():
            result = self.result(self.seeds[0])
            rows = [*(name for part in read_json(kept).values() for name in part), self.order.model]
            metrics = [name for part in ("test", "valid") for name in result[part]["metrics"]]
            found.refuse_unknown(dict.fromkeys(rows), dict.fromkeys(metrics))
        return found

    def predict(self, data: Given | Sequence[Given], *, seed: int | None = None) -> Predictions:
        """Predictions of one seed (the first by default) for new files or data frames."""
        with as_files(data) as paths:
            return self.use(seed).predict(paths)

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r})"


@contextmanager
def as_files(data: Given | Sequence[Given]) -> Iterator[list[Path]]:
    """Paths of what was given; a data frame becomes a file for as long as it is needed.

    Raises UsageFault DATA-NOT-A-PATH for what is neither.
    """
    single = _path_or_frame(data) or not isinstance(data, Iterable)
    given: list[Any] = [data] if single else list(data)  # pyright: ignore[reportArgumentType]
    for one in given:
        if not _path_or_frame(one):
            raise UsageFault(
                "DATA-NOT-A-PATH",
                place=_("new data"),
                found=type(one).__name__,
                why=_("new data are files, or data frames of polars or pandas with named columns"),
                next_step=_("give a path or a data frame, or a list of them"),
            )
    with tempfile.TemporaryDirectory() as folder:
        yield [
            _as_file(one, Path(folder) / f"frame{number}") if hasattr(one, "columns") else Path(one)
            for number, one in enumerate(given)
        ]


def _path_or_frame(one: Any) -> bool:
    return isinstance(one, (str, os.PathLike)) or hasattr(one, "columns")


def _as_file(frame: Any, stem: Path) -> Path:
    """A polars frame as Parquet, exactly; a pandas one as CSV, whose numbers read back exactly."""
    if hasattr(frame, "write_parquet"):
        path = stem.with_suffix(".parquet")
        frame.write_parquet(path)
    else:
        path = stem.with_suffix(".csv")
        frame.to_csv(path, index=False)
    return path


def _refuse_unknown_part(part: str, parts: Sequence[str], place: str) -> None:
    if part not in parts:
        raise UsageFault(
            "SETTING-REFUSED",
            place=place,
            found=part,
            next_step=_("give one of: {parts}").format(parts=", ".join(parts)),
        )


def compare(runs: Sequence[Run]) -> ResultTable:
    """The tables of several runs as one; said aloud where their data differ."""
    tasks = {run.order.task for run in runs}
    if len(tasks) > 1:
        raise UsageFault(
            "RUNS-DIFFER",
            place="compare",
            found=", ".join(sorted(tasks)),
            why=_("runs of different tasks have no common metric"),
            next_step=_("compare runs of one task"),
        )
    ways = [use.how_measured() for run in runs if isinstance(use := run.use(), MeasuredBySettings)]
    differences, same_test = _differences(runs, ways)
    rows: list[Row] = []
    for run in runs:
        table = run.table()
        learned = [row for row in table.rows if row.learned]
        rows += [Row(f"{run.folder.path.name}", row.values, row.seeds, True) for row in learned]
    seen: set[str] = set()
    for run in runs if not differences else []:
        for row in run.table().rows:
            if not row.learned and row.name not in seen:
                seen.add(row.name)
                rows.append(row)
    notes = [*differences, *(ways[:1] if len(set(ways)) == 1 else ())]
    notes += [note for run in runs for note in run._unlearnt(run.folder.path.name)]
    use = runs[0].use()
    if isinstance(use, Paired) and same_test:
        notes += [
            use.paired(
                runs[0].folder.path.name,
                runs[0].evaluation(),
                one.folder.path.name,
                one.evaluation(),
            )
            for one in runs[1:]
        ]
    table = runs[0]._table("compare", rows, notes)
    # No figure is the best of those that do not compare.
    return table if same_test else dataclasses.replace(table, better={})


def _differences(runs: Sequence[Run], ways: Sequence[str]) -> tuple[list[str], bool]:
    """In what the runs differ that a reader of their figures must know, and whether they can be
    compared sample by sample all the same. ways: how each run was measured, where that is said."""
    notes: list[str] = []
    same_test = True
    measured_on = {
        tuple(str(run.facts.get(name)) for name in ("sha256", "source_sha256", "split"))
        for run in runs
    }
    if len(measured_on) > 1:
        use, first = runs[0].use(), runs[0].evaluation()
        same_test = isinstance(use, Paired) and all(
            use.same_samples(first, one.evaluation()) for one in runs[1:]
        )
        notes.append(
            _("the runs learned from different data; their test part is the same")
            if same_test
            else _("the runs were measured on different data or splits")
        )
    if len(set(ways)) > 1:
        same_test = False
        each = "; ".join(
            f"{run.folder.path.name}: {way}" for run, way in zip(runs, ways, strict=True)
        )
        notes.append(
            _("the figures were computed in different ways and do not compare: {each}").format(
                each=each
            )
        )
    return notes, same_test


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    return {"metrics": dict(evaluation.metrics), "details": dict(evaluation.details)}


def record_look(folder: RunFolder, part: str, why: str) -> int:
    """Count a look at a part that should be looked at once; returns the number of looks."""
    log = MetricsLog(folder.path / "evaluation" / "looks.jsonl")
    log.append({"part": part, "why": why, "time": time.strftime("%Y-%m-%d %H:%M:%S"), "step": 0})
    return sum(row["part"] == part for row in log.rows())


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    # JSON spells NaN and infinities as strings.
    return {name: float(value) for name, value in metrics.items()}
