"""Nine weights of ten can go with little loss, if the others learn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, curve
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, lighter models: pruning, accuracy", "4 日目 モデルの軽量化:枝刈りと精度")
SAYS = Text(
    "After pruning, a network that is trained on is nearly as accurate as before.",
    "枝刈りのあとに再学習すれば、精度は元のモデルとほとんど変わらない。",
)
TRUTH = None
METHOD = Text(
    "A dense network of 2 × 64 units learns 1,297 real digits (8×8). The 50, 80, 90 and 95 % of its "
    "weights that are smallest beside the others of their layer are set to zero, and the others learn on for half as many steps; "
    "accuracy on 500 others. The random state and the batches are the same on both sides.",
    "64 ユニット × 2 層の全結合ネットワークで実在の数字画像(8×8)1,297 枚を学習し、層の中で相対的に小さい重みから順に 50・80・90・95 % "
    "を 0 にして、残りの重みを半分のステップ数だけ再学習する。残り 500 枚での正解率を測る。",
)
CONTROL = Text(
    "The same weights are set to zero, and nothing learns on.",
    "同じ重みを 0 にし、再学習を行わない。",
)
RULE = Text(
    "Nearly means 0.02. Holds if, with 90 % of the weights gone, the 95 % interval of the loss in "
    "accuracy over seeds lies below 0.02; does not hold if it lies above; otherwise undecided.",
    "「ほとんど」は 0.02 以内を指す。重みの 90 % を除いたときの正解率の低下の 95 % 区間が 0.02 より下なら成り立つ。"
    "上なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 4, "full": 10}
BUDGET_S = {"quick": 40.0, "full": 200.0}

STEPS = {"quick": 400, "full": 1200}
SPARSITIES = (0.5, 0.8, 0.9, 0.95)
JUDGED, MARGIN = 0.9, 0.02


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.compression_training import Digits, dense, learn
    from shinso.claims.sequence_training import seeded
    from shinso.compress import pruning

    with seeded(seed) as generator:
        digits = Digits(generator)
        model = dense(64)
        learn(model, digits, steps=STEPS[profile])
        whole = {name: one.clone() for name, one in model.state_dict().items()}
        before = digits.accuracy(model)
        accuracies = []
        for sparsity in SPARSITIES:
            model.load_state_dict(whole)
            weights = pruning.prunable(model)
            masks = pruning.layer_adaptive_masks(weights, sparsity)
            pruning.apply(weights, masks)
            if not control:
                learn(
                    model, digits, steps=STEPS[profile] // 2, lr=1e-3,
                    after_step=lambda w=weights, m=masks: pruning.apply(w, m),
                )  # fmt: skip
            accuracies.append(digits.accuracy(model))
    judged = accuracies[SPARSITIES.index(JUDGED)]
    return {"accuracy_whole": before, "accuracy_judged": judged, "accuracies": accuracies}


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    before, after = (column(measurements, f"accuracy_{n}") for n in ("whole", "judged"))
    lost = intervals.paired_difference(before, after)
    if lost.high < MARGIN:
        verdict = Verdict.HOLDS
    elif lost.low > MARGIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    whole = intervals.mean(before)
    return Finding(
        verdict=verdict,
        because=Text(
            f"The whole network is right in {whole.value:.1%}; with 90 % of its weights gone it loses "
            f"{lost.value:.3f} ({lost.low:+.3f} to {lost.high:+.3f}).",
            f"元のネットワークの正解率は {whole.value:.1%}。重みの 90 % を除くと {lost.value:.3f} "
            f"({lost.low:+.3f}〜{lost.high:+.3f}) 低下する。",
        ),
        estimates=(
            intervals.estimate("lost accuracy, 90 % gone (share)", lost, seeds=seeds),
            intervals.estimate("accuracy before (share)", whole, seeds=seeds),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy over the share of weights that are gone, a line a seed."""
    from shinso.claims.drawing import curves

    def lines(side: Sequence[Measurement]) -> list[list[float]]:
        return [[*column([one], "accuracy_whole"), *curve(one, "accuracies")] for one in side]

    curves(
        figure.subplots(),
        [0.0, *SPARSITIES],
        lines(measurements),
        lines(controls),
        xlabel=Text("share of weights that are gone", "取り除いた重みの割合"),
        ylabel=Text("accuracy on unseen digits (share)", "未知の数字での正解率"),
    )
