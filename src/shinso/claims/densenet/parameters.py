"""A DenseNet needs fewer parameters than a ResNet of the same accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLACE = Text("Day 4, DenseNet: parameters", "4 日目 DenseNet：パラメータ数")
SAYS = Text(
    "Since features are used again, a DenseNet reaches a residual network's accuracy with far fewer "
    "parameters.",
    "特徴を再利用するので、DenseNet ははるかに少ないパラメータで残差ネットワークと同じ精度に達する。",
)
TRUTH = None
METHOD = Text(
    "A dense block of 6 layers of growth rate 8 and three residual blocks of 32 channels, with the same "
    "first convolution and the same last layers, learn real handwritten digits (8×8); accuracy on 797 "
    "kept from learning. The dense network has less than half of the parameters.",
    "成長率 8 で 6 層の Dense ブロックと、32 チャネルで 3 個の残差ブロックに、同じ最初の畳み込みと同じ"
    "最後の層を付け、実在の手書き数字 (8×8) を学習させ、学習に使わない 797 枚での正解率を比べる。"
    "Dense の方のパラメータ数は半分未満である。",
)
CONTROL = Text(
    "Features are not used again: each layer reads the 8 channels of the one before it alone.",
    "特徴を再利用しない。各層は直前の層の 8 チャネルだけを読む。",
)
RULE = Text(
    "Holds if the dense network has at most half of the parameters and the 95 % interval of the "
    "difference of accuracies, dense − residual, lies above −0.01; does not hold if it lies below, or "
    "with more parameters; otherwise undecided.",
    "Dense の方のパラメータ数が半分以下で、正解率の差 (Dense − 残差) の 95 % 区間が −0.01 より上なら"
    "成り立つ。下、またはパラメータがそれより多ければ成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 20.0, "full": 200.0}

FIRST, GROWTH, LAYERS, WIDE, BLOCKS = 16, 8, 6, 32, 2
LR = 1e-2
STEPS = {"quick": 240, "full": 600}
MARGIN = -0.01
NAMES = {"dense": Text("dense", "密結合"), "residual": Text("residual", "残差")}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.image_training import accuracy_after, digits
    from shinso.claims.sequence_training import seeded

    found = {}
    for name in ("dense", "residual"):
        with seeded(seed) as generator:
            data = digits(generator)
            network = _residual() if name == "residual" else _dense(apart=control)
            found[f"accuracy_{name}"] = accuracy_after(
                network, data, generator, steps=STEPS[profile], lr=LR
            )
            found[f"parameters_{name}"] = float(sum(p.numel() for p in network.parameters()))
    return found


def _dense(*, apart: bool) -> nn.Module:
    from torch import nn

    from shinso.claims.image_training import Pooled
    from shinso.models.densenet import DenseBlock
    from shinso.nn.conv import Convolution
    from shinso.nn.norm import BatchNorm

    if apart:
        layers: list[nn.Module] = []
        channels = FIRST
        for _ in range(LAYERS):
            layers += [BatchNorm(channels), nn.ReLU(), Convolution(channels, GROWTH, 3)]
            channels = GROWTH
        block: nn.Module = nn.Sequential(*layers)
    else:
        block = DenseBlock(LAYERS, FIRST, GROWTH, bottleneck=False, dropout=0.0, frugal=False)
        channels = FIRST + LAYERS * GROWTH
    return nn.Sequential(
        Convolution(1, FIRST, 3),
        nn.AvgPool2d(2),
        block,
        BatchNorm(channels),
        nn.ReLU(),
        Pooled(channels),
    )


def _residual() -> nn.Module:
    from torch import nn

    from shinso.claims.image_training import Pooled
    from shinso.models.resnet import BasicBlock, projection
    from shinso.nn.conv import Convolution

    blocks = [BasicBlock(FIRST, WIDE, 1, projection(FIRST, WIDE, 1))]
    blocks += [BasicBlock(WIDE, WIDE, 1, None) for _ in range(BLOCKS)]
    return nn.Sequential(Convolution(1, FIRST, 3), nn.AvgPool2d(2), *blocks, Pooled(WIDE))


def holds(measurements: Sequence[Measurement]) -> Finding:
    dense, residual = (column(measurements, f"accuracy_{name}") for name in ("dense", "residual"))
    gap = intervals.paired_difference(dense, residual)
    ratio = max(
        a / b
        for a, b in zip(
            column(measurements, "parameters_dense"),
            column(measurements, "parameters_residual"),
            strict=True,
        )
    )
    if ratio > 0.5 or gap.high < MARGIN:
        verdict = Verdict.REFUTED
    elif gap.low > MARGIN:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    shares = {"dense": share(dense), "residual": share(residual)}
    seeds = len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"With {ratio:.2f} of the parameters: dense {shares['dense'].value:.1%}, residual "
            f"{shares['residual'].value:.1%}, difference {gap.value:+.3f} ({gap.low:+.3f} to "
            f"{gap.high:+.3f}).",
            f"Dense のパラメータ数は残差の {ratio:.2f} 倍で、正解率は Dense {shares['dense'].value:.1%}、残差 "
            f"{shares['residual'].value:.1%}、差 {gap.value:+.3f} ({gap.low:+.3f}〜{gap.high:+.3f})。",
        ),
        estimates=(
            certain(
                Text("parameters, dense over residual (ratio)", "パラメータ数、Dense ÷ 残差 (比)"),
                ratio,
            ),
            *(
                intervals.estimate(
                    Text(f"accuracy, {name} (share)", f"正解率、{NAMES[name].ja} (割合)"),
                    one,
                    seeds=seeds,
                )
                for name, one in shares.items()
            ),
            intervals.estimate(
                Text("dense minus residual (share)", "差、Dense − 残差 (割合)"), gap, seeds=seeds
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy over parameters at every seed."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, name in enumerate(NAMES):
            if side:
                axes.plot(
                    column(side, f"parameters_{name}"),
                    column(side, f"accuracy_{name}"),
                    **{**style, "linestyle": "none", "marker": "o" if number == 0 else "^"},
                    label=spoken(
                        Text(f"{label.en} ({NAMES[name].en})", f"{label.ja} ({NAMES[name].ja})")
                    ),
                )
    axes.set_xlabel(spoken(Text("parameters", "パラメータ数")))
    axes.set_ylabel(
        spoken(Text("accuracy on unseen digits (share)", "未知の数字での正解率 (割合)"))
    )
    legend(axes)
