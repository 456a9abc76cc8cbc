"""Back-propagation through time, written out by hand, is the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: back-propagation through time (BPTT)",
    "3 日目 再帰型ネットワーク：BPTT",
)
SAYS = Text(
    "BPTT, back-propagation along the unrolled network, gives the gradients of an RNN's weights.",
    "BPTT (時間方向に展開したネットワークの誤差逆伝播) により、RNN の重みの勾配が求まる。",
)
TRUTH = None
METHOD = Text(
    "For an Elman network of 4 units, 12 random steps and the loss Σ(h − d)²/2, the gradients of all "
    "weights, biases, inputs and the initial state are computed in float64 by the equations written "
    "out by hand, by automatic differentiation and by central differences of step 1e-6. Deviations "
    "are divided by the largest gradient.",
    "4 ユニットのエルマンネットワーク、乱数の 12 ステップ、損失 Σ(h − d)²/2 について、すべての重み、バイアス、"
    "入力、初期状態の勾配を、手で書き下した式、自動微分、刻み 1e-6 の中心差分で求める (float64)。"
    "ずれは最大の勾配で割る。",
)
CONTROL = Text(
    "The way through time is cut short: the error of a step passes through 2 steps only (truncated BPTT).",
    "時間方向の経路を打ち切る。各時刻の誤差を 2 ステップだけさかのぼらせる (打ち切り型 BPTT)。",
)
RULE = Text(
    "Holds if, at every seed, no gradient deviates by more than 1e-10 from automatic differentiation "
    "or by more than 1e-6 from central differences; does not hold otherwise; undecided if a number is "
    "not finite.",
    "すべてのシードで、どの勾配も自動微分とのずれが 1e-10 以下、中心差分とのずれが 1e-6 以下なら成り立つ。"
    "そうでなければ成り立たない。有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 2.0, "full": 6.0}

STEPS, BATCH, INPUT, HIDDEN = 12, 2, 3, 4
SHORT = 2
BOUNDS = (
    Bound(
        of="deviation_from_autograd_rel",
        name=Text("deviation from automatic differentiation", "自動微分とのずれ"),
        most=1e-10,
    ),
    Bound(
        of="deviation_from_differences_rel",
        name=Text("deviation from central differences", "中心差分とのずれ"),
        most=1e-6,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.nn import ElmanCell
    from shinso.nn.bptt import backward_through_time

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = ElmanCell(INPUT, HIDDEN, dtype=torch.float64)
        xs = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64, requires_grad=True)
        start = torch.randn(BATCH, HIDDEN, dtype=torch.float64, requires_grad=True)
        wanted = torch.randn(STEPS, BATCH, HIDDEN, dtype=torch.float64)
    names = [name for name, _ in cell.named_parameters()]
    leaves = [*cell.parameters(), xs, start]

    def errors() -> torch.Tensor:
        """∂L/∂h_t of every step, h_t − d_t."""
        states = [start]
        for x in xs:
            states.append(cell(x, states[-1]))
        return torch.stack(states[1:]) - wanted

    found = backward_through_time(
        cell, xs, start, errors().detach(), window=SHORT if control else None
    )
    by_hand = _flat([*(found.parameters[name] for name in names), found.inputs, found.initial[0]])
    by_autograd = _flat(torch.autograd.grad(errors().square().sum() / 2, leaves))
    by_differences = _differences(lambda: float(errors().square().sum()) / 2, leaves)
    scale = float(by_autograd.abs().max())
    return {
        "deviation_from_autograd_rel": float((by_hand - by_autograd).abs().max()) / scale,
        "deviation_from_differences_rel": float((by_hand - by_differences).abs().max()) / scale,
        "by_hand": by_hand.tolist(),
        "by_autograd": by_autograd.tolist(),
    }


def _flat(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    import torch

    return torch.cat([gradient.reshape(-1) for gradient in gradients])


def _differences(loss, leaves: Sequence[torch.Tensor], step: float = 1e-6) -> torch.Tensor:
    """Central differences of ``loss`` by every number in ``leaves``, in their order."""
    import torch

    slopes = []
    with torch.no_grad():
        for leaf in leaves:
            numbers = leaf.reshape(-1)  # a view: these leaves are contiguous
            for place in range(len(numbers)):
                there = float(numbers[place])
                numbers[place] = there + step
                above = loss()
                numbers[place] = there - step
                slopes.append((above - loss()) / (2 * step))
                numbers[place] = there
    return torch.tensor(slopes, dtype=torch.float64)


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Every gradient by hand over that of automatic differentiation: on the diagonal they agree."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (look, label) in zip((measurements, controls), SIDES, strict=True):
        for measurement in side[:1]:
            axes.plot(
                curve(measurement, "by_autograd"),
                curve(measurement, "by_hand"),
                **{**look, "linestyle": "none"},
                markersize=4,
                label=spoken(label),
            )
    axes.axline(
        (0, 0), slope=1, color="0.4", linewidth=0.8, label=spoken(Text("equal", "両者が等しい"))
    )
    axes.set_xlabel(spoken(Text("gradient by automatic differentiation", "自動微分による勾配")))
    axes.set_ylabel(spoken(Text("gradient by hand", "書き下した式による勾配")))
    legend(axes)
