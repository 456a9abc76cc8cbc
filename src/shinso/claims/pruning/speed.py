"""Pruning makes a network faster where channels go; weights set to zero gain nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, lighter models: pruning, speed", "4 日目 モデルの軽量化：枝刈りと速度")
SAYS = Text(
    "Pruning removes weights that matter little, and the model computes less and faster.",
    "重要でない重みを取り除く枝刈りにより、計算量が減り、処理が速くなる。",
)
TRUTH = Text(
    "Faster only where whole channels are removed. Single weights set to zero are multiplied as "
    "before on dense hardware.",
    "速くなるのはチャネルごと取り除いたときだけである。個々の重みを 0 にしても、通常のハードウェアでは同じだけ"
    "掛け算が行われる。",
)
METHOD = Text(
    "A dense network of 2 × 1,024 units (2,048 in the full profile) reads 64 images of 16×16. Half of "
    "its hidden units are removed (a quarter of the products between them is left), or half of its weights are set to "
    "zero. Processor time of each beside that of the whole network, in turn, median of 41 runs.",
    "1,024 ユニット (full プロファイルでは 2,048) × 2 層の全結合ネットワークが 16×16 の画像 64 枚を読む。隠れユニットを半分取り除いた場合 "
    "(層間の積は 1/4 になる) と、重みの半分を 0 にした場合の CPU 時間を、元のネットワークと交互に測り、41 回の中央値の"
    "比をとる。",
)
CONTROL = Text(
    "The same hidden units are set to zero instead of being removed: nothing leaves the network.",
    "同じ隠れユニットを取り除かず、0 にするだけにする。ネットワークからは何もなくならない。",
)
RULE = Text(
    "Holds as stated if both take at most 0.9 of the time (upper end of the 95 % interval over "
    "seeds). Holds under a condition if only removing channels does and zeros take 0.9 or more at "
    "the lower end. Does not hold if removing channels takes 0.9 or more at its lower end. "
    "Otherwise undecided.",
    "両方とも時間が 0.9 倍以下 (シードを通じた 95 % 区間の上端) なら、そのまま成り立つ。チャネルの除去だけが 0.9 倍以下で、"
    "0 にした場合が区間の下端で 0.9 倍以上なら、条件つきで成り立つ。チャネルの除去が下端で 0.9 倍以上なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 4, "full": 10}
BUDGET_S = {"quick": 40.0, "full": 200.0}

HIDDEN = {"quick": 1024, "full": 2048}
PIXELS, IMAGES, SHARE, FASTER, RUNS = 16, 64, 0.5, 0.9, 41


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import copy

    import torch

    from shinso.claims.sequence_training import seeded
    from shinso.compress import channels, pruning
    from shinso.compress.calls import Call
    from shinso.compress.measure import latencies, multiply_adds
    from shinso.models.dense_classifier import DenseClassifier

    with seeded(seed) as generator, torch.no_grad():
        config = DenseClassifier.Config(hidden=HIDDEN[profile])
        whole = DenseClassifier(config, num_channels=1, num_classes=10, image_px=PIXELS).eval()
        call = Call({"images": torch.randn(IMAGES, 1, PIXELS, PIXELS, generator=generator)})
        removed, masked = copy.deepcopy(whole), copy.deepcopy(whole)
        if control:
            for layer in removed.layers:
                layer.weight[: HIDDEN[profile] // 2] = 0  # type: ignore[index]
        else:
            channels.remove(removed, call, SHARE)
        weights = pruning.prunable(masked)
        pruning.apply(weights, pruning.magnitude_masks(weights, SHARE))
        models = (whole, removed, masked)
        times = latencies([lambda m=m: call.of(m) for m in models], runs=RUNS)
        products = [multiply_adds(model, call) for model in models]
    return {
        "time_removed_ratio": times[1] / times[0],
        "time_zeros_ratio": times[2] / times[0],
        "products_removed_ratio": products[1] / products[0],
        "products_zeros_ratio": products[2] / products[0],
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    removed, zeros = (
        intervals.mean(column(measurements, f"time_{name}_ratio")) for name in ("removed", "zeros")
    )
    products = intervals.mean(column(measurements, "products_removed_ratio"))
    condition = None
    if removed.high <= FASTER and zeros.high <= FASTER:
        verdict = Verdict.HOLDS
    elif removed.high <= FASTER and zeros.low >= FASTER:
        verdict = Verdict.CONDITIONALLY
        condition = Text("whole channels are removed", "チャネルごと取り除くとき")
    elif removed.low >= FASTER:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"With {products.value:.2f} of the products, removed channels take {removed.value:.2f} "
            f"({removed.low:.2f} to {removed.high:.2f}) of the time, zeros {zeros.value:.2f} "
            f"({zeros.low:.2f} to {zeros.high:.2f}).",
            f"チャネルを除くと、積の数は {products.value:.2f} 倍、時間は {removed.value:.2f} 倍 "
            f"({removed.low:.2f}〜{removed.high:.2f}) になる。重みを 0 にしただけでは、時間は {zeros.value:.2f} 倍 "
            f"({zeros.low:.2f}〜{zeros.high:.2f}) である。",
        ),
        estimates=(
            intervals.estimate(
                Text("time, channels removed (ratio)", "時間、チャネルを除去 (比)"),
                removed,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("time, weights zero (ratio)", "時間、重みを 0 に (比)"), zeros, seeds=seeds
            ),
            intervals.estimate(
                Text("products, channels removed (ratio)", "積の数、チャネルを除去 (比)"),
                products,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Time beside the whole network's, of every seed."""
    from shinso.claims.drawing import dots

    names = {
        "removed": Text("half the units removed", "ユニットの半分を除去"),
        "zeros": Text("half the weights zero", "重みの半分を 0 に"),
    }
    axes = figure.subplots()
    dots(
        axes,
        list(names.values()),
        [column(measurements, f"time_{name}_ratio") for name in names],
        [column(controls, f"time_{name}_ratio") for name in names],
        ylabel=Text("time beside the whole network (ratio)", "元のネットワークに対する時間の比"),
    )
    axes.axhline(1.0, color="0.5", linewidth=0.8)
