"""What a WaveNet says of a sample depends on no later one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Estimate, Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, WaveNet: causal convolution", "4 日目 WaveNet：因果的畳み込み")
SAYS = Text(
    "Its convolutions are causal: the output at a time depends on no input from later times.",
    "WaveNet の畳み込みは因果的であり、ある時刻の出力はそれより後の入力に依存しない。",
)
TRUTH = None
METHOD = Text(
    "A stack of 6 dilated layers with random weights reads 40 random samples, in float64. For every "
    "pair of times, automatic differentiation gives how far the output at one moves with the input "
    "at the other.",
    "乱数の重みをもつ 6 層の膨張畳み込みに、乱数の 40 サンプルを読ませる (float64)。すべての時刻の組について、"
    "一方の入力に対する他方の出力の動きを自動微分で求める。",
)
CONTROL = Text(
    "The same layers look to both sides, as an ordinary convolution does.",
    "同じ層を、通常の畳み込みのように両側を見るようにする。",
)
RULE = Text(
    "Holds if, at every seed, the largest dependence on a later input is exactly 0 and that on the "
    "present and earlier ones is not; does not hold if a later input matters; otherwise undecided.",
    "すべてのシードで、後の入力への依存が最大でもちょうど 0 で、現在と過去への依存が 0 でなければ成り立つ。"
    "後の入力が影響すれば成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 4.0, "full": 15.0}

TIME, WIDTH, SKIPS, DILATIONS = 40, 6, 5, (1, 2, 4, 8, 1, 2)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.nn.dilated import GatedDilatedStack

    with seeded(seed) as generator:
        stack = GatedDilatedStack(WIDTH, SKIPS, DILATIONS).double()
        x = torch.randn(1, TIME, WIDTH, generator=generator, dtype=torch.float64)

        def outputs(given: torch.Tensor) -> torch.Tensor:
            out = stack(given).abs().sum(-1)[0]
            if control:
                out = out + stack(given.flip(1)).abs().sum(-1)[0].flip(0)
            return out

        slopes = torch.autograd.functional.jacobian(outputs, x)
        assert isinstance(slopes, torch.Tensor)
        moved = slopes[:, 0].abs().amax(-1)  # output time, input time
    later = torch.triu(moved, 1)
    middle = TIME // 2
    return {
        "later_dependence": float(later.max()),
        "earlier_dependence": float(torch.tril(moved).max()),
        "dependence_of_the_middle": moved[middle].tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    later = max(column(measurements, "later_dependence"))
    reached = column(measurements, "earlier_dependence")
    earlier, seeds = min(reached), len(measurements)
    if later > 0:
        verdict = Verdict.REFUTED
    elif later == 0 and earlier > 0:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"Over all seeds the output moves at most {later:.3g} with a later input, and at least "
            f"{earlier:.3g} with the present or an earlier one.",
            f"全シードを通じ、後の入力による出力の動きは最大 {later:.3g}、現在または過去の入力による動きは"
            f"最小でも {earlier:.3g} である。",
        ),
        estimates=(
            Estimate(
                name=Text(
                    "largest dependence on a later input (slope)", "後の入力への依存の最大値 (傾き)"
                ),
                value=later,
                low=later,
                high=later,
                seeds=seeds,
                largest=True,
            ),
            intervals.estimate(
                Text(
                    "largest dependence on the present or an earlier input (slope)",
                    "現在または過去の入力への依存の最大値 (傾き)",
                ),
                intervals.mean(reached),
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """How far the middle output moves with each input."""
    from shinso.claims.drawing import curves, legend, spoken

    axes = figure.subplots()
    curves(
        axes,
        [place - TIME // 2 for place in range(TIME)],
        [curve(one, "dependence_of_the_middle") for one in measurements[:1]],
        [curve(one, "dependence_of_the_middle") for one in controls[:1]],
        xlabel=Text("input time − output time (samples)", "入力の時刻 − 出力の時刻 (サンプル)"),
        ylabel=Text("dependence (slope)", "依存 (傾き)"),
    )
    present = spoken(Text("time of the output", "出力の時刻"))
    axes.axvline(0, color="0.4", linewidth=0.8, label=present)
    legend(axes, loc="upper right")
