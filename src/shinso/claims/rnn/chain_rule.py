"""For z = t² and t = x + y, dz/dx = 2t: the chain rule on which back-propagation rests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, recurrent networks: the chain rule", "3 日目 再帰型ネットワーク：連鎖律")
SAYS = Text(
    "For z = t² and t = x + y, the chain rule gives dz/dx = 2t = 2(x + y).",
    "z = t²、t = x + y のとき、連鎖律により dz/dx = 2t = 2(x + y) である。",
)
TRUTH = Text(
    "It is 2t only because dt/dx is 1 here. In general dz/dx = 2t · dt/dx: the inner derivative "
    "belongs to the product.",
    "2t で済むのは、ここでは dt/dx が 1 だからである。一般には dz/dx = 2t · dt/dx であり、"
    "内側の微分を掛け忘れてはならない。",
)
METHOD = Text(
    "At 64 random points (x, y), 2t is compared with automatic differentiation and with central "
    "differences of step 1e-5, all in float64. Deviations are divided by the largest |2t|.",
    "乱数で選んだ 64 点 (x, y) で、2t を自動微分および刻み 1e-5 の中心差分と比べる (float64)。"
    "ずれは |2t| の最大値で割る。",
)
CONTROL = Text(
    "t = x · y instead of x + y: the inner derivative is y and no longer 1, so 2t alone must fail.",
    "t = x + y の代わりに t = x · y とする。内側の微分は 1 でなく y なので、2t だけでは合わなくなる。",
)
RULE = Text(
    "Holds if, at every seed, 2t is within 1e-12 of automatic differentiation and within 1e-6 of "
    "central differences; does not hold if not; undecided if a number is not finite.",
    "すべてのシードで、自動微分とのずれが 1e-12 以下かつ中心差分とのずれが 1e-6 以下なら成り立つ。"
    "そうでなければ成り立たない。有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 1.0, "full": 2.0}

BOUNDS = (
    Bound(
        of="deviation_from_autograd_rel",
        name=Text("deviation from automatic differentiation", "自動微分とのずれ"),
        most=1e-12,
    ),
    Bound(
        of="deviation_from_differences_rel",
        name=Text("deviation from central differences", "中心差分とのずれ"),
        most=1e-6,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    x0, y0 = np.random.default_rng(seed).uniform(-3, 3, size=(2, 64))

    def inner(x, y):
        return x * y if control else x + y

    x = torch.tensor(x0, requires_grad=True)
    (gradient,) = torch.autograd.grad((inner(x, torch.tensor(y0)) ** 2).sum(), x)
    step = 1e-5
    difference = (inner(x0 + step, y0) ** 2 - inner(x0 - step, y0) ** 2) / (2 * step)
    claimed = 2 * inner(x0, y0)
    scale = float(np.abs(claimed).max())
    return {
        "deviation_from_autograd_rel": float(np.abs(claimed - gradient.numpy()).max()) / scale,
        "deviation_from_differences_rel": float(np.abs(claimed - difference).max()) / scale,
        "claimed_slopes": claimed.tolist(),
        "autograd_slopes": gradient.tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Slopes by automatic differentiation over 2t: on the diagonal the claim is right."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, measurement in enumerate(side[:1]):
            axes.plot(
                curve(measurement, "claimed_slopes"),
                curve(measurement, "autograd_slopes"),
                **{**style, "linestyle": "none"},
                label=spoken(label) if number == 0 else None,
            )
    axes.axline(
        (0, 0), slope=1, color="0.4", linewidth=0.8, label=spoken(Text("equal", "両者が等しい"))
    )
    axes.set_xlabel(spoken(Text("2t, as the course says", "2t (講座の式)")))
    axes.set_ylabel(spoken(Text("dz/dx by automatic differentiation", "自動微分による dz/dx")))
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
