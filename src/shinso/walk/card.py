"""What a finished run shows: ``card.md``, plots with the table behind each, ``report.html``."""

from __future__ import annotations

import base64
import csv
import html
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shinso.figures import style
from shinso.language import _, current
from shinso.recipes.recipe import Predictions
from shinso.runs.folder import SeedFolder
from shinso.walk.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Plots = Mapping[str, tuple[Callable[["Figure"], None], Predictions]]

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.6 system-ui,"Hiragino Sans","Noto Sans CJK JP","Yu Gothic",sans-serif;
max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;display:block;overflow-x:auto}
th,td{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #8886}
th:first-child,td:first-child{text-align:left}
img{max-width:100%;background:#fff}
pre{overflow-x:auto;background:#8881;padding:1rem}
"""


def write_card(
    run: Run, plots: Plots, notes: Sequence[str], rows: Sequence[Sequence[str]] = ()
) -> None:
    """Write the run's own pages and plots into its folder. rows: of a table of before and after,
    its header first, where the run is another one made smaller."""
    pictures = {name: _write_plot(run, name, *plot) for name, plot in plots.items()}
    curve = _write_plot(run, "training", *_training_plot(run))
    run.folder.write_text("card.md", _markdown(run, notes, rows))
    run.folder.write_text("report.html", _page(run, {"training": curve, **pictures}, notes, rows))


def csv_text(table: Predictions) -> str:
    """A table as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return buffer.getvalue()


def _write_plot(run: Run, name: str, draw: Callable[[Figure], None], table: Predictions) -> bytes:
    from shinso.runs.files import write_atomically

    figure = style.figure(8, 4.5)
    draw(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(run.folder.path / "plots" / f"{name}.png", buffer.getvalue())
    run.folder.write_text(f"plots/{name}.csv", csv_text(table))
    return buffer.getvalue()


def _training_plot(run: Run) -> tuple[Callable[[Figure], None], Predictions]:
    # Some metrics cost a search and are not looked at while a run trains.
    looks = run.folder.seed(run.seeds[0]).metrics
    names = [*run.use().better, *run.result(run.seeds[0])["valid"]["metrics"]]
    name = next((one for one in names if looks.curve(one, "valid")[0]), names[0])
    curves = {seed: curve_of(run.folder.seed(seed), name) for seed in run.seeds}
    acted = all(curve.acted is not None for curve in curves.values())
    rows = [
        (seed, step, *([taken] if acted else []), value)
        for seed, curve in curves.items()
        for step, taken, value in zip(
            curve.steps, curve.acted or curve.steps, curve.values, strict=True
        )
    ]
    columns = ("seed", "step", *(["environment_steps"] if acted else []), name)
    falls = run.use().better.get(name) != "max"
    return (
        lambda figure: draw_curves(figure.subplots(), curves, name, falls=falls),
        Predictions(columns, rows),
    )


WIDE = 20.0
"""Times the smallest value of a curve that should fall; where its largest is more than that, the axis
is logarithmic."""


@dataclass(frozen=True)
class Curve:
    """A metric of validation along one seed's training.

    acted: environment steps that the agent had taken at each of ``steps``; None where none acts.
    """

    steps: Sequence[int]
    values: Sequence[float]
    acted: Sequence[float] | None


def curve_of(seed: SeedFolder, name: str) -> Curve:
    steps, values = seed.metrics.curve(name, "valid")
    acted = seed.metrics.curve("environment_steps", "valid")
    return Curve(steps, values, acted[1] if steps and acted[0] == steps else None)


def draw_curves(axes: Axes, curves: Mapping[int, Curve], name: str, *, falls: bool) -> None:
    """Every seed's curve and their middle, over environment steps where agents act: what a training
    step costs differs between agents, an environment step does not. falls: whether less is better."""
    from matplotlib.ticker import LogFormatter

    acted = all(curve.acted is not None for curve in curves.values())
    for seed, curve in curves.items():
        across = curve.acted if acted and curve.acted is not None else curve.steps
        axes.plot(across, curve.values, label=f"seed {seed}")
    _draw_middle(axes, curves)
    values = [value for curve in curves.values() for value in curve.values]
    if falls and min(values, default=0.0) > 0 and max(values) > WIDE * min(values):
        # An untrained language model's perplexity would press all that is learnt onto one line.
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2.0, 0.5)))
    axes.set_xlabel("environment steps" if acted else "training steps")
    axes.set_ylabel(f"{name} (valid)")
    axes.legend()


def _draw_middle(axes: Axes, curves: Mapping[int, Curve]) -> None:
    """Over three seeds or more: the interquartile mean with its bootstrap interval, at the training
    steps that all have; where they had acted differently long by then, at the mean."""
    from shinso.intervals import interquartile_mean

    common = sorted(set.intersection(*(set(curve.steps) for curve in curves.values())))
    if len(curves) < 3 or not common:
        return
    values = [dict(zip(one.steps, one.values, strict=True)) for one in curves.values()]
    found = [interquartile_mean([one[step] for one in values]) for step in common]
    across: list[float] = [float(step) for step in common]
    if all(curve.acted is not None for curve in curves.values()):
        acted = [dict(zip(one.steps, one.acted or (), strict=True)) for one in curves.values()]
        across = [sum(one[step] for one in acted) / len(acted) for step in common]
    low, high = [one.low for one in found], [one.high for one in found]
    axes.plot(across, [one.value for one in found], "k", linewidth=2, label="interquartile mean")
    axes.fill_between(across, low, high, color="k", alpha=0.15, label="95 % bootstrap")


def _facts_lines(run: Run) -> list[tuple[str, str]]:
    result = run.result(run.seeds[0])
    environment = run.folder.read_json("env.json")
    return [
        (_("task"), f"{run.order.task}, {run.order.model}"),
        (_("data"), ", ".join(str(path) for path in run.order.paths)),
        (_("command"), (run.folder.path / "command.txt").read_text(encoding="utf-8").strip()),
        (_("parameters"), f"{result['parameters']:,}"),
        (_("seeds"), ", ".join(map(str, run.seeds))),
        (_("training time a seed"), f"{float(result['seconds']):.1f} s"),
        (_("of it waiting for data"), _waiting(result)),
        (_("machine"), f"{environment['processor']}, {environment['threads']} threads"),
        ("torch", environment["versions"]["torch"]),
    ]


def _waiting(result: Mapping[str, Any]) -> str:
    """The share of the training time in which the next batch was not ready; a run made before this
    was measured has none."""
    seconds, waited = (float(result.get(key, "nan")) for key in ("seconds", "waited_for_data_s"))
    return "—" if math.isnan(waited) or not seconds else f"{waited / seconds:.1%}"


def _markdown(run: Run, notes: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        f"# {run.folder.path.name}",
        "",
        run.table("test").markdown(),
        "",
        _("The test part; ± is half the 95 % interval over seeds; * is the best of its column."),
        "",
    ]
    lines += [f"- {name}: {value}" for name, value in _facts_lines(run)]
    lines += [f"- {note}" for note in notes]
    for number, row in enumerate(rows):
        lines += [] if number else ["", f"## {_('Before and after')}", ""]
        lines.append("| " + " | ".join(row) + " |")
        lines += [] if number else ["|---" * len(row) + "|"]
    return "\n".join(lines) + "\n"


def _page(
    run: Run, pictures: Mapping[str, bytes], notes: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    escape = html.escape
    more = "".join(
        f"<tr>{''.join(f'<{cell}>{escape(one)}</{cell}>' for one in row)}</tr>"
        for row, cell in zip(rows, ("th", *["td"] * len(rows)), strict=False)
    )
    changed = f"<h2>{_('Before and after')}</h2><table>{more}</table>" if rows else ""
    facts = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in _facts_lines(run)
    )
    images = "".join(
        f"<h2>{escape(name)}</h2><img alt='{escape(name)}' "
        f"src='data:image/png;base64,{base64.b64encode(png).decode()}'>"
        for name, png in pictures.items()
    )
    said = "".join(f"<li>{escape(note)}</li>" for note in notes)
    config = escape((run.folder.path / "config.yaml").read_text(encoding="utf-8"))
    return (
        f"<!doctype html><html lang='{current()}'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(run.folder.path.name)}</title><style>{STYLE}</style>"
        f"<h1>{escape(run.folder.path.name)}</h1>"
        f"<h2>{_('Test part')}</h2>{run.table('test').as_html()}"
        f"<p>{_('± is half the 95 % interval over seeds; * is the best of its column.')}</p>"
        f"<h2>{_('Validation part')}</h2>{run.table('valid').as_html()}"
        f"{changed}<ul>{said}</ul>{images}<h2>{_('The run')}</h2><table>{facts}</table>"
        f"<h2>{_('Settings')}</h2><pre>{config}</pre></html>\n"
    )
