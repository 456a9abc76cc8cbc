"""Batch normalization reaches a loss in fewer steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, batch normalization: speed of learning", "4 日目 バッチ正規化：学習の速さ")
SAYS = Text(
    "With batch normalization larger learning rates can be used and learning takes fewer steps.",
    "バッチ正規化により学習率を大きくでき、学習に要するステップが減る。",
)
TRUTH = None
METHOD = Text(
    "A network of six hidden layers learns real handwritten digits (8×8) by plain gradient descent, "
    "with and without batch normalization, each at four learning rates; counted are the steps until the "
    "running mean of the loss is below 0.3, at each one's best rate.",
    "隠れ層 6 層のネットワークに実在の手書き数字 (8×8) を単純な勾配降下法で学習させる。バッチ正規化の有無"
    "それぞれに 4 通りの学習率を試し、損失の移動平均が 0.3 を下回るまでのステップ数を最良の学習率で比べる。",
)
CONTROL = Text(
    "Gain and bias stay, but mean and variance of the mini-batch are not taken: 0 and 1 stand in their place.",
    "ゲインとバイアスは残し、ミニバッチの平均と分散を使わない (0 と 1 で置き換える)。",
)
RULE = Text(
    "Holds if the 95 % interval of log(steps without / steps with) lies above log 1.2; does not hold if "
    "it lies below 0; otherwise undecided.",
    "log (正規化なしのステップ数 ÷ ありのステップ数) の 95 % 区間が log 1.2 より上なら成り立つ。"
    "0 より下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 90.0}

RATES = (0.03, 0.1, 0.3, 1.0)
STEPS = {"quick": 250, "full": 400}
TARGET_LOSS, LEAST_GAIN = 0.3, 1.2


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.batchnorm._networks import Norm, deep, descend
    from shinso.claims.image_training import digits
    from shinso.claims.sequence_training import seeded

    kinds: dict[str, Norm] = {"with": "still" if control else "batch", "without": "none"}
    found: dict[str, float | list[float] | list[list[float]] | str] = {}
    for name, norm in kinds.items():
        best, losses = STEPS[profile] + 1, []
        for rate in RATES:
            with seeded(seed) as generator:
                data = digits(generator)
                curve_of, steps = descend(
                    deep(norm), data, generator, steps=STEPS[profile], lr=rate, until=TARGET_LOSS
                )
            if steps < best:
                best, losses = steps, curve_of
                found[f"rate_{name}"] = rate
        found[f"steps_{name}"] = float(best)
        found[f"losses_{name}"] = losses
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    import math

    with_, without = (column(measurements, f"steps_{name}") for name in ("with", "without"))
    logs = [math.log(b / a) for a, b in zip(with_, without, strict=True)]
    gain = intervals.mean(logs)
    if gain.low > math.log(LEAST_GAIN):
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    times = [math.exp(one) for one in (gain.value, gain.low, gain.high)]
    shown = intervals.Interval(*times)
    seeds = len(measurements)
    steps = {"with": intervals.mean(with_), "without": intervals.mean(without)}
    return Finding(
        verdict=verdict,
        because=Text(
            f"{steps['with'].value:.0f} steps with normalization, {steps['without'].value:.0f} without; "
            f"{times[0]:.2f} times fewer ({times[1]:.2f} to {times[2]:.2f}).",
            f"正規化ありで {steps['with'].value:.0f} ステップ、なしで {steps['without'].value:.0f} ステップ。"
            f"ステップ数の比 (なし ÷ あり) は {times[0]:.2f} ({times[1]:.2f}〜{times[2]:.2f})。",
        ),
        estimates=(
            intervals.estimate(
                Text("steps without over steps with (ratio)", "ステップ数、正規化なし ÷ あり (比)"),
                shown,
                seeds=seeds,
            ),
            *(
                intervals.estimate(
                    Text(
                        f"steps {name} normalization (count)",
                        f"ステップ数、{'正規化あり' if name == 'with' else '正規化なし'} (回)",
                    ),
                    one,
                    seeds=seeds,
                )
                for name, one in steps.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Loss at each one's best rate, with the control's lines and the network without."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, one in enumerate(side[:1]):
            axes.plot(
                curve(one, "losses_with"),
                **{**style, "marker": None},
                label=spoken(label) if number == 0 else None,
            )
    for one in measurements[:1]:
        axes.plot(
            curve(one, "losses_without"),
            color="0.5",
            label=spoken(Text("without normalization", "正規化なし")),
        )
    target = Text(f"target of the mean, {TARGET_LOSS}", f"移動平均の目標値 {TARGET_LOSS}")
    axes.axhline(TARGET_LOSS, color="0.1", linestyle=":", label=spoken(target))
    axes.set_xlabel(spoken(Text("step (first seed)", "ステップ (最初のシード)")))
    axes.set_ylabel(spoken(Text("loss (nats)", "損失 (nats)")))
    legend(axes)
