"""Batch normalization gives each channel of a mini-batch mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, batch normalization: moments", "4 日目 バッチ正規化：平均と分散")
SAYS = Text(
    "Within a mini-batch, each channel has mean 0 and variance 1 after batch normalization.",
    "バッチ正規化の後、ミニバッチ内の各チャネルは平均 0、分散 1 になる。",
)
TRUTH = Text(
    "Of the values in training, before the gain multiplies them and the bias is added, and up to ε: "
    "the variance is σ²/(σ² + ε). A channel that is nearly constant stays nearly constant.",
    "学習時の、ゲインを掛けてバイアスを加える前の値についての話である。分散は ε の分だけ 1 からずれ、正確には "
    "σ²/(σ² + ε) になる。ほぼ一定のチャネルはほぼ一定のままである。",
)
METHOD = Text(
    "A random convolution of real handwritten digits gives 16 channels of different means and scales; "
    "a batch of 32 is normalized in float64. Moments of each channel are taken over batch and positions.",
    "実在の手書き数字に乱数の畳み込みを施し、平均も尺度も異なる 16 チャネルにする。32 枚のバッチを float64 で"
    "正規化し、バッチと位置にわたる各チャネルの平均と分散を求める。",
)
CONTROL = Text(
    "The statistics are those of another mini-batch, as in evaluation, when running means are used.",
    "統計量を別のミニバッチのものにする。移動平均を使う評価時と同じである。",
)
RULE = Text(
    "Holds if at every seed and channel the mean is within 1e-10 of 0 and the variance within 1e-10 of "
    "σ²/(σ² + ε); does not hold if not.",
    "すべてのシード、すべてのチャネルで、平均と 0 の差が 1e-10 以内、分散と σ²/(σ² + ε) の差が 1e-10 以内なら"
    "成り立つ。そうでなければ成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 5.0, "full": 8.0}

CHANNELS, BATCH = 16, 32
BOUNDS = (
    Bound(
        of="mean_off", name=Text("deviation of the mean from 0", "平均の 0 からのずれ"), most=1e-10
    ),
    Bound(
        of="variance_off",
        name=Text("deviation of the variance from σ²/(σ² + ε)", "分散の σ²/(σ² + ε) からのずれ"),
        most=1e-10,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch
    from torch.nn import functional as F

    from shinso.claims.image_training import digits
    from shinso.claims.sequence_training import seeded
    from shinso.nn.norm import BatchNorm

    with seeded(seed) as generator:
        data = digits(generator)
        weight = torch.randn(CHANNELS, 1, 3, 3, generator=generator).double()
        weight *= torch.logspace(-2, 2, CHANNELS).view(-1, 1, 1, 1).double()
        batches = [
            F.conv2d(data.images[begin : begin + BATCH].double(), weight) + 5.0
            for begin in (0, BATCH)
        ]
        norm = BatchNorm(CHANNELS, momentum=1.0).double()
        x = batches[0]
        if control:
            norm(batches[1])  # its statistics become the running ones
            norm.eval()
        y = norm(x).detach()
        axes = (0, 2, 3)
        variance = x.var(axes, unbiased=False)
        wanted = variance / (variance + norm.eps)
        means, variances = y.mean(axes), y.var(axes, unbiased=False)
    return {
        "mean_off": float(means.abs().max()),
        "variance_off": float((variances - wanted).abs().max()),
        "means": means.tolist(),
        "variances": variances.tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Variance over mean of each channel: all of the claim's lie at (0, 1)."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, one in enumerate(side):
            axes.plot(
                curve(one, "means"),
                curve(one, "variances"),
                **{**style, "linestyle": "none"},
                label=spoken(label) if number == 0 else None,
            )
    axes.set_xlabel(spoken(Text("mean of a channel", "チャネルの平均")))
    axes.set_ylabel(spoken(Text("variance of a channel", "チャネルの分散")))
    legend(axes)
