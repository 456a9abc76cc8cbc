"""Taking away the input or the output gate costs accuracy on a task that needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, said
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: input and output gate", "3 日目 LSTM：入力ゲートと出力ゲート")
SAYS = Text(
    "Input and output gate let the weights of what is written and read follow the input and the state, "
    "and so mend the fault of the carousel.",
    "入力ゲートと出力ゲートは、書き込みと読み出しの重みを入力と状態に応じて変えられるようにし、"
    "CEC の課題を解決する。",
)
TRUTH = None
METHOD = Text(
    "Two tasks over 30 steps, for LSTMs of 12 units. Input gate: a marked value is to be kept while "
    "others of the same kind arrive. Output gate: a stored value must not show in the outputs, which "
    "repeat the present input, until it is asked for at the end. On each, the whole LSTM and one without "
    "the gate learn equally long, with forget gates that start open; error over the variance.",
    "30 ステップの課題を二つ用いる (12 ユニットの LSTM)。入力ゲート：印のついた値を、同種の値が続々と来る間"
    "保持する。出力ゲート：各時刻には現在の入力を答え、保持した値は最後に問われるまで出力に現れては"
    "ならない。それぞれについて、完全な LSTM とゲートを外した LSTM を、忘却ゲートを開いた状態から同じだけ学習"
    "させ、値の分散に対する誤差を比べる。",
)
CONTROL = Text(
    "The tasks no longer need the gates: no other values arrive, and only the last output counts.",
    "課題がゲートを必要としないようにする。ほかの値は来ず、最後の出力だけを問う。",
)
RULE = Text(
    "A gate's cost is the error without it minus the error with it. Holds if the 95 % intervals of both "
    "costs lie above 0.05; holds under a condition if only one gate's does; does not hold if both lie "
    "below 0.05; otherwise undecided.",
    "ゲートの代償とは、外したときの誤差から、あるときの誤差を引いたものである。両方の代償の 95 % 区間が 0.05 より"
    "上なら成り立つ。片方のゲートだけなら条件つきで成り立つ。両方とも 0.05 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 40.0, "full": 300.0}

HIDDEN, LENGTH, BATCH, TESTED, LR = 12, 30, 32, 2000, 1e-2
STEPS = {"quick": 600, "full": 2000}
VARIANCE, FORGET_BIAS = 1 / 3, 3.0
COST = 0.05
GATES = {
    "input": Text("input gate", "入力ゲート"),
    "output": Text("output gate", "出力ゲート"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    measured = {}
    for gate in GATES:
        for there, name in ((True, "with"), (False, "without")):
            measured[f"error_{name}_{gate}_rel"] = _error(
                seed, gate, there=there, needed=not control, steps=STEPS[profile]
            )
    return measured


def _error(seed: int, gate: str, *, there: bool, needed: bool, steps: int) -> float:
    """Error on new sequences of the gate's own task, over the variance of the values."""
    import numpy as np

    from shinso.claims.sequence_training import Reader, answers, learn, seeded, set_gate_bias
    from shinso.data import sequence_tasks
    from shinso.nn import LSTM

    task = sequence_tasks.kept_value if gate == "input" else sequence_tasks.undisturbed_output
    with seeded(seed):
        rng = np.random.default_rng(seed)

        def draw_sequences(num: int = BATCH) -> tuple[torch.Tensor, torch.Tensor]:
            x, target = task(num, LENGTH, rng)
            if gate == "input" and not needed:
                x[..., 0] *= x[..., 1]
            return x, target

        def loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            """Every step's error, the last one's weighing as much as all others."""
            error = (answer - target).square()
            if gate == "input":
                return error.mean()
            last = error[:, -1].mean()
            return (last + error[:, :-1].mean()) / 2 if needed else last

        layer = LSTM(
            2 if gate == "input" else 3,
            HIDDEN,
            batch_first=True,
            **{f"{gate}_gate": there},  # pyright: ignore[reportArgumentType]
        )
        set_gate_bias(layer, slice(HIDDEN, 2 * HIDDEN), FORGET_BIAS)
        model = Reader(layer, HIDDEN, 1, last_only=gate == "input")
        learn(model, draw_sequences, loss, steps=steps, lr=LR)
        x, target = draw_sequences(TESTED)
        return float(loss(answers(model, x), target)) / VARIANCE


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    costs = {
        gate: intervals.paired_difference(
            column(measurements, f"error_without_{gate}_rel"),
            column(measurements, f"error_with_{gate}_rel"),
        )
        for gate in GATES
    }
    costly = [gate for gate, cost in costs.items() if cost.low > COST]
    condition = None
    if len(costly) == len(GATES):
        verdict = Verdict.HOLDS
    elif costly:
        verdict = Verdict.CONDITIONALLY
        condition = Text(
            f"for the {GATES[costly[0]].en} only", f"{GATES[costly[0]].ja}についてのみ"
        )
    elif all(cost.high < COST for cost in costs.values()):
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    i, o = costs["input"], costs["output"]
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"Without the input gate the error rises by {said(i.value)} of the variance ({said(i.low)} to "
            f"{said(i.high)}), without the output gate by {said(o.value)} ({said(o.low)} to "
            f"{said(o.high)}).",
            f"入力ゲートを外すと誤差は分散の {said(i.value)} 倍だけ増え ({said(i.low)}〜{said(i.high)})、"
            f"出力ゲートを外すと {said(o.value)} 倍だけ増える ({said(o.low)}〜{said(o.high)})。",
        ),
        estimates=tuple(
            intervals.estimate(
                Text(
                    f"cost of no {GATES[gate].en} (share of variance)",
                    f"{GATES[gate].ja}を外す代償 (分散に対する比)",
                ),
                cost,
                seeds=seeds,
            )
            for gate, cost in costs.items()
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error of all four networks, on the tasks that need the gate and on those that do not."""
    from shinso.claims.drawing import dots, legend, spoken

    panels = figure.subplots(1, len(GATES), sharey=True)
    for axes, (gate, title) in zip(panels, GATES.items(), strict=True):
        names = [f"error_{name}_{gate}_rel" for name in ("with", "without")]
        dots(
            axes,
            [Text("with it", "あり"), Text("without it", "なし")],
            [column(measurements, name) for name in names],
            [column(controls, name) for name in names],
            ylabel=Text("error (share of the variance)", "誤差 (分散に対する比)"),
        )
        axes.set_title(spoken(title))
        axes.set_yscale("log")
        axes.get_legend().remove()
    panels[0].set_ylim(top=10 * panels[0].get_ylim()[1])  # leaves a place for the legend
    legend(panels[0], loc="upper left")
