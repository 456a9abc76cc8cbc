"""Little accuracy is lost where full convolutions are replaced by separable ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLACE = Text("Day 4, MobileNet: accuracy", "4 日目 MobileNet：精度")
SAYS = Text(
    "Depthwise separable convolutions are about as accurate as full ones at a fraction of the cost.",
    "Depthwise separable 畳み込みは、わずかな計算量で通常の畳み込みとほぼ同じ精度になる。",
)
TRUTH = None
METHOD = Text(
    "Two networks of the same layers, widths and strides, one of separable, one of full 3×3 "
    "convolutions, learn real handwritten digits (8×8, installed with scikit-learn); accuracy on 797 "
    "kept from learning.",
    "層の数、幅、ストライドが同じで、一方は separable、他方は通常の 3×3 畳み込みの 2 つのネットワークに、"
    "実在の手書き数字 (8×8、scikit-learn に付属) を学習させ、学習に使わない 797 枚での正解率を比べる。",
)
CONTROL = Text(
    "The depthwise kernels see one pixel: positions are no longer mixed, only channels.",
    "Depthwise のカーネルを 1 画素にする。位置が混ざらず、チャネルだけが混ざる。",
)
RULE = Text(
    "About as accurate means at most 0.015 below. Holds if the 95 % interval of the difference separable − full lies above −0.015; "
    "does not hold if it lies below; otherwise undecided.",
    "「ほぼ同じ」とは差が 0.015 以内であることを指す。正解率の差 (separable − 通常) の 95 % 区間が −0.015 より上なら"
    "成り立つ。下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 200.0}

WIDTHS = ((32, 1), (32, 2), (64, 1))
"""Channels and stride of each layer behind the first."""
FIRST = 16
LR = 1e-2
STEPS = {"quick": 240, "full": 600}
MARGIN = -0.015
NAMES = {
    "separable": Text("separable", "separable 畳み込み"),
    "full": Text("full", "通常の畳み込み"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.image_training import accuracy_after, digits
    from shinso.claims.sequence_training import seeded

    found = {}
    for name, separable in (("separable", True), ("full", False)):
        with seeded(seed) as generator:
            data = digits(generator)
            network = _network(separable=separable, size=1 if control and separable else 3)
            found[f"accuracy_{name}"] = accuracy_after(
                network, data, generator, steps=STEPS[profile], lr=LR
            )
    return found


def _network(*, separable: bool, size: int) -> nn.Module:
    from torch import nn

    from shinso.claims.image_training import Pooled
    from shinso.models.mobilenet_v1 import FullConvolution
    from shinso.nn.conv import Convolution, DepthwiseSeparable
    from shinso.nn.norm import BatchNorm

    block = DepthwiseSeparable if separable else FullConvolution
    layers: list[nn.Module] = [Convolution(1, FIRST, size), BatchNorm(FIRST), nn.ReLU()]
    channels = FIRST
    for out, stride in WIDTHS:
        layers.append(block(channels, out, size, stride=stride, act=nn.ReLU))
        channels = out
    return nn.Sequential(*layers, Pooled(channels))


def holds(measurements: Sequence[Measurement]) -> Finding:
    separable, full = (column(measurements, f"accuracy_{name}") for name in ("separable", "full"))
    gap = intervals.paired_difference(separable, full)
    if gap.low > MARGIN:
        verdict = Verdict.HOLDS
    elif gap.high < MARGIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {"separable": share(separable), "full": share(full)}
    seeds = len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"Separable {shares['separable'].value:.1%}, full {shares['full'].value:.1%}; difference "
            f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}).",
            f"正解率は separable 畳み込みで {shares['separable'].value:.1%}、通常の畳み込みで "
            f"{shares['full'].value:.1%}、差 "
            f"{gap.value:+.3f} ({gap.low:+.3f}〜{gap.high:+.3f})。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"accuracy, {name} (share)", f"正解率、{NAMES[name].ja} (割合)"),
                    one,
                    seeds=seeds,
                )
                for name, one in shares.items()
            ),
            intervals.estimate(
                Text("separable minus full (share)", "差、separable − 通常 (割合)"),
                gap,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of both networks at every seed; without the control the scale shows them apart."""
    from shinso.claims.drawing import dots, spoken

    left, right = figure.subplots(1, 2)
    for axes, shown, title in (
        (left, controls, Text("with the control", "対照実験を含む")),
        (right, [], Text("without the control, enlarged", "対照実験を除く (拡大)")),
    ):
        dots(
            axes,
            list(NAMES.values()),
            [column(measurements, f"accuracy_{name}") for name in NAMES],
            [column(shown, f"accuracy_{name}") for name in NAMES],
            ylabel=Text("accuracy on unseen digits (share)", "未知の数字での正解率 (割合)"),
        )
        axes.set_title(spoken(title), fontsize=9)
        if axes.get_legend():
            axes.get_legend().remove()
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside upper left", ncols=2, frameon=False, fontsize=8.5,
    )  # fmt: skip
