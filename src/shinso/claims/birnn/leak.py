"""In forecasting, a bidirectional network that reads the target window is a leak."""

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

PLACE = Text("Day 3, bidirectional RNN", "3 日目 双方向 RNN")
SAYS = Text(
    "The future that a bidirectional RNN reads is not there when a series is forecast: letting it "
    "read the target window is a leak, and shinso's forecasting refuses it.",
    "双方向 RNN が読む未来は、予測の時点では存在しない。予測対象の区間を読ませるのは情報リークであり、"
    "shinso の予測はこれを拒む。",
)
TRUTH = None
METHOD = Text(
    "A bidirectional GRU learns to say the next step of a random walk, on which nothing honest beats "
    "saying the last value again (error 1). Taken is its mean squared error within the series, "
    "where its backward direction has read the answer, and at the series' last step, where there "
    "is nothing to read. shinso's forecasting is asked for a bidirectional network.",
    "双方向 GRU に、ランダムウォークの次の値を学習させる。正直な方法では、直前の値をそのまま答える場合の誤差 1 "
    "を下回れない。系列の途中 (逆方向が答えを読んでいる) と、系列の最後 (読むものがない) で平均二乗誤差を"
    "測る。あわせて shinso の forecast に双方向のネットワークを求めてみる。",
)
CONTROL = Text(
    "The backward direction is taken away: a GRU that reads forward only.",
    "逆方向を取り除く。順方向だけの GRU とする。",
)
RULE = Text(
    "Holds if the 95 % interval of the error within the series lies below 0.5 (too good to be true), "
    "that of the error at the last step above 0.9 (nothing was learnt), and forecasting refuses. "
    "Does not hold if the error within lies above 0.5 or forecasting takes it; otherwise undecided.",
    "系列の途中の誤差の 95 % 区間が 0.5 より下 (ありえない良さ)、最後の誤差の区間が 0.9 より上"
    "(実は何も学習していない)、かつ forecast が拒めば成り立つ。途中の誤差の区間が 0.5 より上か、forecast が"
    "受け入れれば成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 60.0}

HIDDEN, LENGTH, BATCH, TESTED, LR = 8, 24, 32, 8000, 1e-2
STEPS = {"quick": 300, "full": 600}
TOO_GOOD, HONEST = 0.5, 0.9


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch
    from torch.nn import functional as F

    from shinso.claims.sequence_training import Reader, answers, learn, seeded
    from shinso.data.sequence_tasks import random_walk
    from shinso.nn import GRU

    both_ways = not control
    with seeded(seed):
        rng = np.random.default_rng(seed)

        def draw_steps(num: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
            """The walk's steps so far, and the next: saying the last value again says 0 here."""
            walk, following = random_walk(num, LENGTH, rng)
            return torch.diff(walk, dim=1, prepend=torch.zeros(num, 1, 1)), following - walk

        layers = GRU(1, HIDDEN, batch_first=True, bidirectional=both_ways)
        model = Reader(layers, HIDDEN * (2 if both_ways else 1), 1, last_only=False)
        learn(model, draw_steps, F.mse_loss, steps=STEPS[profile], lr=LR)
        x, following = draw_steps(TESTED)
        errors = (answers(model, x) - following).square().mean(dim=(0, 2)).tolist()
    return {
        "error_within_rel": float(np.mean(errors[:-1])),
        "error_at_end_rel": errors[-1],
        "error_by_step_rel": errors,
        "refused": float(_refused(both_ways)),
    }


def _refused(bidirectional: bool) -> bool:
    """Whether ``shinso train forecast`` declines every way of asking for such a network."""
    from shinso.faults import UsageFault
    from shinso.walk.order import place

    asked = ({"bidirectional": True}, {"model": "bigru"}) if bidirectional else ({"model": "gru"},)
    for settings in asked:
        try:
            place("forecast", [], ("claim", settings))
        except UsageFault:
            continue
        return False
    return True


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    within = intervals.mean(column(measurements, "error_within_rel"))
    end = intervals.mean(column(measurements, "error_at_end_rel"))
    refused = all(column(measurements, "refused"))
    if within.low > TOO_GOOD or not refused:
        verdict = Verdict.REFUTED
    elif within.high < TOO_GOOD and end.low > HONEST:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    answer = ("refuses", "拒む") if refused else ("takes", "受け入れる")
    return Finding(
        verdict=verdict,
        because=Text(
            f"The error is {said(within.value)} ({said(within.low)} to {said(within.high)}) of persistence's "
            f"within the series and {end.value:.3f} ({end.low:.3f} to {end.high:.3f}) at its end; "
            f"forecasting {answer[0]} such a network.",
            f"誤差は持続予測に対して、系列の途中で {said(within.value)} 倍 ({said(within.low)}〜"
            f"{said(within.high)})、最後で {end.value:.3f} 倍 ({end.low:.3f}〜{end.high:.3f}) である。"
            f"forecast はこのネットワークを{answer[1]}。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "error within the series, over persistence's (ratio)",
                    "系列の途中の誤差の、持続予測の誤差に対する比",
                ),
                within,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "error at its last step, over persistence's (ratio)",
                    "系列の最後の誤差の、持続予測の誤差に対する比",
                ),
                end,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error of the forecast at each step; the line is persistence, which nothing honest beats."""
    from shinso.claims.drawing import curves, legend, spoken
    from shinso.claims.measured import curve

    axes = figure.subplots()
    curves(
        axes,
        list(range(1, LENGTH + 1)),
        [curve(m, "error_by_step_rel") for m in measurements],
        [curve(m, "error_by_step_rel") for m in controls],
        xlabel=Text("step of the series (24 is the last)", "系列の時刻 (24 が最後)"),
        ylabel=Text("squared error over persistence's", "持続予測に対する二乗誤差の比"),
    )
    axes.axhline(1, color="0.4", linewidth=0.8, label=spoken(Text("persistence", "持続予測")))
    axes.set_yscale("log")
    legend(axes, loc="center left")
