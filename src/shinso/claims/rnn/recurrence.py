"""The recurrent weight carries the past: without it, binary addition loses the carry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: binary addition", "3 日目 再帰型ネットワーク：バイナリ加算"
)
SAYS = Text(
    "The recurrent weight carries the state of the past to the present; an RNN learns binary "
    "addition because it passes the carry on through it.",
    "再帰の重みは過去の状態を現在へ運ぶ。RNN がバイナリ加算を学習できるのは、"
    "この重みを通して桁上がりを渡すからである。",
)
TRUTH = None
METHOD = Text(
    "The course's network (2–16–1 sigmoids, one pair at a time, learning rate 0.1, exact gradient) "
    "learns from 10,000 random pairs. Then all 16,384 pairs are added. Counted is the share of "
    "right bits, once where a carry comes in and once where none does; the mean of both shares is "
    "the balanced accuracy. A network without memory cannot know the carry and reaches about 0.5.",
    "講座のネットワーク (シグモイドの 2–16–1、1 組ずつ、学習率 0.1、正しい勾配) を乱数の 10,000 組で学習させ、"
    "16,384 組すべてを足させる。下の桁から桁上がりが入る桁と入らない桁に分けて正解率を求め、その平均を均衡正解率"
    "とする。記憶のないネットワークは桁上がりを知りえず、約 0.5 になる。",
)
CONTROL = Text(
    "The recurrent weight is held at 0, from the first step of learning on.",
    "再帰の重みを学習の初めから 0 に固定する。",
)
RULE = Text(
    "Holds if the 95 % interval of the balanced accuracy over seeds lies above 0.9; does not hold "
    "if it lies below 0.6; otherwise undecided.",
    "シードにわたる均衡正解率の 95 % 区間が 0.9 より上なら成り立つ。0.6 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 10.0, "full": 35.0}

PAIRS = 10_000
CARRIED, LOST = 0.9, 0.6


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.figures import binary_addition as addition

    config = addition.Config(seed=seed, gradient="exact", pairs=PAIRS, cut_recurrence=control)
    learnt = addition.train(config)
    operand = np.arange(2 ** (config.bits - 1))
    pairs = np.stack(np.meshgrid(operand, operand), -1).reshape(-1, 2)
    inputs = addition.to_bits(pairs, config.bits).swapaxes(1, 2)
    sums = addition.to_bits(pairs.sum(axis=1), config.bits)
    right = np.round(addition.forward(learnt.weights, inputs)[1]) == sums
    carry = inputs.sum(axis=2) % 2 != sums
    with_carry, without = float(right[carry].mean()), float(right[~carry].mean())
    return {
        "balanced_accuracy": (with_carry + without) / 2,
        "accuracy_with_carry": with_carry,
        "accuracy_without_carry": without,
        "sum_accuracy": learnt.sum_accuracy,
        "learnt_pairs": learnt.recorded_pairs.astype(float).tolist(),
        "mean_losses": learnt.mean_losses.tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    balanced = share(column(measurements, "balanced_accuracy"))
    sums = share(column(measurements, "sum_accuracy"))
    if balanced.low > CARRIED:
        verdict = Verdict.HOLDS
    elif balanced.high < LOST:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    least, most = f"{balanced.low:.3f}", f"{balanced.high:.3f}"
    en_ends, ja_ends = (
        ("", "") if least == most else (f" ({least} to {most})", f" ({least}〜{most})")
    )
    return Finding(
        verdict=verdict,
        because=Text(
            f"The balanced accuracy is {balanced.value:.3f}{en_ends}; {sums.value:.1%} of all sums are "
            "wholly right.",
            f"均衡正解率は {balanced.value:.3f}{ja_ends} で、和がすべての桁で正しい組は "
            f"{sums.value:.1%} である。",
        ),
        estimates=(
            intervals.estimate(
                Text("balanced accuracy of bits (share)", "桁の均衡正解率 (割合)"),
                balanced,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("sums wholly right (share)", "すべての桁が正しい和 (割合)"), sums, seeds=seeds
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Learning curves on the left, accuracy with and without a carry coming in on the right."""
    from shinso.claims.drawing import curves, dots, legend

    left, right = figure.subplots(1, 2)
    curves(
        left,
        curve(measurements[0], "learnt_pairs"),
        [curve(m, "mean_losses") for m in measurements],
        [curve(m, "mean_losses") for m in controls],
        xlabel=Text("pairs learnt from", "学習した組の数"),
        ylabel=Text("loss Σ(d − y)²/2, mean of 100 pairs", "損失 Σ(d − y)²/2 (100 組の平均)"),
    )
    left.set_ylim(top=1.25 * left.get_ylim()[1])  # leaves a place for the legend
    legend(left, loc="upper right")
    names = ("accuracy_with_carry", "accuracy_without_carry")
    dots(
        right,
        [Text("carry comes in", "桁上がりあり"), Text("no carry", "桁上がりなし")],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("right bits (share)", "正しい桁の割合"),
    )
    right.set_ylim(-0.05, 1.05)
    right.get_legend().remove()  # the left one tells what the colours are
