"""Instance normalization is batch normalization with a batch of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, column, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, instance normalization", "4 日目 インスタンス正規化")
SAYS = Text(
    "Instance normalization equals batch normalization with a batch of 1.",
    "インスタンス正規化はバッチサイズ 1 のバッチ正規化と等しい。",
)
TRUTH = Text(
    "In training. In evaluation batch normalization uses running means, instance normalization the "
    "image's own.",
    "学習時の話である。評価時にはバッチ正規化は移動平均を、インスタンス正規化は画像自身の統計量を使う。",
)
METHOD = Text(
    "A random convolution of 16 real handwritten digits (8×8), in float64: values and gradients of "
    "instance normalization of all of them, and of batch normalization of one image after another.",
    "実在の手書き数字 (8×8) 16 枚に乱数の畳み込みを施し (float64)、全体のインスタンス正規化と、1 枚ずつの"
    "バッチ正規化の値と勾配を比べる。",
)
CONTROL = Text("Batches of two.", "バッチサイズを 2 にする。")
RULE = Text(
    "Holds if at every seed no value and no gradient differs by more than 1e-10; does not hold if one does.",
    "すべてのシードで値も勾配も差が 1e-10 以下なら成り立つ。そうでなければ成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 4.0, "full": 6.0}

CHANNELS, IMAGES = 8, 16
BOUNDS = (
    Bound(of="values_off", name=Text("difference of values", "値の差"), most=1e-10),
    Bound(of="gradients_off", name=Text("difference of gradients", "勾配の差"), most=1e-10),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch
    from torch.nn import functional as F

    from shinso.claims.image_training import digits
    from shinso.claims.sequence_training import seeded
    from shinso.nn.norm import BatchNorm, InstanceNorm

    with seeded(seed) as generator:
        images = digits(generator).images[:IMAGES].double()
        weight = torch.randn(CHANNELS, 1, 3, 3, generator=generator).double()
        x = F.conv2d(images, weight).requires_grad_()
        batch = BatchNorm(CHANNELS).double()
        together = InstanceNorm(CHANNELS)(x)
        apart = torch.cat([batch(part) for part in x.split(2 if control else 1)])
        error = torch.randn(x.shape, generator=generator).double()
        first, second = (
            torch.autograd.grad((found * error).sum(), x)[0] for found in (together, apart)
        )
        return {
            "values_off": float((together - apart).detach().abs().max()),
            "gradients_off": float((first - second).abs().max()),
        }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Largest differences at every seed."""
    from shinso.claims.drawing import dots

    axes = figure.subplots()
    dots(
        axes,
        [bound.name for bound in BOUNDS],
        [[max(v, 1e-17) for v in column(measurements, bound.of)] for bound in BOUNDS],
        [[max(v, 1e-17) for v in column(controls, bound.of)] for bound in BOUNDS],
        ylabel=Text("largest difference (0 drawn at 10⁻¹⁷)", "差の最大値 (0 は 10⁻¹⁷ に表示)"),
    )
    axes.set_yscale("log")
