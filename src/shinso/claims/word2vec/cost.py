"""What makes large vocabularies affordable: dense vectors with a sampled softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, word2vec: its merit", "3 日目 word2vec：メリット")
SAYS = Text(
    "word2vec makes it possible to learn from large data in realistic time and memory: instead of "
    "weights of vocabulary × vocabulary there are weights of vocabulary × vector length.",
    "word2vec により、大規模データの学習が現実的な計算時間とメモリ量で可能になった。「ボキャブラリ × ボキャブラリ」"
    "の重みの代わりに、「ボキャブラリ × 単語ベクトルの次元数」の重みになる。",
)
TRUTH = Text(
    "No network here has a matrix of vocabulary × vocabulary: one that is given one-hot vectors has two "
    "matrices of vocabulary × vector length as well. What grows with the vocabulary is the work of a step: "
    "the products with one-hot vectors, and the scores of all words. Looking rows up saves the first, "
    "scoring a few drawn words the second. Both together make a step's cost independent of the vocabulary; "
    "the control shows that the first alone does not.",
    "ここには「ボキャブラリ × ボキャブラリ」の行列をもつネットワークはない。one-hot ベクトルを入力とするネットワークの"
    "重みも、「ボキャブラリ × 次元数」の行列二つである。ボキャブラリとともに増えるのは 1 ステップの計算であり、one-hot "
    "ベクトルとの積と、全単語の採点がそれである。表引きは前者を、少数の負例だけの採点は後者を省く。両方がそろって初めて、"
    "1 ステップの計算量がボキャブラリの大きさによらなくなる。前者だけでは足りないことを対照実験が示す。",
)
METHOD = Text(
    "Steps of 16 pairs with vectors of 32 numbers are timed for vocabularies of 1,000 to 16,000 words: "
    "one-hot vectors times a matrix and a softmax over all words, against rows looked up and five drawn "
    "words. Compared is the exponent with which the time grows (slope of log time over log size), and "
    "the numbers that the weights take.",
    "16 組・32 次元の 1 ステップの時間を、ボキャブラリ 1,000〜16,000 語で測る。one-hot ベクトルと行列の積および全単語の"
    "ソフトマックスを、表引きと 5 個の負例と比べる。時間がボキャブラリの大きさの何乗で増えるか (log 時間の log 語数に対する傾き) と、"
    "重みの個数を比べる。",
)
CONTROL = Text(
    "Rows are looked up, but the softmax runs over all words.",
    "表引きはするが、ソフトマックスは全単語で計算する。",
)
RULE = Text(
    "Holds if the 95 % interval of the exponent lies below 0.35 for looked-up rows with drawn words and "
    "above 0.6 for one-hot vectors with the whole softmax; does not hold if either lies beyond its bound "
    "with its whole interval; otherwise undecided.",
    "指数の 95 % 区間が、表引きと負例では 0.35 より下、one-hot と全ソフトマックスでは 0.6 より上なら成り立つ。"
    "どちらかの区間全体が限度の反対側なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 20.0, "full": 120.0}

SIZES = (1000, 2000, 4000, 8000, 16_000)
DIM, PAIRS, DRAWN, LR = 32, 16, 5, 0.01
STEPS = {"quick": 12, "full": 40}
FLAT, STEEP = 0.35, 0.6


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import math

    import torch

    from shinso.claims.sequence_training import seeded

    found: dict[str, list[float]] = {"looked_up_s": [], "one_hot_s": []}
    with seeded(seed), torch.no_grad():
        for size in SIZES:
            inputs, outputs = torch.randn(size, DIM), torch.randn(size, DIM)
            own = _whole_softmax if control else _drawn_words
            found["looked_up_s"].append(_seconds(own, inputs, outputs, STEPS[profile]))
            found["one_hot_s"].append(_seconds(_one_hot, inputs, outputs, STEPS[profile]))
    logs = [math.log(size) for size in SIZES]
    return {
        **found,
        "exponent_looked_up": intervals.log_slope(logs, found["looked_up_s"]).value,
        "exponent_one_hot": intervals.log_slope(logs, found["one_hot_s"]).value,
        "numbers_dense": float(2 * max(SIZES) * DIM),
        "numbers_square": float(max(SIZES) ** 2),
    }


def _seconds(
    step: Callable[..., None], inputs: torch.Tensor, outputs: torch.Tensor, steps: int
) -> float:
    """Median processor time of a step."""
    import statistics
    import time

    import torch

    taken = []
    for _ in range(steps + 2):
        centres, near = torch.randint(len(inputs), (2, PAIRS))
        began = time.process_time()
        step(inputs, outputs, centres, near)
        taken.append(time.process_time() - began)
    return statistics.median(taken[2:])


def _drawn_words(
    inputs: torch.Tensor, outputs: torch.Tensor, centres: torch.Tensor, near: torch.Tensor
) -> None:
    """Mikolov et al. 2013b, eq. 4, and a step against its gradient; only some rows change."""
    import torch

    drawn = torch.randint(len(outputs), (PAIRS, DRAWN))
    targets = torch.cat([near[:, None], drawn], 1)
    x, y = inputs[centres], outputs[targets]
    error = torch.sigmoid(torch.einsum("pd,ptd->pt", x, y))
    error[:, 0] -= 1
    outputs.index_add_(0, targets.flatten(), (-LR * error[..., None] * x[:, None]).flatten(0, 1))
    inputs.index_add_(0, centres, torch.einsum("pt,ptd->pd", error, y), alpha=-LR)


def _whole_softmax(
    inputs: torch.Tensor, outputs: torch.Tensor, centres: torch.Tensor, near: torch.Tensor
) -> None:
    import torch

    x = inputs[centres]
    error = (x @ outputs.T).softmax(1)
    error[torch.arange(PAIRS), near] -= 1
    back = error @ outputs
    outputs -= LR * (error.T @ x)
    inputs.index_add_(0, centres, back, alpha=-LR)


def _one_hot(
    inputs: torch.Tensor, outputs: torch.Tensor, centres: torch.Tensor, near: torch.Tensor
) -> None:
    import torch

    hot = torch.zeros(PAIRS, len(inputs))
    hot[torch.arange(PAIRS), centres] = 1
    x = hot @ inputs
    error = (x @ outputs.T).softmax(1)
    error[torch.arange(PAIRS), near] -= 1
    back = error @ outputs
    outputs -= LR * (error.T @ x)
    inputs -= LR * (hot.T @ back)


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    looked_up = intervals.mean(column(measurements, "exponent_looked_up"))
    one_hot = intervals.mean(column(measurements, "exponent_one_hot"))
    if looked_up.high < FLAT and one_hot.low > STEEP:
        verdict = Verdict.HOLDS
    elif looked_up.low > FLAT or one_hot.high < STEEP:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    dense = max(column(measurements, "numbers_dense"))
    square = max(column(measurements, "numbers_square"))
    return Finding(
        verdict=verdict,
        because=Text(
            f"A step's time grows with the vocabulary to the power {looked_up.value:.2f} "
            f"({looked_up.low:.2f} to {looked_up.high:.2f}), with one-hot vectors and the whole softmax to "
            f"the power {one_hot.value:.2f} ({one_hot.low:.2f} to {one_hot.high:.2f}). For "
            f"{max(SIZES):,} words the two tables hold {dense:,.0f} numbers; a square matrix, which neither has, "
            f"would hold {square:,.0f}.",
            f"1 ステップの時間はボキャブラリの大きさの {looked_up.value:.2f} 乗 ({looked_up.low:.2f}〜{looked_up.high:.2f}) に比例し、"
            f"one-hot と全ソフトマックスでは {one_hot.value:.2f} 乗 ({one_hot.low:.2f}〜{one_hot.high:.2f}) に比例する。"
            f"{max(SIZES):,} 語で、二つの表は {dense:,.0f} 個の数になる (どちらにもない正方行列なら {square:,.0f} 個)。",
        ),
        estimates=(
            intervals.estimate(
                Text("exponent of time, looked up (1)", "時間の指数、表引きと負例 (無次元)"),
                looked_up,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("exponent of time, one-hot (1)", "時間の指数、one-hot (無次元)"),
                one_hot,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Milliseconds a step over the size of the vocabulary, both ways."""
    from shinso.claims.drawing import CLAIM, SIDES, legend, spoken
    from shinso.claims.drawing import CONTROL as OTHER

    axes = figure.subplots()
    for one in measurements:
        axes.plot(SIZES, curve(one, "looked_up_s"), **CLAIM)
        axes.plot(SIZES, curve(one, "one_hot_s"), **{**CLAIM, "color": "#009E73", "marker": "^"})
    for one in controls:
        axes.plot(SIZES, curve(one, "looked_up_s"), **OTHER)
    names = [
        Text("looked up, drawn words", "表引きと負例"),
        SIDES[1][1],
        Text("one-hot", "one-hot ベクトル"),
    ]
    for name, look in zip(
        names, (CLAIM, OTHER, {**CLAIM, "color": "#009E73", "marker": "^"}), strict=True
    ):
        axes.plot([], [], **look, label=spoken(name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(spoken(Text("words of the vocabulary", "ボキャブラリの語数")))
    axes.set_ylabel(spoken(Text("seconds a step", "1 ステップの秒数")))
    legend(axes)
