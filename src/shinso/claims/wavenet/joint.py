"""The product of a WaveNet's conditionals is a probability of whole sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, WaveNet: the joint probability", "4 日目 WaveNet：結合確率")
SAYS = Text(
    "The probability of a whole sound is the product of the conditional probabilities of its samples, "
    "each given the earlier ones.",
    "音声全体の確率は、各サンプルの (それ以前のサンプルを与えた) 条件付き確率の積である。",
)
TRUTH = None
METHOD = Text(
    "A WaveNet with 4 classes and random weights gives the conditionals of all sequences of up to 6 "
    "samples, in float64; their products are added up for each length.",
    "4 クラスの WaveNet (重みは乱数) で、長さ 6 以下のすべての列の条件付き確率を求め (float64)、積を長さごとに"
    "合計する。",
)
CONTROL = Text(
    "The inputs are not shifted: each conditional has seen the very sample that it is about.",
    "入力をずらさない。各条件付き確率は、対象のサンプル自身を見てしまう。",
)
RULE = Text(
    "Holds if the sums of all lengths are within 1e-9 of 1 at every seed; does not hold if not; "
    "undecided if a number is not finite.",
    "すべてのシードで、どの長さの合計も 1 との差が 1e-9 以下なら成り立つ。そうでなければ成り立たない。"
    "有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 4.0, "full": 15.0}

CLASSES, LONGEST = 4, 6
BOUNDS = (
    Bound(of="deviation", name=Text("distance of the sum from 1", "合計と 1 との差"), most=1e-9),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import itertools

    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.models.wavenet import WaveNet

    with seeded(seed), torch.no_grad():
        config = WaveNet.Config(layers=4, largest_dilation=4, width=8, skips=8)
        model = WaveNet(config, num_classes=CLASSES).double()
        for weights in (model.stack.past, model.stack.now, model.head.weight):
            weights *= 3  # conditionals far from even ones
        sums = []
        for length in range(1, LONGEST + 1):
            every = torch.tensor(list(itertools.product(range(CLASSES), repeat=length)))
            scores = model.scores(every) if control else model(every)
            chances = scores.log_softmax(-1).gather(2, every.unsqueeze(-1)).squeeze(-1)
            sums.append(float(chances.sum(1).exp().sum()))
    return {"deviation": max(abs(one - 1) for one in sums), "sums": sums}


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Sums of the products over the length of the sequences."""
    from shinso.claims.drawing import curves, legend

    axes = figure.subplots()
    curves(
        axes,
        [float(length) for length in range(1, LONGEST + 1)],
        [curve(one, "sums") for one in measurements],
        [curve(one, "sums") for one in controls],
        xlabel=Text("samples in a sequence", "列の長さ (サンプル)"),
        ylabel=Text("sum over all sequences", "すべての列の確率の合計"),
    )
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
