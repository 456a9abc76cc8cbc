"""Batch normalization narrows the gap between digits learnt from and digits not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import beyond, column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, batch normalization: overfitting", "4 日目 バッチ正規化：過学習の抑制")
SAYS = Text(
    "Batch normalization curbs overfitting, since an image's neighbours in the mini-batch add noise.",
    "ミニバッチの他の画像がノイズとして働くので、バッチ正規化は過学習を抑える。",
)
TRUTH = None
METHOD = Text(
    "A network of six hidden layers learns 200 real handwritten digits (8×8) in mini-batches of 16, with "
    "and without batch normalization, until it knows nearly all of them. The gap is the accuracy on "
    "those minus the accuracy on 797 others.",
    "隠れ層 6 層のネットワークに実在の手書き数字 (8×8) 200 枚を 16 枚のミニバッチで、ほぼすべて覚えるまで"
    "学習させる。その正解率から別の 797 枚の正解率を引いた差を、バッチ正規化の有無で比べる。",
)
CONTROL = Text(
    "Without noise: mean and variance are those of all 200 digits at every step.",
    "ノイズを除く。毎ステップ 200 枚すべての平均と分散を使う。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference of gaps, without − with, lies above 0; does not hold "
    "if it lies below; otherwise undecided.",
    "この差の違い (正規化なし − あり) の 95 % 区間が 0 より上なら成り立つ。下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 4, "full": 12}
BUDGET_S = {"quick": 20.0, "full": 90.0}

LEARNT, BATCH, RATE = 200, 16, 0.05
STEPS = {"quick": 400, "full": 800}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.batchnorm._networks import Norm, deep, descend
    from shinso.claims.image_training import digits, share_right
    from shinso.claims.sequence_training import seeded

    kinds: dict[str, Norm] = {"with": "batch", "without": "none"}
    found = {}
    for name, norm in kinds.items():
        with seeded(seed) as generator:
            data = digits(generator, learnt=LEARNT)
            network = deep(norm)
            if control and name == "with":
                _whole_set(network, data.images)
            descend(network, data, generator, steps=STEPS[profile], lr=RATE, batch=BATCH)
            own = share_right(network, data.images, data.labels)
            other = share_right(network, data.kept_images, data.kept_labels)
        found |= {f"gap_{name}": own - other, f"learnt_{name}": own, f"unseen_{name}": other}
    return found


def _whole_set(network, images) -> None:
    """Have every training step see all ``images`` beside its mini-batch, in the statistics alone.

    The mini-batch's rows go last and theirs are the only answers that come out.
    """
    import torch

    def before(_module, given):
        return (torch.cat([images, given[0]]),) if network.training else None

    def after(_module, _given, answer):
        return answer[len(images) :] if network.training else None

    network.register_forward_pre_hook(before)
    network.register_forward_hook(after)


def holds(measurements: Sequence[Measurement]) -> Finding:
    with_, without = (column(measurements, f"gap_{name}") for name in ("with", "without"))
    gain = intervals.paired_difference(without, with_)
    gaps = {"with": intervals.mean(with_), "without": intervals.mean(without)}
    seeds = len(measurements)
    return Finding(
        verdict=beyond(gain, 0),
        because=Text(
            f"Accuracy on the images learnt minus that on unseen ones is {gaps['with'].value:.3f} with "
            f"and {gaps['without'].value:.3f} without normalization; difference, without − with, {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}).",
            f"学習した画像と未知の画像の正解率の差は、正規化ありで {gaps['with'].value:.3f}、なしで "
            f"{gaps['without'].value:.3f} で、その違い (なし − あり) は {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "gap without minus gap with (share)",
                    "正解率の差の違い、正規化なし − あり (割合)",
                ),
                gain,
                seeds=seeds,
            ),
            *(
                intervals.estimate(
                    Text(
                        f"gap {name} normalization (share)",
                        f"正解率の差、{'正規化あり' if name == 'with' else '正規化なし'} (割合)",
                    ),
                    one,
                    seeds=seeds,
                )
                for name, one in gaps.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The gap of both networks at every seed."""
    from shinso.claims.drawing import dots

    names = ["gap_with", "gap_without"]
    dots(
        figure.subplots(),
        [
            Text("with normalization", "正規化あり"),
            Text("without normalization", "正規化なし"),
        ],
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text(
            "accuracy learnt minus unseen (share)", "正解率の差、学習した画像 − 未知 (割合)"
        ),
    )
