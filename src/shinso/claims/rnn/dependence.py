"""Observations of a time series depend on their past."""

# statsmodels annotates a table as optional that it always returns here.
# pyright: reportOptionalSubscript=false

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, share
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: what a time series is",
    "3 日目 再帰型ネットワーク：時系列データとは",
)
SAYS = Text(
    "Time-series data are observed one after another at regular intervals, and neighbouring values "
    "depend on each other statistically.",
    "時系列データとは、一定の間隔で順に観察され、互いに統計的な依存関係が認められるデータの系列である。",
)
TRUTH = Text(
    "For the values themselves. In most windows the daily change of an exchange rate shows no "
    "dependence on earlier changes, while its size does. Forecasting needs to know which is meant.",
    "値そのものについては正しい。為替レートの日々の変化は、多くの区間で過去の変化への依存が認められず、"
    "依存が認められるのは変化の大きさである。予測では、どれを指すのかを区別する必要がある。",
)
METHOD = Text(
    "Ljung–Box tests over 10 lags on daily exchange rates of eight currencies, in a window of 1,000 "
    "days that each seed places anew: on the rates, on their daily changes and on the squares of "
    "these. Counted is the share of currencies with p < 0.01. Where the rates are not on this "
    "machine, eight other real series that come with statsmodels stand in, and the result says so.",
    "8 通貨の日次為替レートに、ラグ 10 までのリュング・ボックス検定を行う。窓は 1,000 日で、位置はシードごとに"
    "選ぶ。レート、日々の変化、その二乗のそれぞれで、p < 0.01 となる通貨の割合を数える。レートのデータが"
    "この計算機にないときは、statsmodels に付属する 8 本の実データで代用し、結果にその旨を記す。",
)
CONTROL = Text(
    "The same numbers in shuffled order: what depended on the order is gone.",
    "検定する数値の順序を無作為に並べ替える。順序による依存がなくなる。",
)
RULE = Text(
    "Holds if the 95 % interval over seeds of the share of series that depend on their past lies "
    "above 0.9; does not hold if it lies below 0.5; otherwise undecided. Changes and squares are "
    "shown and not judged.",
    "過去に依存する系列の割合の、シードにわたる 95 % 区間が 0.9 より上なら成り立つ。0.5 より下なら"
    "成り立たない。それ以外は判定できない。変化とその二乗は参考として示し、判定には使わない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 5.0, "full": 15.0}

RATES = "exchange_rate/exchange_rate.txt.gz"
CURRENCIES = ["Australia", "Britain", "Canada", "Switzerland", "China", "Japan", "New Zealand", "Singapore"]  # fmt: skip
LAGS, LEVEL, DAYS = 10, 0.01, 1000
MOST, FEW = 0.9, 0.5
SMALLEST_DRAWN = 1e-20
NAMES = {
    "values": Text("values", "値"),
    "changes": Text("changes", "変化"),
    "squares": Text("squared changes", "変化の二乗"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    from statsmodels.stats.diagnostic import acorr_ljungbox

    rng = np.random.default_rng(seed)
    data, series = _series()
    p_values = {name: [] for name in NAMES}
    for values in series:
        days = min(DAYS, len(values) * 3 // 4)
        start = rng.integers(len(values) - days + 1)
        window = values[start : start + days]
        changes = np.diff(window)
        for name, tested in zip(NAMES, (window, changes, changes**2), strict=True):
            ordered = rng.permutation(tested) if control else tested
            p_values[name].append(float(acorr_ljungbox(ordered, lags=[LAGS])["lb_pvalue"].iloc[0]))
    shares = {f"share_{name}": float(np.mean(np.array(p) < LEVEL)) for name, p in p_values.items()}
    return {"data": data, **shares, "p_of_values": p_values["values"]}


def _series() -> tuple[str, list[np.ndarray]]:
    """Where the series come from, and the logarithm of each exchange rate or the stand-ins."""
    import numpy as np

    from shinso.data import registry

    path = registry.find(RATES)
    if path is None:
        return "statsmodels samples", _stand_ins()
    with gzip.open(path, "rt") as file:
        rates = np.loadtxt(file, delimiter=",")
    return "exchange rates", list(np.log(rates).T)


def _stand_ins() -> list[np.ndarray]:
    """Real series that are installed with statsmodels: sunspots, the Nile, the US economy."""
    import numpy as np
    from statsmodels import datasets

    economy = datasets.macrodata.load_pandas().data
    names = ["realgdp", "unemp", "infl", "tbilrate", "m1", "cpi"]
    sunspots = datasets.sunspots.load_pandas().data["SUNACTIVITY"]
    nile = datasets.nile.load_pandas().data["volume"]
    return [np.asarray(values, float) for values in (sunspots, nile, *(economy[n] for n in names))]


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    shares = {name: share(column(measurements, f"share_{name}")) for name in NAMES}
    values = shares["values"]
    if values.low > MOST:
        verdict = Verdict.HOLDS
    elif values.high < FEW:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    real = measurements[0]["data"] == "exchange rates"
    en = "" if real else " The exchange rates are not on this machine: other real series stand in."
    ja = "" if real else "為替レートのデータがこの計算機にないため、別の実データで代用した。"
    changes, squares = shares["changes"].value, shares["squares"].value
    least, most = f"{values.low:.0%}", f"{values.high:.0%}"
    en_ends, ja_ends = (
        ("", "") if least == most else (f" ({least} to {most})", f" ({least}〜{most})")
    )
    return Finding(
        verdict=verdict,
        because=Text(
            f"{values.value:.0%}{en_ends} of the series depend on their past; of their changes "
            f"{changes:.0%} do, of the squared changes {squares:.0%}.{en}",
            f"過去に依存する系列は {values.value:.0%}{ja_ends} である。変化では {changes:.0%}、"
            f"変化の二乗では {squares:.0%} である。{ja}",
        ),
        estimates=tuple(
            intervals.estimate(
                Text(
                    f"series whose {NAMES[name].en} depend on their past (share)",
                    f"{NAMES[name].ja}が過去に依存する系列 (割合)",
                ),
                found,
                seeds=seeds,
            )
            for name, found in shares.items()
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """p values of all series on the left, shares that depend on the right."""
    from matplotlib.ticker import NullLocator

    from shinso.claims.drawing import dots, legend

    left, right = figure.subplots(1, 2)

    def p_values(side: Sequence[Measurement]) -> list[list[float]]:
        return [[max(p, SMALLEST_DRAWN) for m in side for p in curve(m, "p_of_values")]]

    dots(
        left,
        [NAMES["values"]],
        p_values(measurements),
        p_values(controls),
        ylabel=Text(
            "p value of Ljung–Box (smaller ones at 10⁻²⁰)",
            "リュング・ボックス検定の p 値 (10⁻²⁰ 未満は 10⁻²⁰)",
        ),
    )
    left.axhline(LEVEL, color="0.4", linewidth=0.8, label="p = 0.01")
    left.set_yscale("log")
    left.set_ylim(SMALLEST_DRAWN / 10, 1)
    for marks in left.lines:
        marks.set_clip_on(False)
    left.set_yticks([10.0**-power for power in range(0, 21, 4)])
    left.yaxis.set_minor_locator(NullLocator())
    left.set_xlim(-0.4, 1.8)  # leaves a place for the legend
    legend(left, loc="center right")
    dots(
        right,
        list(NAMES.values()),
        [column(measurements, f"share_{name}") for name in NAMES],
        [column(controls, f"share_{name}") for name in NAMES],
        ylabel=Text("series with p < 0.01 (share)", "p < 0.01 となる系列の割合"),
    )
    right.set_ylim(-0.05, 1.05)
    right.get_legend().remove()  # the left one tells what the marks are
