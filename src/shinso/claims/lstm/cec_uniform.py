"""The carousel's fault: every step weighs the same, whatever the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: the fault of the CEC", "3 日目 LSTM：CEC の課題")
SAYS = Text(
    "The constant error carousel gives every step the same weight, whatever the input: it cannot "
    "choose what to keep.",
    "CEC では、入力が何であってもすべての時刻の重みが等しい。何を残すかを選べない。",
)
TRUTH = Text(
    "Equal is what a given input adds to the cell, whenever it comes and whatever surrounds it. "
    "Different inputs still add different amounts, by fixed weights.",
    "等しいのは「同じ入力がセルに加える量」であり、いつ来ても、前後に何があっても変わらない。"
    "入力が違えば加わる量は違うが、その重みは固定である。",
)
METHOD = Text(
    "A cell without gates, its recurrent weights at 0 so that memory is the carousel alone, reads "
    "30 steps of noise (float64). The same pulse is put in at each step in turn, against two "
    "backgrounds of noise; taken is how much it changes the cell at the end.",
    "ゲートがなく、再帰の重みを 0 にして記憶を CEC だけにしたセルに、雑音を 30 ステップ与える (float64)。"
    "同じパルスを各時刻に順に入れ、背景の雑音を 2 通りにして、最後のセルの変化量を測る。",
)
CONTROL = Text(
    "Input and forget gate are switched on: then the weight may follow the input.",
    "入力ゲートと忘却ゲートを入れる。重みが入力に応じて変わりうる。",
)
RULE = Text(
    "Holds if at every seed the pulse's effect differs by at most 1e-12 between steps and between "
    "backgrounds, relative to its mean; does not hold otherwise; undecided if a number is not finite.",
    "すべてのシードで、パルスの効果の差が、時刻どうしでも背景どうしでも平均の 1e-12 以下なら成り立つ。"
    "そうでなければ成り立たない。有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 1.0, "full": 3.0}

HIDDEN, STEPS, PULSE = 8, 30, 2.0
BOUNDS = (
    Bound(
        of="difference_between_steps_rel",
        name=Text("largest difference between steps", "時刻どうしの差"),
        most=1e-12,
    ),
    Bound(
        of="difference_between_backgrounds_rel",
        name=Text("largest difference between backgrounds", "背景どうしの差"),
        most=1e-12,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.nn import LSTMCell

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        cell = LSTMCell(
            1,
            HIDDEN,
            input_gate=control,
            forget_gate=control,
            output_gate=False,
            dtype=torch.float64,
        )
        noise = torch.randn(2, STEPS, dtype=torch.float64)

    @torch.no_grad()
    def last_cell(x: torch.Tensor) -> torch.Tensor:
        """c after the last step of each row of x."""
        h = c = torch.zeros(x.shape[0], HIDDEN, dtype=torch.float64)
        for step in x.T:
            h, c = cell(step[:, None], (h, c))
        return c

    with torch.no_grad():
        cell.weight_hh.zero_()  # pyright: ignore[reportCallIssue]
    here = torch.eye(STEPS, dtype=torch.bool)
    effects = torch.stack(
        [
            last_cell(background.masked_fill(here, PULSE))
            - last_cell(background.masked_fill(here, 0))
            for background in noise
        ]
    )  # background, step, hidden
    scale = effects.abs().mean()
    steps = effects.amax(1) - effects.amin(1)
    return {
        "difference_between_steps_rel": float(steps.max() / scale),
        "difference_between_backgrounds_rel": float((effects[0] - effects[1]).abs().max() / scale),
        "effect_by_step_rel": (effects[0].abs().mean(1) / scale).tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """What one and the same pulse leaves in the cell, over the step at which it came."""
    from shinso.claims.drawing import curves

    curves(
        figure.subplots(),
        list(range(1, STEPS + 1)),
        [curve(m, "effect_by_step_rel") for m in measurements],
        [curve(m, "effect_by_step_rel") for m in controls],
        xlabel=Text("step of the pulse", "パルスを入れた時刻 (ステップ)"),
        ylabel=Text("its effect on the last cell (mean 1)", "最後のセルへの効果 (平均を 1 とする)"),
    )
