"""With weights of 8 bits a network is a quarter as large, faster, and hardly less accurate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, number
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, lighter models: quantization", "4 日目 モデルの軽量化:量子化")
SAYS = Text(
    "Stored with fewer bits, a model is smaller and faster, and its accuracy hardly falls.",
    "パラメータのビット数を減らすと、モデルは小さく高速になり、精度はほとんど落ちない。",
)
TRUTH = Text(
    "It is so at 8 bits. At 2 or 3 bits of each weight, rounded after training, much is lost; and "
    "speed comes from a runtime with integer kernels, not from the rounding.",
    "8 ビットではそのとおりである。学習後に各重みを 2〜3 ビットへ丸めると大きく損なわれる。また、高速化は"
    "丸めそのものではなく、整数カーネルをもつ実行系によって得られる。",
)
METHOD = Text(
    "A dense network of 2 × 64 units learns 1,297 real digits (8×8); its weights are rounded row by "
    "row to 8, 4, 3 bits and to −1, 0, 1; accuracy on 500 others, bytes of the weights' file. Speed: "
    "a product of 64 × 1,024 with 1,024 × 1,024 in onnxruntime, float32 against 8-bit numbers, in "
    "turn, processor time; it is left out where onnxruntime is not installed.",
    "64 ユニット × 2 層の全結合ネットワークで実在の数字画像(8×8)1,297 枚を学習し、重みを行ごとに 8・4・3 "
    "ビットと −1・0・1 に丸める。残り 500 枚での正解率と、重みファイルのバイト数を測る。速度は onnxruntime で "
    "64 × 1,024 と 1,024 × 1,024 の積を float32 と 8 ビットで交互に実行し、CPU 時間を比べる。onnxruntime がなければ速度は"
    "測らない。",
)
CONTROL = Text(
    "The same 8-bit numbers on a grid that was not fitted to the weights: a scale of 1 for all.",
    "同じ 8 ビットだが、重みに合わせない格子(すべて倍率 1)で丸める。",
)
RULE = Text(
    "Holds if, at 8 bits, the 95 % interval of the loss in accuracy lies below 0.01, the file is at "
    "most 0.3 of its size and the product takes at most 0.8 of the time at the interval's upper end; "
    "holds under a condition if only the speed is missing; does not hold if the loss in accuracy "
    "lies above 0.01; otherwise undecided.",
    "8 ビットで、正解率の低下の 95 % 区間が 0.01 より下、ファイルが 0.3 倍以下、積の時間が区間の上端で 0.8 倍以下なら"
    "成り立つ。速度だけ満たさなければ条件つきで成り立つ。正解率の低下が 0.01 より上なら成り立たない。それ以外は判定"
    "できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 30.0, "full": 120.0}

STEPS = {"quick": 300, "full": 1000}
HIDDEN = 64
WIDTHS = {"8": 8, "4": 4, "3": 3, "ternary": 2}
MOST_LOST, MOST_SIZE, MOST_TIME = 0.01, 0.3, 0.8


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.compression_training import Digits, dense, learn
    from shinso.claims.sequence_training import seeded

    with seeded(seed) as generator:
        digits = Digits(generator)
        model = dense(HIDDEN)
        learn(model, digits, steps=STEPS[profile])
        found: dict[str, float] = {"accuracy_32": digits.accuracy(model)}
        whole = {name: one.clone() for name, one in model.state_dict().items()}
        for name, bits in WIDTHS.items():
            rounded, size = _rounded(whole, bits, fitted=not control)
            model.load_state_dict(rounded)
            found[f"accuracy_{name}"] = digits.accuracy(model)
            found[f"size_{name}_ratio"] = size
    return {**found, "time_8_ratio": time_ratio()}


def _rounded(whole: dict[str, Any], bits: int, *, fitted: bool) -> tuple[dict[str, Any], float]:
    """The weights after rounding, and the file's size as a share of float32's."""
    import torch

    from shinso.compress import packing, quantizers
    from shinso.compress.learning_quantized import ternary_quantizer

    grids = {}
    for name, one in whole.items():
        if one.dim() < 2:
            continue
        found = quantizers.of_weight(one, bits) if bits > 2 else ternary_quantizer(one)
        if not fitted:
            scale = torch.ones_like(found.scale)
            found = quantizers.Quantizer(scale, found.zero_point, found.low, found.high)
        # 3-bit numbers lie in 4 bits each.
        grids[name] = found, {8: 8, 4: 4, 3: 4, 2: 2}[bits]
    file = packing.packed(whole, grids)
    sizes = [sum(t.numel() * t.element_size() for t in one.values()) for one in (file, whole)]
    return packing.unpacked(file), sizes[0] / sizes[1]


def time_ratio() -> float:
    """Time of an 8-bit product over that of a float32 one; −1 where it cannot be run."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return -1.0
    import statistics

    from shinso.compress.measure import latencies
    from shinso.compress.products import session

    runs = [session(1024, 64, integers=integers) for integers in (False, True)]
    return statistics.median(
        later / earlier for earlier, later in (latencies(runs, runs=5) for _ in range(3))
    )


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    before = column(measurements, "accuracy_32")
    lost = {
        name: intervals.paired_difference(before, column(measurements, f"accuracy_{name}"))
        for name in WIDTHS
    }
    size = max(number(one, "size_8_ratio") for one in measurements)
    times = [one for one in column(measurements, "time_8_ratio") if one > 0]
    time = intervals.mean(times) if times else None
    condition = None
    fast = time is not None and len(times) > 1 and time.high <= MOST_TIME
    if lost["8"].high < MOST_LOST and size <= MOST_SIZE:
        verdict = Verdict.HOLDS if fast else Verdict.CONDITIONALLY
        if not fast:
            condition = Text(
                "as to size and accuracy; no speed was shown on this machine",
                "大きさと精度について。この環境では速度の向上は示されなかった",
            )
    elif lost["8"].low > MOST_LOST:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    said = f"{time.value:.2f}" if time else "–"
    parts = ", ".join(f"{name}: {one.value:+.3f}" for name, one in lost.items())
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"At 8 bits the accuracy falls by {lost['8'].value:.4f} ({lost['8'].low:+.4f} to "
            f"{lost['8'].high:+.4f}), the file has {size:.2f} of its size, a product takes {said} of "
            f"the time. Lost by width: {parts}.",
            f"8 ビットで正解率は {lost['8'].value:.4f} ({lost['8'].low:+.4f}〜{lost['8'].high:+.4f}) 低下し、"
            f"ファイルは {size:.2f} 倍、積の時間は {said} 倍になった。ビット数ごとの低下: {parts}。",
        ),
        estimates=(
            *(
                intervals.estimate(f"lost accuracy, {name} bits (share)", one, seeds=seeds)
                for name, one in lost.items()
            ),
            intervals.estimate("file, 8 bits (ratio)", intervals.exact(size), seeds=0),
            *(
                [intervals.estimate("time, 8 bits (ratio)", time, seeds=len(times))]
                if time is not None and math.isfinite(time.value)
                else []
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy at every width, of every seed."""
    from shinso.claims.drawing import dots

    names = ["32", *WIDTHS]
    labels = {"32": Text("float32", "float32"), "ternary": Text("−1, 0, 1", "−1, 0, 1")}
    dots(
        figure.subplots(),
        [labels.get(name, Text(f"{name} bits", f"{name} ビット")) for name in names],
        [column(measurements, f"accuracy_{name}") for name in names],
        [column(controls, f"accuracy_{name}") for name in names],
        ylabel=Text("accuracy on unseen digits (share)", "未知の数字での正解率"),
    )
