"""Without a forget gate useless memory piles up on a continual stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve, said
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, LSTM: the forget gate", "3 日目 LSTM：忘却ゲート")
SAYS = Text(
    "Without a forget gate the LSTM keeps all of the past, needed or not; with it, what is no longer "
    "needed is forgotten at that moment.",
    "忘却ゲートがないと、過去の情報は不要になっても保管され続ける。忘却ゲートは、不要になった時点で"
    "情報を忘れさせる。",
)
TRUTH = None
METHOD = Text(
    "A stream of numbers in which marks begin new episodes (10 steps on average); asked for at each "
    "step is the sum since the last mark. LSTMs of 16 units with and without forget gate learn along "
    "32 such streams, 100 steps at a time, their state carried on and never set back, as in Gers et al. "
    "(2000). Then, with weights fixed, the streams go on for 1,000 steps: taken is the error there over "
    "the variance of the target, and by what factor the cell has grown since a tenth of the way.",
    "印が新しい区間 (平均 10 ステップ) の始まりを示す数のストリームで、各時刻に、直前の印以降の和を答える。"
    "忘却ゲートのある LSTM とない LSTM (16 ユニット) を、32 本のストリームに沿って 100 ステップずつ学習させる。"
    "Gers ら (2000) と同じく、状態は引き継ぎ、一度も初期化しない。その後、重みを固定してストリームを 1,000 ステップ"
    "続け、誤差 (目標値の分散で割る) と、全体の 10 分の 1 の時点からセルの値が何倍になったかを測る。",
)
CONTROL = Text(
    "The stream is cut: each 100 steps are one episode, and the state is set back before each. "
    "Nothing useless is left in the cell.",
    "ストリームを断つ。100 ステップごとに一つの区間とし、その前に状態を初期化する。不要な情報がセルに残らない。",
)
RULE = Text(
    "Holds if the 95 % interval of the error lies below 0.2 with forget gate and above 0.5 without, "
    "and the cell without it grows by more than 2 (interval). Does not hold if without forget gate the "
    "error lies below 0.2 or the growth below 2, or if with it the error lies above 0.5; otherwise "
    "undecided. Means over seeds are geometric, their intervals taken on the logarithm.",
    "誤差の 95 % 区間が、忘却ゲートありで 0.2 より下、なしで 0.5 より上であり、なしのセルの増大の区間が 2 倍"
    "より上なら成り立つ。なしの誤差が 0.2 より下、増大が 2 倍より下、またはありの誤差が 0.5 より上なら"
    "成り立たない。それ以外は判定できない。シードにわたる平均は幾何平均とし、区間は対数でとる。",
)
RULE_CHANGED = Text(
    "Changed on 2026-12-01: before, it did not say how the intervals are taken, and they were those of "
    "arithmetic means. Errors and growth are above zero and scatter by factors; the interval of the error "
    "without forget gate reached down to −1, which no error can be.",
    "2026-12-01 に変更。以前は区間のとり方を定めておらず、算術平均の区間を用いていた。誤差と増大は正の値で、シードごとに"
    "何倍も違う。忘却ゲートなしの誤差の区間は、誤差がとりえない −1 にまで達していた。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 30.0, "full": 300.0}

HIDDEN, STREAMS, PIECE, PIECES, LR = 16, 32, 100, 10, 2e-2
STEPS = {"quick": 700, "full": 2000}
EPISODE, ENDLESS = 10.0, 1e12
LEARNT, FAILED, PILED_UP = 0.2, 0.5, 2.0
ARMS = {True: "with", False: "without"}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    measured: dict[str, float | list[float] | list[list[float]] | str] = {}
    for forget_gate, name in ARMS.items():
        errors, sizes = _run(seed, forget_gate=forget_gate, cut=control, steps=STEPS[profile])
        tenth = len(sizes) // 10
        measured[f"late_error_{name}_rel"] = sum(errors[-PIECES:]) / PIECES
        measured[f"cell_growth_{name}"] = sizes[-1] / sizes[tenth - 1]
        every = max(1, len(errors) // 50)
        measured[f"errors_{name}_rel"] = errors[::every]
        measured["steps"] = [float(PIECE * (place + 1)) for place in range(len(errors))][::every]
    return measured


def _run(seed: int, *, forget_gate: bool, cut: bool, steps: int) -> tuple[list[float], list[float]]:
    """Error (over the target's variance) and mean size of the cell, piece by piece of the stream."""
    import numpy as np
    from torch.nn import functional as F

    from shinso.claims.sequence_training import CarriedState, Reader, answers, learn, seeded
    from shinso.nn import LSTM

    with seeded(seed):
        rng = np.random.default_rng(seed)
        layer = LSTM(2, HIDDEN, batch_first=True, forget_gate=forget_gate)
        carried = CarriedState(layer)
        model = Reader(carried, HIDDEN, 1, last_only=False)
        errors, sizes = [], []

        def next_piece() -> tuple[torch.Tensor, torch.Tensor]:
            if cut:
                carried.state = None
            return _piece(rng, cut=cut)

        def loss(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            error = F.mse_loss(answer, target)
            errors.append(float(error.detach() / target.var()))
            sizes.append(float(carried.state[1].abs().mean()))
            return error

        learn(model, next_piece, loss, steps=steps, lr=LR)
        for _ in range(PIECES):
            x, target = next_piece()
            loss(answers(model, x), target)
        return errors, sizes


def _piece(rng: np.random.Generator, *, cut: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The next steps of all streams; cut: the whole piece is one episode, on a like scale."""
    from shinso.data.sequence_tasks import continual_sums

    x, target = continual_sums(STREAMS, PIECE, rng, mean_episode=ENDLESS if cut else EPISODE)
    return x, target * (math.sqrt(ENDLESS / PIECE) if cut else 1.0)


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    kept, lost, growth = (
        intervals.geometric_mean(column(measurements, name))
        for name in ("late_error_with_rel", "late_error_without_rel", "cell_growth_without")
    )
    if kept.low > FAILED or lost.high < LEARNT or growth.high < PILED_UP:
        verdict = Verdict.REFUTED
    elif kept.high < LEARNT and lost.low > FAILED and growth.low > PILED_UP:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        because=Text(
            f"After learning the error is {said(kept.value)} ({said(kept.low)} to {said(kept.high)}) of "
            f"the variance with a forget gate and {said(lost.value)} ({said(lost.low)} to "
            f"{said(lost.high)}) without; there the cell has grown {said(growth.value)} times "
            f"({said(growth.low)} to {said(growth.high)}).",
            f"学習後の誤差は、忘却ゲートありで分散の {said(kept.value)} 倍 ({said(kept.low)}〜"
            f"{said(kept.high)})、なしで {said(lost.value)} 倍 ({said(lost.low)}〜{said(lost.high)}) "
            f"であり、なしのセルは {said(growth.value)} 倍 ({said(growth.low)}〜{said(growth.high)}) "
            "に増大した。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "late error with forget gate (share of variance)",
                    "忘却ゲートありの学習後の誤差 (分散に対する比)",
                ),
                kept,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "late error without forget gate (share of variance)",
                    "忘却ゲートなしの学習後の誤差 (分散に対する比)",
                ),
                lost,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "growth of the cell without forget gate (factor)",
                    "忘却ゲートなしのセルの増大 (倍)",
                ),
                growth,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Error along the stream, without forget gate on the left and with it on the right."""
    from shinso.claims.drawing import curves, spoken

    titles = {
        "without": Text("without forget gate", "忘却ゲートなし"),
        "with": Text("with forget gate", "忘却ゲートあり"),
    }
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        curves(
            axes,
            [step / 1e4 for step in curve(measurements[0], "steps")],
            [curve(m, f"errors_{name}_rel") for m in measurements],
            [curve(m, f"errors_{name}_rel") for m in controls],
            xlabel=Text("place in the stream (10⁴ steps)", "ストリーム中の位置 (10⁴ ステップ)"),
            ylabel=Text("error (share of the variance)", "誤差 (分散に対する比)"),
        )
        axes.set_title(spoken(title))
        axes.set_yscale("log")
