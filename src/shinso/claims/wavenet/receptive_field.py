"""Dilation lets the receptive field grow exponentially with depth, at equal parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, WaveNet: dilated convolution", "4 日目 WaveNet：膨張畳み込み")
SAYS = Text(
    "With dilations that double from layer to layer the receptive field grows exponentially with "
    "depth, without dilation only linearly, at equal parameters.",
    "膨張率を層ごとに 2 倍にすると、受容野は深さとともに指数的に広がる。膨張させなければ、同じパラメータ数でも"
    "線形にしか広がらない。",
)
TRUTH = None
METHOD = Text(
    "For 1 to 8 layers of two taps with random weights, automatic differentiation counts the inputs "
    "on which the last output depends, of a series longer than any of them can reach; once with "
    "dilations 1, 2, 4 … and once with dilation 1.",
    "タップ 2 つの層を 1〜8 層重ね (重みは乱数)、どれよりも長い系列について、最後の出力が依存する入力の数を"
    "自動微分で数える。膨張率 1、2、4 … の場合と、すべて 1 の場合を比べる。",
)
CONTROL = Text(
    "The dilations of the first network are set to 1 too.",
    "1 つ目のネットワークの膨張率もすべて 1 にする。",
)
RULE = Text(
    "Holds if, at every seed, both networks have as many parameters, the first depends on 2^L inputs "
    "at every depth L and the second on L + 1; does not hold if the first depends on fewer; otherwise "
    "undecided.",
    "すべてのシードで、両者のパラメータ数が等しく、どの深さ L でも 1 つ目が 2^L 個、2 つ目が L + 1 個の入力に"
    "依存すれば成り立つ。1 つ目がそれより少なければ成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 4.0, "full": 15.0}

DEPTHS, WIDTH = range(1, 9), 4


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.sequence_training import seeded

    with seeded(seed):
        grown = [_reach([1 if control else 2**n for n in range(depth)]) for depth in DEPTHS]
        plain = [_reach([1] * depth) for depth in DEPTHS]
    return {
        "reach_dilated": [float(reach) for reach, _ in grown],
        "reach_plain": [float(reach) for reach, _ in plain],
        "short_of_exponential": float(
            sum(abs(2**d - reach) for d, (reach, _) in zip(DEPTHS, grown, strict=True))
        ),
        "off_linear": float(
            sum(abs(d + 1 - reach) for d, (reach, _) in zip(DEPTHS, plain, strict=True))
        ),
        "parameters_apart": float(
            sum(abs(a - b) for (_, a), (_, b) in zip(grown, plain, strict=True))
        ),
    }


def _reach(dilations: Sequence[int]) -> tuple[int, int]:
    """On how many inputs the last output depends, and how many parameters there are."""
    import torch

    from shinso.nn.dilated import GatedDilatedStack

    stack = GatedDilatedStack(WIDTH, WIDTH, dilations).double()
    x = torch.randn(1, 2 ** len(DEPTHS) + 10, WIDTH, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(stack(x)[0, -1].sum(), x)
    return int((slope[0].abs().sum(-1) > 0).sum()), sum(p.numel() for p in stack.parameters())


def holds(measurements: Sequence[Measurement]) -> Finding:
    short = max(column(measurements, "short_of_exponential"))
    others = max(column(measurements, "off_linear") + column(measurements, "parameters_apart"))
    verdict = Verdict.REFUTED if short > 0 else Verdict.HOLDS if others == 0 else Verdict.UNDECIDED
    deepest = [min(curve(one, name)[-1] for one in measurements) for name in _CURVES]
    return Finding(
        verdict=verdict,
        because=Text(
            f"At depth {DEPTHS[-1]} the first network depends on {deepest[0]:.0f} inputs, the one "
            f"without dilation on {deepest[1]:.0f}.",
            f"深さ {DEPTHS[-1]} で、1 つ目のネットワークは {deepest[0]:.0f} 個、膨張なしは "
            f"{deepest[1]:.0f} 個の入力に依存する。",
        ),
        estimates=(
            certain(
                Text(
                    f"receptive field at depth {DEPTHS[-1]}, dilated (samples)",
                    f"深さ {DEPTHS[-1]} での受容野、膨張あり (サンプル)",
                ),
                deepest[0],
            ),
            certain(
                Text(
                    f"receptive field at depth {DEPTHS[-1]}, without dilation (samples)",
                    f"深さ {DEPTHS[-1]} での受容野、膨張なし (サンプル)",
                ),
                deepest[1],
            ),
        ),
    )


_CURVES = ("reach_dilated", "reach_plain")


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Receptive field over depth, on a logarithmic axis."""
    from shinso.claims.drawing import curves, legend, spoken

    axes = figure.subplots()
    curves(
        axes,
        list(map(float, DEPTHS)),
        [curve(one, "reach_dilated") for one in measurements[:1]],
        [curve(one, "reach_dilated") for one in controls[:1]],
        xlabel=Text("layers", "層の数"),
        ylabel=Text("receptive field (samples)", "受容野 (サンプル)"),
    )
    axes.plot(
        list(DEPTHS), curve(measurements[0], "reach_plain"), color="0.8", linewidth=6, zorder=1,
        label=spoken(Text("without dilation", "膨張なし")),
    )  # fmt: skip
    axes.set_yscale("log", base=2)
    legend(axes)
