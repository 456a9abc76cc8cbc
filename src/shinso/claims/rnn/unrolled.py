"""z_t = g(W_in x_t + W z_{t-1} + b), y_t = g(W_out z_t + c), nested out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: an RNN written as nested formulas",
    "3 日目 再帰型ネットワーク：RNN の式による表現",
)
SAYS = Text(
    "Unrolled along time, an RNN is z1 = g(W_in x1 + W z0 + b), y1 = g(W_out z1 + c), and so on, "
    "each state nested in the next.",
    "RNN を時間方向に展開すると z1 = g(W_in x1 + W z0 + b)、y1 = g(W_out z1 + c) となり、"
    "各時刻の状態が次の時刻の式に入れ子で入る。",
)
TRUTH = None
METHOD = Text(
    "The formula, nested out recursively in NumPy for 6 steps with random weights and a random z0, "
    "is compared with the layer followed by a linear map and tanh, in float64.",
    "乱数の重みと乱数の z0 で 6 ステップ分の式を NumPy で入れ子のまま計算し、"
    "再帰層に線形写像と tanh をつないだ出力と比べる (float64)。",
)
CONTROL = Text(
    "The nesting is cut: z0 stands in every step in place of the state before it.",
    "入れ子を断つ。どの時刻でも、直前の状態の代わりに z0 を入れる。",
)
RULE = Text(
    "Holds if no output deviates by more than 1e-12 at any seed; does not hold if one does; "
    "undecided if a number is not finite.",
    "すべてのシードで出力のずれが 1e-12 以下なら成り立つ。超えれば成り立たない。"
    "有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 1.0, "full": 2.0}

INPUT, HIDDEN, OUTPUT, STEPS = 3, 5, 2, 6

BOUNDS = (
    Bound(
        of="deviation",
        name=Text("deviation of an output from the layer's", "層の出力とのずれ"),
        most=1e-12,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    from shinso.nn import RNN

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = RNN(INPUT, HIDDEN, dtype=torch.float64)
        readout = torch.nn.Linear(HIDDEN, OUTPUT, dtype=torch.float64)
        x = torch.randn(STEPS, INPUT, dtype=torch.float64)
        start = torch.randn(1, HIDDEN, dtype=torch.float64)
    with torch.no_grad():
        states, _ = layer(x, start)
        outputs = torch.tanh(readout(states)).numpy()
    weights = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    W_in, W = weights["weight_ih_l0"], weights["weight_hh_l0"]
    b = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    W_out, c = readout.weight.detach().numpy(), readout.bias.detach().numpy()
    inputs, z0 = x.numpy(), start[0].numpy()

    def z(t: int) -> np.ndarray:
        if t == 0:
            return z0
        before = z0 if control else z(t - 1)
        return np.tanh(W_in @ inputs[t - 1] + W @ before + b)

    by_hand = np.array([np.tanh(W_out @ z(t) + c) for t in range(1, STEPS + 1)])
    deviations = np.abs(by_hand - outputs).max(axis=1)
    return {"deviation": float(deviations.max()), "deviation_by_step": deviations.tolist()}


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Deviation at each step; exact zeros are drawn at float64's rounding."""
    from shinso.claims.drawing import curves

    axes = figure.subplots()
    claimed, cut = (
        [[max(v, 1e-17) for v in curve(m, "deviation_by_step")] for m in side]
        for side in (measurements, controls)
    )
    curves(
        axes,
        list(range(1, STEPS + 1)),
        claimed,
        cut,
        xlabel=Text("time (steps)", "時刻 (ステップ)"),
        ylabel=Text("deviation of the output (0 at 10⁻¹⁷)", "出力のずれ (0 は 10⁻¹⁷ とする)"),
    )
    axes.set_yscale("log")
