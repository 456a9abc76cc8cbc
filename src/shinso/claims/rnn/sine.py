"""An RNN predicts a sine: one step ahead, and running by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.figures.predict_sin import Config

PLACE = Text(
    "Day 3, recurrent networks: prediction of a sine", "3 日目 再帰型ネットワーク：sin 波の予測"
)
SAYS = Text("An RNN learns to predict a sine.", "RNN は sin 波を予測できるようになる。")
TRUTH = Text(
    "One step ahead it does. Running by itself, from its own predictions, it drifts away from "
    "the sine, while a linear autoregression with two numbers follows it to rounding.",
    "1 ステップ先ならそのとおりである。自分の予測を入力として続けると sin 波からずれていく。"
    "係数 2 つの線形自己回帰なら、丸め誤差の範囲でたどれる。",
)
METHOD = Text(
    "The course's network (1–5–1, tanh, windows of two values, exact gradient) learns for 500 "
    "epochs, as in the course's figure. One step: error on windows kept from training, over that of "
    "saying the last value again. Running by itself: 200 predictions from the first two true "
    "values; its error against 0.71, that of always saying 0.",
    "講座のネットワーク (1–5–1、tanh、窓は 2 つの値、正しい勾配) を講座の図と同じく 500 エポック学習させる。"
    "1 ステップ先：学習に使わない窓での誤差を、直前の値をそのまま答える場合の誤差で割る。"
    "自己回帰的予測：最初の真の値 2 つから 200 回続けて予測し、その誤差を、常に 0 と答える場合の 0.71 と比べる。",
)
CONTROL = Text(
    "The window holds the last value only, so that there is no past for the recurrence to carry: "
    "whether the sine rises or falls cannot be known.",
    "窓を最後の値 1 つだけにする。再帰が運ぶ過去がなくなり、sin 波が上がるか下がるかを知りえない。",
)
RULE = Text(
    "One step ahead holds if the 95 % interval of the ratio of errors lies below 0.5, and fails if it "
    "lies above 0.5. Running by itself holds if the interval of the RMSE lies below 0.71; if not, it is "
    "not shown. Both hold: holds. Only one step ahead: holds under that condition. One step "
    "fails: does not hold. Otherwise undecided.",
    "1 ステップ先は、誤差の比の 95 % 区間が 0.5 より下なら成り立ち、0.5 より上なら成り立たない。"
    "自己回帰的予測は、RMSE の区間が 0.71 より下なら成り立ち、そうでなければ示されたとはしない。両方とも成り立てば成り立つ。"
    "1 ステップ先だけなら条件つきで成り立つ。1 ステップ先が成り立たなければ成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 5.0, "full": 10.0}

GOOD_RATIO, SAYING_ZERO_RMSE = 0.5, math.sqrt(0.5)
SEEDS_DRAWN = 3


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.figures import predict_sin

    config = predict_sin.Config(seed=seed, gradient="exact")
    if control:
        return _without_past(config)
    result = predict_sin.train(config)
    return {
        "one_step_rmse": result.network.one_step_rmse,
        "persistence_rmse": result.persistence.one_step_rmse,
        "one_step_ratio": result.network.one_step_rmse / result.persistence.one_step_rmse,
        "linear_ar_rmse": result.linear_ar.one_step_rmse,
        "own_run_rmse": result.network.closed_loop_rmse,
        "linear_ar_own_run_rmse": result.linear_ar.closed_loop_rmse,
        "steps": np.asarray(result.steps, float).tolist(),
        "sine": result.sine.tolist(),
        "own_run": result.network.closed_loop.tolist(),
    }


def _without_past(config: Config) -> Measurement:
    """The same network, data and order, but each window is its last value alone."""
    import numpy as np

    from shinso.figures import predict_sin
    from shinso.figures.course import draw_weights
    from shinso.figures.predict_sin_numba import train_windows

    rng = np.random.RandomState(config.seed)
    series = predict_sin.sine(config, config.points)
    pieces = np.lib.stride_tricks.sliding_window_view(series, config.window + 1)
    shuffled = pieces[rng.permutation(len(pieces))][:, -2:]
    num_train = int(len(pieces) * (1 - config.test_share))
    kept, learnt = np.split(shuffled, [len(pieces) - num_train])
    weights, _ = train_windows(
        draw_weights(rng, config.init_scale, 1, config.hidden, 1),
        learnt[:, :-1].copy(),
        learnt[:, -1].copy(),
        epochs=config.epochs,
        lr=config.lr,
        published=False,
        guard=predict_sin.GUARD,
    )

    def predict(windows):
        return predict_sin.forward(weights, windows)[1]

    values = predict_sin.sine(config, config.window + config.predictions)
    before = config.window - 1
    own_run = predict_sin.run_closed_loop(predict, values[before : before + 1], config.predictions)
    sine = values[config.window :]
    one_step = float(np.sqrt(np.mean((predict(kept[:, :-1]) - kept[:, -1]) ** 2)))
    persistence = float(np.sqrt(np.mean((kept[:, 0] - kept[:, 1]) ** 2)))
    return {
        "one_step_rmse": one_step,
        "persistence_rmse": persistence,
        "one_step_ratio": one_step / persistence,
        "own_run_rmse": float(np.sqrt(np.mean((own_run - sine) ** 2))),
        "steps": np.arange(config.window, len(values), dtype=float).tolist(),
        "sine": sine.tolist(),
        "own_run": own_run.tolist(),
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    ratio = intervals.mean(column(measurements, "one_step_ratio"))
    own_run = intervals.mean(column(measurements, "own_run_rmse"))
    condition = None
    if ratio.low > GOOD_RATIO:
        verdict = Verdict.REFUTED
    elif not ratio.high < GOOD_RATIO or not math.isfinite(own_run.high):
        verdict = Verdict.UNDECIDED
    elif own_run.high < SAYING_ZERO_RMSE:
        verdict = Verdict.HOLDS
    else:
        verdict = Verdict.CONDITIONALLY
        condition = Text("one step ahead from true values", "真の値から 1 ステップ先を予測するとき")
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"One step ahead the error is {ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) of "
            f"saying the last value again. Running by itself its RMSE is {own_run.value:.2f} "
            f"({own_run.low:.2f} to {own_run.high:.2f}); always saying 0 has 0.71.",
            f"1 ステップ先の誤差は、直前の値をそのまま答える場合の {ratio.value:.3f} 倍 "
            f"({ratio.low:.3f}〜{ratio.high:.3f}) である。自己回帰的予測の RMSE は {own_run.value:.2f} "
            f"({own_run.low:.2f}〜{own_run.high:.2f}) で、常に 0 と答える場合は 0.71 である。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "error one step ahead over that of persistence (ratio)",
                    "1 ステップ先の誤差の、持続予測の誤差に対する比",
                ),
                ratio,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "RMSE of 200 steps by itself (amplitude 1)",
                    "自己回帰的予測 200 回の RMSE (振幅 1)",
                ),
                own_run,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The network's own run beside the sine, and the error one step ahead."""
    from shinso.claims.drawing import curves, dots, legend, spoken

    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    steps = curve(measurements[0], "steps")
    left.plot(
        steps,
        curve(measurements[0], "sine"),
        color="0.75",
        linewidth=5,
        label=spoken(Text("the sine", "sin 波")),
    )
    curves(
        left,
        steps,
        [curve(m, "own_run") for m in measurements[:SEEDS_DRAWN]],
        [curve(m, "own_run") for m in controls[:SEEDS_DRAWN]],
        xlabel=Text("step (2π is about 100 steps)", "ステップ (2π は約 100 ステップ)"),
        ylabel=Text("200 predictions by itself", "自己回帰的に続けた 200 回の予測"),
    )
    left.set_title(spoken(Text(f"first {SEEDS_DRAWN} seeds", f"最初の {SEEDS_DRAWN} シード")))
    left.set_ylim(-1.3, 2.2)
    legend(left, loc="upper right")
    dots(
        right,
        [Text("one step ahead", "1 ステップ先")],
        [column(measurements, "one_step_ratio")],
        [column(controls, "one_step_ratio")],
        ylabel=Text("error over persistence's (ratio)", "持続予測に対する誤差の比"),
    )
    right.set_yscale("log")
    bound = right.axhline(
        GOOD_RATIO, color="0.4", linewidth=0.8, label=spoken(Text("bound 0.5", "境界 0.5"))
    )
    legend(right, handles=[bound])
