"""Forecasting of one or many series, several steps ahead, beside the naive rivals.

Place in the course: day 3, recurrent networks (the sine figure is its smallest case). Reads CSV or
Parquet, wide or long; the row order is the index, dates are labels, gaps are said and never
filled. The split is chronological, the scaler is fitted on the train part only.

Measured results, with command, time and hardware: docs/results/forecast.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from shinso.language import Text, _
from shinso.recipes.recipe import Brief, Built, ModelChoice, Part
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from shinso.data.series import SeriesRoles
    from shinso.data.windows import Windows
    from shinso.recipes.uses.forecasts import ForecastData, ForecastUse

TITLE = Text("Forecasting of series", "系列の予測")
PLACE = Text("Day 3: recurrent networks, LSTM, GRU", "3 日目: RNN、LSTM、GRU")
READS = Text(
    "CSV or Parquet: a row is a time (wide), or one row for each series and time (long, --group)",
    "CSV または Parquet。1 行が 1 時点 (横持ち)、または系列ごとの 1 時点 (縦持ち、--group)",
)
ABOUT = Text(
    "A recurrent network reads the last rows of a series and predicts the change from its last "
    "value at each of the next rows. Persistence, drift, season and a linear autoregression stand "
    "beside it in every table: on prices and exchange rates they are hard to beat.",
    "再帰型ネットワークが系列の直近の行を読み、最後の値からの変化を先の各行について予測します。"
    "どの表にも、持続・ドリフト・季節・線形自己回帰の予測が並びます。価格や為替では、"
    "これらに勝つことは簡単ではありません。",
)
RECURRENT = "shinso.models.recurrent_forecaster:RecurrentForecaster"
MODELS = {
    "gru": ModelChoice(RECURRENT, {"cell": "gru"}),
    "lstm": ModelChoice(RECURRENT, {"cell": "lstm"}),
    "rnn": ModelChoice(RECURRENT, {"cell": "rnn"}),
    "linear": ModelChoice("shinso.models.linear_autoregression:LinearAutoregression"),
    "wavenet": ModelChoice("shinso.models.wavenet_forecaster:WaveNetForecaster"),
}
BRIEF = Brief(
    sample="prices.csv",
    models=("linear", "rnn", "lstm", "gru"),
    settings={"time": "date", "target": "close", "horizon": 5, "lookback": 32, "steps": 150},
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train forecast``."""

    time: str = setting("", "column of dates or times: labels, checked for their order")
    target: tuple[str, ...] = setting((), "columns to forecast; all columns of numbers without")
    past: tuple[str, ...] = setting((), "columns known only up to now")
    group: str = setting("", "column that names the series, where a file holds several")
    missing: Literal["fail", "drop"] = setting("fail", "rows with empty cells: fail, or drop aloud")
    lookback: int = setting(96, "rows that the model reads", unit="rows")
    horizon: int = setting(1, "rows that it forecasts", unit="rows")
    split: str = setting("0.7,0.1,0.2", "train, valid, test: shares, or numbers of rows")
    season: int = setting(0, "rows of a period, for the seasonal rival; 0: found in the train part")
    log: bool = setting(
        False, "forecast logarithms: for prices and all whose changes grow with their level"
    )
    quantiles: tuple[float, ...] = setting((), "quantiles to forecast, such as 0.1,0.5,0.9")
    loss: Literal["mse", "mae", "huber"] = setting("mae", "what is minimized, without quantiles")
    mirrored: bool = setting(True, "learn half of the windows upside down: no drift is learned")
    cautious: bool = setting(True, "leave persistence only for a gain beyond chance")
    model: str = setting("gru", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=800, batch_size=64, lr=3e-3, evaluate_every=50, patience=8
    )

    def __post_init__(self) -> None:
        from shinso.data.splits import ChronologicalSplit

        ChronologicalSplit.parse(self.split)
        self.roles()
        for name in ("lookback", "horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 <= self.season <= self.lookback:
            raise ValueError(
                f"season is {self.season}; give 0 to lookback ({self.lookback}) rows, "
                "because the seasonal rival repeats what the look-back holds"
            )
        if list(self.quantiles) != sorted(set(self.quantiles)) or not all(
            0 < q < 1 for q in self.quantiles
        ):
            raise ValueError(f"quantiles is {self.quantiles}; give rising numbers between 0 and 1")
        if self.quantiles and 0.5 not in self.quantiles:
            raise ValueError(f"quantiles is {self.quantiles}; 0.5 must be one: it is the forecast")

    def roles(self) -> SeriesRoles:
        """What each column is. ValueError where one has two roles."""
        from shinso.data.series import SeriesRoles

        return SeriesRoles(
            time=self.time or None, target=self.target, past=self.past, group=self.group or None
        )


def read(config: Config, paths: Sequence[Path]) -> ForecastData:
    """One file of series. Raises DataFaults."""
    from shinso.data.scaling import fit_on_rows
    from shinso.data.series import read_series
    from shinso.data.splits import ChronologicalSplit, unused_rows
    from shinso.data.windows import Windows
    from shinso.models.autoregressive_baseline import AutoregressiveBaseline
    from shinso.models.naive_forecasters import change_quantiles, find_season
    from shinso.recipes.uses.files import only_one
    from shinso.recipes.uses.forecasts import ForecastData

    series = read_series(only_one(paths, "forecast"), config.roles(), config.missing)
    if config.log:
        series = series.logarithms()
    split = ChronologicalSplit.parse(config.split)
    rows = split.of(series, lookback=config.lookback, horizon=config.horizon)
    scaler = fit_on_rows(series, rows["train"])
    scaled = scaler.scaled(series)
    windows: dict[Part, Windows] = {
        part: Windows(
            scaled.values,
            rows[part],
            lookback=config.lookback,
            horizon=config.horizon,
            num_targets=series.num_targets,
        )
        for part in ("train", "valid", "test")
    }
    train = [
        values[part.start : part.stop, : series.num_targets]
        for values, part in zip(scaled.values, rows["train"], strict=True)
    ]
    season = config.season or find_season(train, config.lookback)
    extra = {
        "split": str(split),
        "windows": {part: len(found) for part, found in windows.items()},
        "season": season,
        "naive_mae": _naive_mae(train, max(season, 1)),
        "autoregression": AutoregressiveBaseline.fit(train).to_dict(),
    }
    if config.quantiles:
        spread = change_quantiles(train, config.horizon, config.quantiles)
        extra["change_quantiles"] = spread.tolist()
    notes = [*series.notes, *scaler.notes, *unused_rows(split, series)]
    if not config.season:
        notes.append(
            _("the season found in the train part is {season} rows").format(season=season)
            if season
            else _("no season was found in the train part; give one with --season")
        )
    return ForecastData(series, scaler, windows, tuple(notes), extra)


def _naive_mae(train: Sequence[np.ndarray], season: int) -> list[float]:
    """Of each target: mean absolute error of the (seasonal) naive forecast, one step, on the
    train part; 1 where that is zero (a constant column)."""
    import numpy as np

    parts = [np.abs(one[season:] - one[:-season]) for one in train if len(one) > season]
    if not parts:
        return [1.0] * train[0].shape[1]
    found = np.concatenate(parts).mean(axis=0)
    return [float(value) or 1.0 for value in found]


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    return network(
        network_config,
        lookback=config.lookback,
        horizon=config.horizon,
        num_channels=len(facts["targets"]) + len(facts["past"]),
        num_targets=len(facts["targets"]),
        num_quantiles=len(config.quantiles),
    )


def build(config: Config, data: ForecastData, model: nn.Module, seed: int) -> Built:
    import torch

    from shinso.data.on_device import OnDevice
    from shinso.data.shuffled import ShuffledSource
    from shinso.objectives.forecast_scores import gain_over
    from shinso.objectives.forecasting import ForecastObjective
    from shinso.recipes.uses.forecasts import ForecastUse
    from shinso.training.loop import Selection

    device = next(model.parameters()).device
    source = ShuffledSource(data.windows["train"], config.training.batch_size, seed)
    objective = ForecastObjective(
        ForecastObjective.Config(
            loss=config.loss, quantiles=config.quantiles, mirrored=config.mirrored
        )
    )
    use_of_model = ForecastUse(config, data.facts(), model)
    if config.quantiles:
        cast(Any, model).start_spread(
            torch.tensor(data.extra["change_quantiles"], dtype=torch.float32)
        )
    # The untrained network is persistence, with persistence's own quantiles where these are asked.
    naive = use_of_model.score(data.windows["valid"], use_of_model.forecast).window_loss

    def validate() -> Mapping[str, float]:
        # Persistence is left only for what beats it by more than the validation part's few
        # independent windows can show by chance (005).
        model.eval()
        scores = use_of_model.score(data.windows["valid"], use_of_model.forecast)
        found = scores.metrics()
        loss = scores.window_loss
        gain = gain_over(loss, naive, config.horizon)
        proven = gain.above_zero or not config.cautious
        earned = loss.mean() if proven else naive.mean()
        return {**found, "loss_earned_scaled": float(earned), "gain_low_scaled": gain.low}

    return Built(
        objective=objective,
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("loss_earned_scaled"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ForecastUse:
    from shinso.recipes.uses.forecasts import ForecastUse

    return ForecastUse(config, facts, model)
