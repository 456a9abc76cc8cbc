"""With weights of 8 bits a network is a quarter as large, faster, and hardly less accurate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, number
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, lighter models: quantization", "4 日目 モデルの軽量化：量子化")
SAYS = Text(
    "Stored with fewer bits, a model is smaller and faster, and its accuracy hardly falls.",
    "パラメータのビット数を減らすと、モデルは小さく高速になり、精度はほとんど落ちない。",
)
TRUTH = Text(
    "Down to 4 bits no loss can be measured here, at 3 bits it is about one point of a hundred or "
    "less, and with −1, 0 and 1 alone about ten. Numbers of 3 bits are stored in 4 bits each, so that "
    "their files are as large as those of 4. Speed was not measured on the model whose accuracy is "
    "given, whose weights are only rounded, but on a matrix product by itself: it comes from a runtime "
    "with kernels for whole numbers, not from rounding.",
    "ここでは 4 ビットまで低下は測れるほどではなく、3 ビットでの低下は約 1 ポイント以下、−1・0・1 だけにすると約 10 "
    "ポイントである。3 ビットの数は 4 ビットに格納するので、ファイルの大きさは 4 ビットと同じになる。速度は精度を"
    "測ったモデルではなく、単独の行列積で測った。精度を測ったモデルは重みを丸めただけである。高速化は丸めそのものではなく、"
    "整数カーネルをもつ実行系によって得られる。",
)
METHOD = Text(
    "A dense network of 2 × 64 units learns 1,297 real digits (8×8); its weights are rounded row by "
    "row to 8, 4, 3 bits and to −1, 0, 1; accuracy on 500 others, bytes of the weights' file. Speed: "
    "a product of 64 × 1,024 with 1,024 × 1,024 in onnxruntime, float32 against 8-bit numbers, in "
    "turn, processor time; it is left out where onnxruntime is not installed.",
    "64 ユニット × 2 層の全結合ネットワークで実在の数字画像 (8×8) 1,297 枚を学習し、重みを行ごとに 8・4・3 ビットと "
    "−1・0・1 に丸める。残り 500 枚での正解率と、重みファイルのバイト数を測る。速度は onnxruntime で 64 × 1,024 と "
    "1,024 × 1,024 の積を float32 と 8 ビットで交互に実行し、CPU 時間を比べる。onnxruntime がなければ速度は測らない。",
)
CONTROL = Text(
    "The same 8-bit numbers on a grid that was not fitted to the weights: a scale of 1 for all.",
    "同じ 8 ビットだが、重みに合わせない格子 (すべて倍率 1) で丸める。",
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
NAMES = {
    **{n: Text(f"{n} bits", f"{n} ビット") for n in ("8", "4", "3")},
    "ternary": Text("−1, 0, 1", "−1・0・1"),
}
TICKS = {"ternary": Text("−1,0,1", "−1,0,1")}
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
    # A change reads without a double negative where nothing is lost.
    changed = {
        name: intervals.Interval(-one.value, -one.high, -one.low) for name, one in lost.items()
    }
    at_8 = changed["8"]
    took = (
        Text(
            f"a matrix product by itself takes {time.value:.2f} of the time",
            f"単独の行列積の時間は {time.value:.2f} 倍である",
        )
        if time
        else Text("speed was not measured", "速度は測っていない")
    )
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"At 8 bits the accuracy changes by {at_8.value:+.4f} ({at_8.low:+.4f} to "
            f"{at_8.high:+.4f}), the file has {size:.2f} of its size, and {took.en}. Change of "
            "accuracy by width: "
            + "; ".join(f"{NAMES[name].en}: {one.value:+.3f}" for name, one in changed.items())
            + ".",
            f"8 ビットにすると正解率は {at_8.value:+.4f} ({at_8.low:+.4f}〜{at_8.high:+.4f}) 変化し、"
            f"ファイルの大きさは {size:.2f} 倍、{took.ja}。ビット数ごとの正解率の変化："
            + "、".join(f"{NAMES[name].ja} で {one.value:+.3f}" for name, one in changed.items())
            + "。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(
                        f"change of accuracy, {NAMES[name].en} (share)",
                        f"正解率の変化、{NAMES[name].ja} (割合)",
                    ),
                    one,
                    seeds=seeds,
                )
                for name, one in changed.items()
            ),
            certain(Text("file, 8 bits (ratio)", "ファイルの大きさ、8 ビット (比)"), size),
            *(
                [
                    intervals.estimate(
                        Text("time, 8 bits (ratio)", "行列積の時間、8 ビット (比)"),
                        time,
                        seeds=len(times),
                    )
                ]
                if time is not None and math.isfinite(time.value)
                else []
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy and file at every width, and time of a product, of every seed."""
    from shinso.claims.drawing import dots, spoken

    panels = (
        (
            "accuracy",
            ("32", *WIDTHS),
            Text("accuracy on unseen digits (share)", "未知の数字での正解率 (割合)"),
        ),
        (
            "size",
            ("32", *WIDTHS),
            Text("file (ratio to 32 bits)", "ファイルの大きさ (32 ビット比)"),
        ),
        (
            "time",
            ("32", "8"),
            Text("time of a product (ratio to 32 bits)", "行列積の時間 (32 ビット比)"),
        ),
    )
    grid = figure.subplots(1, 3, width_ratios=(5, 5, 2.5))
    for axes, (what, widths, label) in zip(grid, panels, strict=True):
        dots(
            axes,
            [TICKS.get(name, Text(name, name)) for name in widths],
            [_values(measurements, what, name) for name in widths],
            [_values(controls, what, name) for name in widths],
            ylabel=label,
        )
        axes.set_xlabel(spoken(Text("bits of a weight", "重みのビット数")))
        axes.set_ylim(0, 1.08)
        if axes.get_legend():
            axes.get_legend().remove()
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc="outside upper left", ncols=2, frameon=False, fontsize=8.5,
    )  # fmt: skip


def _values(side: Sequence[Measurement], what: str, width: str) -> list[float]:
    """Of all seeds; sizes and times are ratios to 32 bits, and a time below 0 was not measured."""
    if what == "accuracy":
        return column(side, f"accuracy_{width}")
    if width == "32":
        return [1.0] * len(side)
    return [one for one in column(side, f"{what}_{width}_ratio") if one > 0]
