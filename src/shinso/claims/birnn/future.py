"""A bidirectional RNN wins where the label depends on later input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, bidirectional RNN", "3 日目 双方向 RNN")
SAYS = Text(
    "A bidirectional RNN adds information of the future to that of the past and so raises accuracy.",
    "双方向 RNN は、過去だけでなく未来の情報を加味することで精度を向上させる。",
)
TRUTH = Text(
    "Where the label depends on later input. Where it depends on the past alone, the second "
    "direction brings nothing.",
    "ラベルが後の入力に依存する場合に限る。過去だけで決まる場合、逆方向を加えても得るものはない。",
)
METHOD = Text(
    "Each step of a random series is labelled with whether the value 3 steps later is larger. A "
    "bidirectional LSTM (2 × 12 units) and a forward one of about as many parameters (18 units) learn "
    "to label; accuracy is taken on 1,000 new series, edges left out. Without the future at most "
    "0.75 can be reached.",
    "乱数の系列の各時刻に、3 ステップ後の値のほうが大きいかどうかをラベルとして付ける。双方向 LSTM "
    "(12 ユニット × 2) と、パラメータ数の近い順方向 LSTM (18 ユニット) に学習させ、新しい 1,000 系列の"
    "両端を除いた正解率を比べる。未来を見なければ 0.75 が上限である。",
)
CONTROL = Text(
    "Time runs the other way: the label depends on the value 3 steps earlier.",
    "時間の向きを逆にする。ラベルは 3 ステップ前の値で決まる。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in accuracy, bidirectional minus forward, lies above "
    "0.05; does not hold if it lies below 0.05; otherwise undecided.",
    "正解率の差 (双方向 − 順方向) の 95 % 区間が 0.05 より上なら成り立つ。0.05 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 90.0}

AHEAD, LENGTH, BATCH, TESTED, LR = 3, 24, 32, 1000, 1e-2
HIDDEN = {True: 12, False: 18}
STEPS = {"quick": 400, "full": 1000}
GAIN = 0.05


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    accuracy, losses = {}, {}
    for both_ways in (True, False):
        accuracy[both_ways], losses[both_ways] = _label(
            seed, both_ways=both_ways, earlier=control, steps=STEPS[profile]
        )
    return {
        "accuracy_bidirectional": accuracy[True],
        "accuracy_forward": accuracy[False],
        "losses_bidirectional": losses[True],
        "losses_forward": losses[False],
    }


def _label(seed: int, *, both_ways: bool, earlier: bool, steps: int) -> tuple[float, list[float]]:
    """Accuracy on new series and the losses on the way."""
    import numpy as np
    from torch.nn import functional as F

    from shinso.claims.sequence_training import Reader, answers, learn, seeded
    from shinso.data.sequence_tasks import later_label
    from shinso.nn import LSTM

    with seeded(seed):
        rng = np.random.default_rng(seed)

        def draw_series(num: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
            x, label = later_label(num, LENGTH, rng, ahead=AHEAD)
            return (x.flip(1), label.flip(1)) if earlier else (x, label)

        hidden = HIDDEN[both_ways]
        layers = LSTM(1, hidden, batch_first=True, bidirectional=both_ways)
        model = Reader(layers, hidden * (2 if both_ways else 1), 1, last_only=False)
        losses = learn(model, draw_series, F.binary_cross_entropy_with_logits, steps=steps, lr=LR)
        x, label = draw_series(TESTED)
        right = (answers(model, x) > 0) == (label > 0.5)
        return float(right[:, AHEAD:-AHEAD].float().mean()), losses


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    both_ways = column(measurements, "accuracy_bidirectional")
    forward = column(measurements, "accuracy_forward")
    gain = intervals.paired_difference(both_ways, forward)
    if gain.low > GAIN:
        verdict = Verdict.HOLDS
    elif gain.high < GAIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    two, one = share(both_ways), share(forward)
    return Finding(
        verdict=verdict,
        because=Text(
            f"The bidirectional LSTM is right in {two.value:.1%}, the forward one in {one.value:.1%}: a "
            f"difference of {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}).",
            f"正解率は双方向 LSTM が {two.value:.1%}、順方向 LSTM が {one.value:.1%} で、差は "
            f"{gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text("accuracy, bidirectional (share)", "正解率、双方向 (割合)"), two, seeds=seeds
            ),
            intervals.estimate(
                Text("accuracy, forward (share)", "正解率、順方向のみ (割合)"), one, seeds=seeds
            ),
            intervals.estimate(
                Text("difference in accuracy (share)", "正解率の差、双方向 − 順方向 (割合)"),
                gain,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of both; the line is what can be reached without the future."""
    from shinso.claims.drawing import dots, legend, spoken

    axes = figure.subplots()
    names = ("accuracy_forward", "accuracy_bidirectional")
    dots(
        axes,
        [Text("forward only", "順方向のみ"), Text("bidirectional", "双方向")],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("accuracy on new series (share)", "新しい系列での正解率"),
    )
    limit = spoken(Text("best without the future", "未来を見ない場合の上限"))
    axes.axhline(0.75, color="0.4", linewidth=0.8, label=limit)
    axes.set_ylim(0.45, 1.02)
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
