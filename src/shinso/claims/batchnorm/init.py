"""With batch normalization it matters less how weights begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, batch normalization: initial weights", "4 日目 バッチ正規化：重みの初期値")
SAYS = Text(
    "With batch normalization learning depends less on the scale of the initial weights.",
    "バッチ正規化により、重みの初期値の尺度への依存が小さくなる。",
)
TRUTH = None
METHOD = Text(
    "A network of six hidden layers begins with He's deviation times 0.1, 0.3, 1, 3 and 10 and learns "
    "real handwritten digits (8×8) by plain gradient descent, with and without batch normalization. The "
    "spread is the largest minus the least accuracy on 797 digits kept from learning.",
    "隠れ層 6 層のネットワークを He の標準偏差の 0.1、0.3、1、3、10 倍の重みから始め、実在の手書き数字 "
    "(8×8) を単純な勾配降下法で学習させる。学習に使わない 797 枚での正解率の最大と最小の差 (ばらつき) を"
    "バッチ正規化の有無で比べる。",
)
CONTROL = Text(
    "Gain and bias stay, but mean and variance of the mini-batch are not taken: 0 and 1 stand in their place.",
    "ゲインとバイアスは残し、ミニバッチの平均と分散を使わない (0 と 1 で置き換える)。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference of spreads, without − with, lies above 0.2; does not "
    "hold if it lies below 0; otherwise undecided.",
    "ばらつきの差 (正規化なし − あり) の 95 % 区間が 0.2 より上なら成り立つ。0 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 90.0}

SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
STEPS = {"quick": 150, "full": 300}
RATE, LEAST_GAIN = 0.1, 0.2


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.batchnorm._networks import Norm, deep, descend
    from shinso.claims.image_training import digits, share_right
    from shinso.claims.sequence_training import seeded

    kinds: dict[str, Norm] = {"with": "still" if control else "batch", "without": "none"}
    found: dict[str, float | list[float] | list[list[float]] | str] = {}
    for name, norm in kinds.items():
        shares = []
        for scale in SCALES:
            with seeded(seed) as generator:
                data = digits(generator)
                network = deep(norm, scale=scale)
                descend(network, data, generator, steps=STEPS[profile], lr=RATE)
                shares.append(share_right(network, data.kept_images, data.kept_labels))
        found[f"accuracies_{name}"] = shares
        found[f"spread_{name}"] = max(shares) - min(shares)
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    with_, without = (column(measurements, f"spread_{name}") for name in ("with", "without"))
    gain = intervals.paired_difference(without, with_)
    if gain.low > LEAST_GAIN:
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    spreads = {"with": intervals.mean(with_), "without": intervals.mean(without)}
    seeds = len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"Accuracies spread over {spreads['with'].value:.3f} with and {spreads['without'].value:.3f} "
            f"without normalization; difference {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}).",
            f"正解率のばらつきは正規化ありで {spreads['with'].value:.3f}、なしで "
            f"{spreads['without'].value:.3f}、差 {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "spread without minus spread with (share)",
                    "ばらつきの差、正規化なし − あり (割合)",
                ),
                gain,
                seeds=seeds,
            ),
            *(
                intervals.estimate(
                    Text(
                        f"spread {name} normalization (share)",
                        f"ばらつき、{'正規化あり' if name == 'with' else '正規化なし'} (割合)",
                    ),
                    one,
                    seeds=seeds,
                )
                for name, one in spreads.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy over the scale of the initial weights."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    # Below the others: without normalization and the control nearly coincide.
    for number, one in enumerate(measurements):
        axes.plot(
            SCALES,
            curve(one, "accuracies_without"),
            color="0.75",
            linewidth=4,
            label=spoken(Text("without normalization", "正規化なし")) if number == 0 else None,
        )
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, one in enumerate(side):
            axes.plot(
                SCALES,
                curve(one, "accuracies_with"),
                **style,
                label=spoken(label) if number == 0 else None,
            )
    axes.set_xscale("log")
    axes.set_xticks(SCALES, [f"{scale:g}" for scale in SCALES])
    axes.minorticks_off()
    axes.set_xlabel(
        spoken(Text("scale of initial weights (of He's)", "初期値の尺度 (He の標準偏差比)"))
    )
    axes.set_ylabel(
        spoken(Text("accuracy on unseen digits (share)", "未知の数字での正解率 (割合)"))
    )
    legend(axes)
