"""Without gates the error that flows through the memory cell's own loop stays exactly the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: the constant error carousel (CEC)", "3 日目 LSTM：CEC")
SAYS = Text(
    "In the constant error carousel, the memory cell without gates, the gradient is 1 at every "
    "step, so that error neither vanishes nor explodes.",
    "CEC (ゲートのない記憶セル) では勾配が毎時刻 1 であり、誤差は消失も爆発もしない。",
)
TRUTH = Text(
    "Exactly 1 is the cell's own loop, c_{t−1} → c_t. Beside it error also flows through the output "
    "h_{t−1} and the recurrent weights, and that part is not 1; the paper of 1997 cuts it off.",
    "ちょうど 1 になるのはセル自身のループ c_{t−1} → c_t である。このほかに出力 h_{t−1} と再帰の重みを"
    "通る誤差もあり、そちらは 1 ではない。1997 年の論文はその経路を切っている。",
)
METHOD = Text(
    "A cell with random weights and no gates reads 100 random steps in float64. Automatic "
    "differentiation gives ∂c_t/∂c_{t−1} along its own loop at each step, and ∂c_100/∂c_0 over "
    "all 100. Beside it, not judged: the same through all ways.",
    "乱数の重みをもつゲートなしのセルに、乱数の入力を 100 ステップ与える (float64)。自動微分により、"
    "セル自身のループに沿う ∂c_t/∂c_{t−1} を各時刻で、∂c_100/∂c_0 を全体で求める。"
    "参考として、すべての経路を通る値も示す (判定には使わない)。",
)
CONTROL = Text(
    "The loop gets a factor other than 1: the forget gate is switched on.",
    "ループの係数を 1 でなくする。忘却ゲートを入れる。",
)
RULE = Text(
    "Holds if at every seed the factor of each step and the product over 100 steps are within "
    "1e-12 of 1; does not hold otherwise; undecided if a number is not finite.",
    "すべてのシードで、各時刻の係数と 100 ステップ分の積が 1 から 1e-12 以内なら成り立つ。"
    "そうでなければ成り立たない。有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 2.0, "full": 6.0}

INPUT, HIDDEN, STEPS = 3, 8, 100
BOUNDS = (
    Bound(
        of="step_factor_minus_one",
        name=Text("factor of a step minus 1", "1 ステップの係数と 1 の差"),
        most=1e-12,
    ),
    Bound(
        of="product_minus_one",
        name=Text("product over 100 steps minus 1", "100 ステップの積と 1 の差"),
        most=1e-12,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.nn import LSTMCell

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = LSTMCell(
            INPUT,
            HIDDEN,
            input_gate=False,
            forget_gate=control,
            output_gate=False,
            dtype=torch.float64,
        )
        x = torch.randn(STEPS, INPUT, dtype=torch.float64)

    def flow(*, own_loop_only: bool) -> torch.Tensor:
        """∂(Σ c_100)/∂c_t for t = 0 … 100, the last one being 1."""
        c = torch.zeros(HIDDEN, dtype=torch.float64, requires_grad=True)
        h = torch.zeros_like(c)
        cells = [c]
        for step in x:
            h, c = cell(step, (h.detach() if own_loop_only else h, cells[-1]))
            cells.append(c)
        return torch.stack(torch.autograd.grad(cells[-1].sum(), cells))

    own_loop = flow(own_loop_only=True)
    all_ways = flow(own_loop_only=False)
    return {
        "step_factor_minus_one": float((own_loop[:-1] / own_loop[1:] - 1).abs().max()),
        "product_minus_one": float((own_loop[0] - 1).abs().max()),
        "flow_by_steps_back": own_loop.abs().mean(1).flip(0).tolist(),
        "all_ways_by_steps_back": all_ways.abs().mean(1).flip(0).tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error that arrives k steps back: along the cell's own loop, and through all ways."""
    from shinso.claims.drawing import curves, spoken

    titles = (
        Text("along the cell's own loop", "セル自身のループ"),
        Text("through all ways", "すべての経路"),
    )
    panels = figure.subplots(1, 2, sharey=True)
    for axes, title, name in zip(
        panels, titles, ("flow_by_steps_back", "all_ways_by_steps_back"), strict=True
    ):
        curves(
            axes,
            list(range(STEPS + 1)),
            [curve(m, name) for m in measurements],
            [curve(m, name) for m in controls],
            xlabel=Text("steps back", "さかのぼる時刻 (ステップ)"),
            ylabel=Text("mean |∂c_100/∂c|", "|∂c_100/∂c| の平均"),
        )
        axes.set_title(spoken(title))
        axes.set_yscale("log")
