"""What a user gets from a trained forecaster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shinso.data.scaling import Standardizer
from shinso.data.series import SeriesSet, known_roles, read_series
from shinso.data.windows import SeriesBatch, Windows
from shinso.faults import DataFault
from shinso.language import _
from shinso.models import naive_forecasters as naive
from shinso.models.autoregressive_baseline import AutoregressiveBaseline
from shinso.objectives.forecast_scores import ForecastScores
from shinso.recipes.recipe import Evaluation, Part, Predictions
from shinso.recipes.uses.files import only_one

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.recipes.forecast import Config


@dataclass(frozen=True)
class ForecastData:
    """A file's series, scaled by their train part, with the windows of each part."""

    series: SeriesSet
    scaler: Standardizer
    windows: Mapping[Part, Windows]
    notes: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return {
            **self.series.facts(),
            "scaler": self.scaler.to_dict(),
            "notes": list(self.notes),
            **self.extra,
        }


Forecaster = Callable[[SeriesBatch], Tensor]


class ForecastUse:
    """A trained forecaster: scores, rivals, forecasts beyond the end of a file, plots."""

    better: Mapping[str, Literal["min", "max"]] = {
        "mse_scaled": "min",
        "mae_scaled": "min",
        "mase": "min",
        "pinball_scaled": "min",
        "hit_rate": "max",
    }

    def __init__(self, config: Config, facts: Mapping[str, Any], model: nn.Module) -> None:

        self.config = config
        self.facts = facts
        self.model = model
        self.scaler = Standardizer.from_dict(facts["scaler"])
        self.targets: list[str] = facts["targets"]
        self.std: list[float] = self.scaler.std[: len(self.targets)].tolist()

    def read_new(self, paths: Sequence[Path]) -> ForecastData:
        """A new file with the run's columns; every window of it is the part "new"."""

        series = self._in_run_units(self._read(paths))
        scaled = self.scaler.scaled(series)
        rows = [range(one.num_rows) for one in series.series]
        windows = Windows(
            scaled.values,
            rows,
            lookback=self.config.lookback,
            horizon=self.config.horizon,
            num_targets=series.num_targets,
        )
        if len(windows) == 0:
            raise self._too_short(paths, max(map(len, rows)), self.config.horizon)
        return ForecastData(series, self.scaler, {"new": windows}, series.notes)

    def evaluate(self, data: ForecastData, part: Part) -> Evaluation:
        return self._evaluation(data, part, self.forecast)

    def baselines(self, data: ForecastData, part: Part) -> dict[str, Evaluation]:
        return {name: self._evaluation(data, part, rival) for name, rival in self._rivals().items()}

    def predict(self, paths: Sequence[Path]) -> Predictions:
        """The next ``horizon`` rows after the end of each series of a file, in its own units.

        origin: the label of the last row that was seen, where the rows have a time. The rows to come
        have none that the file says, and none is made up.
        """
        series = self._read(paths)
        self._in_run_units(series)  # a value without a logarithm is told by its line
        levels = [f"q{q:g}" for q in self.config.quantiles] or ["forecast"]
        roles = {"series": self.facts["group"], "origin": self.facts["time"]}
        heads = [name for name, column in roles.items() if column]
        columns = (*heads, "step", "target", *levels)
        rows: list[tuple[Any, ...]] = []
        for one in series.series:
            if one.num_rows < self.config.lookback:
                raise self._too_short(paths, one.num_rows, 0)
            values = self.forecast_rows(one.values[None, -self.config.lookback :])[0]
            labels = {"series": one.name, "origin": one.labels[-1]}
            head = [labels[name] for name in heads]
            for step in range(self.config.horizon):
                for place, target in enumerate(self.targets):
                    rows.append((*head, step + 1, target, *values[step, place]))
        return Predictions(columns, rows)

    def forecast_rows(
        self, past: Float[np.ndarray, "window lookback channel"]
    ) -> Float[np.ndarray, "window horizon target quantile"]:
        """The rows after ``past``, both in the file's units; one quantile where none were asked for.

        Raises DataFault DATA-NOT-POSITIVE for a value without a logarithm where the run takes it.
        """
        if self.config.log:
            for window, row, channel in np.argwhere(past <= 0):
                raise DataFault(
                    "DATA-NOT-POSITIVE",
                    place=f"past[{window}][{row}] {self.scaler.channels[channel]}",
                    found=f"{past[window, row, channel]:g}",
                    why=_("only numbers above 0 have a logarithm"),
                    next_step=_("train without --log, or leave this column out"),
                )
            past = np.log(past)
        scaled = torch.as_tensor(self.scaler.apply(past), dtype=torch.float32)
        device = next(self.model.parameters()).device
        with torch.no_grad():
            found = self.model(scaled.to(device)).cpu().numpy()
        if not self.config.quantiles:
            found = found[..., None]
        return np.moveaxis(self._in_units(np.moveaxis(found, -1, 0)), 0, -1)

    def how_measured(self) -> str:
        """Errors of other columns, horizons or scales do not compare."""
        said = (
            _("logarithms of {targets}, horizon {horizon}")
            if self.config.log
            else _("{targets}, horizon {horizon}")
        )
        return said.format(targets=", ".join(self.targets), horizon=self.config.horizon)

    def mean_row(self) -> list[float]:
        """What the network reads as noughts, in the file's units: the means of the train part;
        where logarithms are taken, the geometric ones."""
        return self._in_units(np.zeros(len(self.scaler.channels))).tolist()

    def plots(
        self, data: ForecastData, part: Part
    ) -> dict[str, tuple[Callable[[Figure], None], Predictions]]:
        return {"steps": self._plot_steps(data, part), "windows": self._plot_windows(data, part)}

    def forecast(self, batch: SeriesBatch) -> Tensor:
        """The model's forecast of a batch, scaled."""

        device = next(self.model.parameters()).device
        with torch.no_grad():
            return self.model(batch.past.to(device)).cpu()

    def score(self, windows: Windows, forecaster: Forecaster) -> ForecastScores:
        """Scores of a forecaster over all windows, in order."""

        scores = None
        for batch in windows.batches(256):
            found = forecaster(batch)
            scores = scores or ForecastScores(
                self.config.horizon,
                self.targets,
                naive_mae=self.facts["naive_mae"],
                quantiles=self.config.quantiles if found.ndim == 4 else (),
            )
            scores.add(found, batch.future, batch.past[:, -1, : len(self.targets)])
        assert scores is not None, "a part without windows is refused where it is read"
        return scores

    def _evaluation(self, data: ForecastData, part: Part, forecaster: Forecaster) -> Evaluation:
        scores = self.score(data.windows[part], forecaster)
        return Evaluation(
            metrics=scores.metrics(),
            details=scores.details(self.std, self.scaler.mean[: len(self.targets)].tolist()),
        )

    def _rivals(self) -> dict[str, Forecaster]:

        fitted = AutoregressiveBaseline.from_dict(self.facts["autoregression"])
        rivals = {
            "persistence": self._persistence,
            "drift": naive.drift,
            "autoregression": fitted.forecast,
        }
        season: int = self.facts["season"]
        if season:
            rivals["seasonal"] = lambda past, horizon: naive.seasonal(past, horizon, season)
        return {name: of_batches(rival, self.config.horizon) for name, rival in rivals.items()}

    def _persistence(self, past: np.ndarray, horizon: int) -> np.ndarray:
        """The last value, with the quantiles of past changes around it where quantiles are asked."""
        last = naive.persistence(past, horizon)
        if not self.config.quantiles:
            return last
        return last[..., None] + np.array(self.facts["change_quantiles"])

    def _read(self, paths: Sequence[Path]) -> SeriesSet:
        return read_series(
            only_one(
                paths, "forecast", _("put the series below each other in one file, with --group")
            ),
            known_roles(dict(self.facts)),
            self.config.missing,
        )

    def _in_run_units(self, series: SeriesSet) -> SeriesSet:
        return series.logarithms() if self.config.log else series

    def _in_units(self, scaled: np.ndarray) -> np.ndarray:
        """[… target] from the scaler's units into the file's."""
        values = self.scaler.undo(scaled)
        return np.exp(values) if self.config.log else values

    def _too_short(self, paths: Sequence[Path], rows: int, horizon: int) -> Exception:

        return DataFault(
            "DATA-TOO-SHORT",
            place=str(paths[0]),
            found=_("{rows} rows").format(rows=rows),
            why=_("the run reads {lookback} rows and needs {horizon} more to be measured").format(
                lookback=self.config.lookback, horizon=horizon
            ),
            next_step=_("give a file with at least {rows} rows").format(
                rows=self.config.lookback + horizon
            ),
        )

    def _plot_steps(
        self, data: ForecastData, part: Part
    ) -> tuple[Callable[[Figure], None], Predictions]:
        """Error at each step ahead, the model beside its rivals."""
        lines = {
            name: [row["mse_scaled"] for row in found.details["by_step"]]
            for name, found in {
                **self.baselines(data, part),
                self.config.model: self.evaluate(data, part),
            }.items()
        }

        def draw(figure: Figure) -> None:
            axes = figure.subplots()
            for number, (name, values) in enumerate(lines.items()):
                learned = name == self.config.model
                axes.plot(
                    range(1, len(values) + 1), values, label=name,
                    marker="o" if len(values) < 20 else None,
                    linewidth=2 if learned else 1.2,
                    linestyle="-" if learned else ("--", ":", "-.", (0, (5, 1)))[number % 4],
                )  # fmt: skip
            axes.set_xlabel("rows ahead")
            axes.set_ylabel("mse_scaled")
            axes.legend()

        rows = list(zip(range(1, self.config.horizon + 1), *lines.values(), strict=True))
        return draw, Predictions(("step", *lines), rows)

    def _plot_windows(
        self, data: ForecastData, part: Part
    ) -> tuple[Callable[[Figure], None], Predictions]:
        """The window whose error is the median, and the worst one."""

        windows = data.windows[part]
        errors = self.score(windows, self.forecast).window_mse
        order = errors.argsort()
        chosen = {"median": int(order[len(order) // 2]), "worst": int(order[-1])}
        shown = min(self.config.lookback, 4 * self.config.horizon + 8)
        middle = self.config.quantiles.index(0.5) if self.config.quantiles else None
        pictures: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        rows: list[tuple[Any, ...]] = []
        for name, number in chosen.items():
            batch = windows.take([number])
            forecast = self.forecast(batch)[0, :, 0]
            forecast = forecast if middle is None else forecast[:, middle]
            past, future, guess = (
                self._in_units(part.numpy()[:, None])[:, 0]
                for part in (batch.past[0, -shown:, 0], batch.future[0, :, 0], forecast)
            )
            pictures[name] = past, future, guess
            rows += [(name, t - shown + 1, value, "") for t, value in enumerate(past)]
            rows += [(name, t + 1, *pair) for t, pair in enumerate(zip(future, guess, strict=True))]

        def draw(figure: Figure) -> None:
            for axes, (name, (past, future, guess)) in zip(
                figure.subplots(1, 2), pictures.items(), strict=True
            ):
                ahead = np.arange(1, len(future) + 1)
                axes.plot(np.arange(1 - len(past), 1), past, color="#666666", label="past")
                few = len(future) < 20
                axes.plot(ahead, future, marker="o" if few else None, markersize=3, label="future")
                axes.plot(
                    ahead, guess, linestyle="--", marker="x" if few else None, label="forecast"
                )
                axes.set_title(f"{self.targets[0]}: {name} window")
                axes.set_xlabel("rows from now")
                axes.legend()

        return draw, Predictions(("window", "row", "value", "forecast"), rows)


def of_batches(rival: Callable[..., np.ndarray], horizon: int) -> Forecaster:
    """A numpy forecaster of (past, horizon) as one of batches."""

    def forecast(batch: SeriesBatch) -> Tensor:
        past = batch.past[..., : batch.future.shape[-1]].numpy().astype(float)
        return torch.from_numpy(rival(past, horizon))

    return forecast
