"""Peepholes win where precise timing is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, said
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: peephole connections", "3 日目 LSTM：覗き穴結合")
SAYS = Text(
    "Peephole connections let the gates see the cell's own value, and with it an LSTM masters tasks "
    "that need precise timing.",
    "覗き穴結合はセル自身の値をゲートに伝える。これにより LSTM は正確なタイミングを要する課題をこなせる。",
)
TRUTH = None
METHOD = Text(
    "Spikes arrive 10 to 20 steps apart; at each the network is asked how long ago the one before was. "
    "LSTMs of 8 units with and without peepholes start from the same weights, forget gates open, and learn "
    "equally long on 60 steps; squared error on 1,000 new sequences.",
    "10〜20 ステップおきにパルスが来る。そのたびに、直前のパルスからの経過を答える。覗き穴結合のある LSTM と"
    "ない LSTM (8 ユニット) を同じ重み (忘却ゲートは開いた状態) から始め、60 ステップの系列で同じだけ学習させ、新しい 1,000 系列での"
    "二乗誤差を比べる。",
)
CONTROL = Text(
    "No timing is needed: the height of the spike tells the interval.",
    "タイミングを測る必要をなくす。パルスの高さが間隔を示す。",
)
RULE = Text(
    "Taken is the ratio of errors, with peepholes over without, as a geometric mean over seeds. Holds "
    "if its 95 % interval lies below 0.8; does not hold if it lies above 0.8; otherwise undecided.",
    "覗き穴結合なしに対するありの誤差の比を、シードにわたる幾何平均で求める。95 % 区間が 0.8 より下なら成り立つ。"
    "0.8 より上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 40.0, "full": 300.0}

HIDDEN, LENGTH, BATCH, TESTED, LR = 8, 60, 32, 1000, 2e-2
STEPS = {"quick": 800, "full": 2000}
BETTER, FORGET_BIAS = 0.8, 3.0


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    return {
        f"error_{name}": _error(seed, peephole=there, told=control, steps=STEPS[profile])
        for name, there in (("with", True), ("without", False))
    }


def _error(seed: int, *, peephole: bool, told: bool, steps: int) -> float:
    """Squared error of the interval, whose range is 0 to 1, on new sequences."""
    import numpy as np

    from shinso.claims.sequence_training import Reader, answers, learn, seeded, set_gate_bias
    from shinso.data.sequence_tasks import spike_intervals
    from shinso.nn import LSTM

    with seeded(seed):
        rng = np.random.default_rng(seed)

        def draw_spikes(num: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
            x, interval = spike_intervals(num, LENGTH, rng)
            return (x + interval.nan_to_num(0) if told else x), interval

        def loss(answer: torch.Tensor, interval: torch.Tensor) -> torch.Tensor:
            asked = ~interval.isnan()
            return (answer[asked] - interval[asked]).square().mean()

        layer = LSTM(1, HIDDEN, batch_first=True, peephole=peephole)
        set_gate_bias(layer, slice(HIDDEN, 2 * HIDDEN), FORGET_BIAS)
        model = Reader(layer, HIDDEN, 1, last_only=False)
        learn(model, draw_spikes, loss, steps=steps, lr=LR)
        x, interval = draw_spikes(TESTED)
        return float(loss(answers(model, x), interval))


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    having, lacking = (column(measurements, f"error_{name}") for name in ("with", "without"))
    ratio = intervals.geometric_mean([a / b for a, b in zip(having, lacking, strict=True)])
    if ratio.high < BETTER:
        verdict = Verdict.HOLDS
    elif ratio.low > BETTER:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    with_it, without = intervals.geometric_mean(having), intervals.geometric_mean(lacking)
    return Finding(
        verdict=verdict,
        because=Text(
            f"With peepholes the error is {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) of that "
            f"without: {said(with_it.value)} and {said(without.value)} (geometric means).",
            f"覗き穴結合ありの誤差は、なしの {ratio.value:.2f} 倍 ({ratio.low:.2f}〜{ratio.high:.2f}) である。"
            f"幾何平均はありが {said(with_it.value)}、なしが {said(without.value)} である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "error with peepholes over without (ratio)",
                    "覗き穴結合ありの誤差の、なしに対する比",
                ),
                ratio,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "squared error with peepholes (range 1)",
                    "覗き穴結合ありの二乗誤差 (幅を 1 とする)",
                ),
                with_it,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "squared error without peepholes (range 1)",
                    "覗き穴結合なしの二乗誤差 (幅を 1 とする)",
                ),
                without,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error of both networks at every seed."""
    from shinso.claims.drawing import dots, legend

    axes = figure.subplots()
    names = ("error_without", "error_with")
    dots(
        axes,
        [Text("without peepholes", "覗き穴結合なし"), Text("with peepholes", "覗き穴結合あり")],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("squared error of the interval (range 1)", "間隔の二乗誤差 (幅を 1 とする)"),
    )
    axes.set_yscale("log")
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
