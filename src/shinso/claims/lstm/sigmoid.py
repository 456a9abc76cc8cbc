"""The sigmoid's derivative is at most 0.25; products of it over layers or steps vanish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: the vanishing gradient", "3 日目 LSTM：勾配消失問題")
SAYS = Text(
    "The sigmoid's derivative is largest at 0, where it is 0.25; so its products over many layers "
    "or steps vanish.",
    "シグモイド関数の微分は 0 で最大値 0.25 をとる。そのため、層や時刻を重ねた積は 0 に近づく。",
)
TRUTH = Text(
    "The factor of one layer is weight × derivative. The derivative alone takes at least 3/4 away, "
    "but a weight above 4 can make up for it, and above that the product can grow.",
    "一層あたりの係数は「重み × 微分」である。微分だけなら少なくとも 4 分の 3 が失われるが、"
    "重みが 4 を超えればそれを補い、積が大きくなることもある。",
)
METHOD = Text(
    "The derivative is taken by automatic differentiation in float64 at 0, at 10,000 random places "
    "and on a grid from −10 to 10. Its largest value is raised to the power of 1 to 30 layers.",
    "0、乱数で選んだ 10,000 点、−10 から 10 の格子点で、自動微分により微分を求める (float64)。"
    "その最大値を 1〜30 層分掛け合わせる。",
)
CONTROL = Text(
    "The derivative of another function: tanh, whose largest slope is 1.",
    "別の関数の微分を用いる。tanh の傾きは最大 1 である。",
)
RULE = Text(
    "Holds if the largest derivative is within 1e-9 of 0.25, its place within 1e-6 of 0, and 20 "
    "factors give at most 1e-10; does not hold otherwise; undecided if a number is not finite.",
    "微分の最大値と 0.25 との差が 1e-9 以下、その位置と 0 との差が 1e-6 以下、20 回の積が 1e-10 以下なら"
    "成り立つ。そうでなければ成り立たない。有限でない数があれば判定できない。",
)
SEEDS = {"quick": 1, "full": 3}
BUDGET_S = {"quick": 1.0, "full": 2.0}

DEPTHS = list(range(1, 31))
BOUNDS = (
    Bound(
        of="peak_minus_quarter",
        name=Text("largest derivative minus 0.25", "微分の最大値と 0.25 の差"),
        most=1e-9,
    ),
    Bound(
        of="place_of_peak",
        name=Text("place of the largest derivative", "微分が最大となる位置"),
        most=1e-6,
    ),
    Bound(
        of="product_of_20",
        name=Text("largest product of 20 factors", "20 回の積の最大値"),
        most=1e-10,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    grid = np.linspace(-10, 10, 401)
    scattered = np.random.default_rng(seed).uniform(-10, 10, 10_000)
    z = torch.tensor(np.concatenate([[0.0], grid, scattered]), requires_grad=True)
    function = torch.tanh if control else torch.sigmoid
    (slopes,) = torch.autograd.grad(function(z).sum(), z)
    peak = float(slopes.max())
    return {
        "peak_minus_quarter": peak - 0.25,
        "place_of_peak": z[slopes.argmax()].item(),
        "product_of_20": peak**20,
        "products": [peak**depth for depth in DEPTHS],
        "places": grid.tolist(),
        "slopes": slopes[1 : len(grid) + 1].tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The derivative on the left, its largest products over depth on the right."""
    from shinso.claims.drawing import curves, legend

    left, right = figure.subplots(1, 2)
    curves(
        left,
        curve(measurements[0], "places"),
        [curve(m, "slopes") for m in measurements[:1]],
        [curve(m, "slopes") for m in controls[:1]],
        xlabel=Text("z", "z"),
        ylabel=Text("derivative", "微分"),
    )
    quarter = left.axhline(0.25, color="0.4", linewidth=0.8, label="0.25")
    left.set_ylim(top=1.2)
    legend(left, handles=[quarter], loc="upper left")  # the right one tells the colours
    curves(
        right,
        DEPTHS,
        [curve(m, "products") for m in measurements[:1]],
        [curve(m, "products") for m in controls[:1]],
        xlabel=Text("factors (layers or steps)", "掛ける回数 (層または時刻)"),
        ylabel=Text("largest possible product", "積のとりうる最大値"),
    )
    right.set_yscale("log")
    legend(right, loc="lower left")
