"""A 5×5 image, a 3×3 filter, stride 2: 2×2 or 3×3, which depends on the padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, curve
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: recapitulation of convolution",
    "3 日目 再帰型ネットワーク：畳み込みの復習",
)
SAYS = Text(
    "A 5×5 image convolved with a 3×3 filter at stride 2 gives a 2×2 output.",
    "5×5 の画像を 3×3 のフィルタ、ストライド 2 で畳み込むと、出力は 2×2 になる。",
)
TRUTH = Text(
    "Each side is ⌊(5 + 2p − 3)/2⌋ + 1: 2×2 without padding (p = 0), but 3×3 with padding 1. "
    "Without the padding the question has no answer.",
    "一辺は ⌊(5 + 2p − 3)/2⌋ + 1 である。パディングなし (p = 0) なら 2×2、パディング 1 なら 3×3 "
    "になる。パディングを決めなければ答えは定まらない。",
)
METHOD = Text(
    "A random image is convolved by explicit sums over every place of the window, with padding 0 "
    "and 1; the framework's convolution must give the same numbers. The size formula is compared "
    "with counted places for all inputs 1–12, filters 1–5, strides 1–3 and paddings 0–2.",
    "乱数の画像を、窓の位置ごとに和を書き下して畳み込む (パディング 0 と 1)。フレームワークの畳み込みと"
    "値が一致することも確かめる。さらに入力 1〜12、フィルタ 1〜5、ストライド 1〜3、パディング 0〜2 の"
    "すべてで、大きさの公式を窓の位置の数え上げと比べる。",
)
CONTROL = Text(
    "Stride 1 instead of 2: the window then stops at every place, and 2×2 must not come out.",
    "ストライドを 2 でなく 1 とする。窓がすべての位置に止まるので、2×2 にはならないはずである。",
)
RULE = Text(
    "Holds if the output is 2×2 with padding 0 and with padding 1; holds under a condition if with "
    "one of them only; does not hold if with neither. Undecided if explicit sums and framework "
    "differ by more than 1e-10.",
    "パディング 0 と 1 の両方で出力が 2×2 なら成り立つ。片方だけなら条件つきで成り立つ。どちらでも"
    "なければ成り立たない。書き下した和とフレームワークの差が 1e-10 を超えれば判定できない。",
)
SEEDS = {"quick": 1, "full": 3}
BUDGET_S = {"quick": 1.0, "full": 2.0}

IMAGE, FILTER, CLAIMED_SIDE = 5, 3, 2


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    stride = 1 if control else 2
    rng = np.random.default_rng(seed)
    image, kernel = rng.normal(size=(IMAGE, IMAGE)), rng.normal(size=(FILTER, FILTER))
    sides, deviations = [], []
    for padding in (0, 1):
        output = convolve(image, kernel, stride, padding)
        framework = torch.nn.functional.conv2d(
            torch.tensor(image)[None, None],
            torch.tensor(kernel)[None, None],
            stride=stride,
            padding=padding,
        )[0, 0].numpy()
        sides.append(float(output.shape[0]))
        same_shape = output.shape == framework.shape
        deviations.append(float(np.abs(output - framework).max()) if same_shape else float("inf"))
    return {
        "side_px": sides,
        "paddings_px": [0.0, 1.0],
        "deviation_from_framework": max(deviations),
        "formula_mismatches": float(count_formula_mismatches()),
    }


def window_starts(size: int, kernel: int, stride: int, padding: int) -> range:
    """Where the window may start on the padded side; empty where it does not fit."""
    return range(0, size + 2 * padding - kernel + 1, stride)


def convolve(image: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Cross-correlation, as deep learning calls convolution, by explicit sums."""
    import numpy as np

    padded = np.pad(image, padding)
    starts = window_starts(image.shape[0], kernel.shape[0], stride, padding)
    width = kernel.shape[0]
    return np.array(
        [[(padded[r : r + width, c : c + width] * kernel).sum() for c in starts] for r in starts]
    )


def count_formula_mismatches() -> int:
    """How often ⌊(n + 2p − k)/s⌋ + 1 is not the number of places of the window."""
    return sum(
        len(window_starts(size, kernel, stride, padding))
        != (size + 2 * padding - kernel) // stride + 1
        for size in range(1, 13)
        for kernel in range(1, 6)
        for stride in range(1, 4)
        for padding in range(3)
        if size + 2 * padding >= kernel
    )


def holds(measurements: Sequence[Measurement]) -> Finding:
    sides = [curve(measurement, "side_px") for measurement in measurements]
    without, padded = (int(sides[0][place]) for place in (0, 1))
    agrees = max(column(measurements, "deviation_from_framework")) <= 1e-10
    as_claimed = [all(side[place] == CLAIMED_SIDE for side in sides) for place in (0, 1)]
    condition = None
    if not agrees:
        verdict = Verdict.UNDECIDED
    elif all(as_claimed):
        verdict = Verdict.HOLDS
    elif any(as_claimed):
        verdict = Verdict.CONDITIONALLY
        padding = as_claimed.index(True)
        condition = Text(f"with padding {padding}", f"パディングが {padding} のとき")
    else:
        verdict = Verdict.REFUTED
    mismatches = int(max(column(measurements, "formula_mismatches")))
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"The output is {without}×{without} with padding 0 and {padded}×{padded} with padding 1; "
            f"the formula differs from counted places in {mismatches} cases.",
            f"出力はパディング 0 で {without}×{without}、パディング 1 で {padded}×{padded} である。"
            f"公式と数え上げが食い違った例は {mismatches} 件である。",
        ),
        estimates=(
            certain(
                Text("side of the output with padding 0 (px)", "パディング 0 での出力の一辺 (px)"),
                without,
            ),
            certain(
                Text("side of the output with padding 1 (px)", "パディング 1 での出力の一辺 (px)"),
                padded,
            ),
            certain(
                Text(
                    "cases in which the size formula is wrong (count)",
                    "大きさの公式が誤っていた例 (件)",
                ),
                mismatches,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The side of the output at each padding, beside the side that is claimed."""
    from shinso.claims.drawing import dots, legend, spoken

    axes = figure.subplots()
    dots(
        axes,
        [Text("padding 0", "パディング 0"), Text("padding 1", "パディング 1")],
        [[curve(m, "side_px")[place] for m in measurements] for place in (0, 1)],
        [[curve(m, "side_px")[place] for m in controls] for place in (0, 1)],
        ylabel=Text("side of the output (px)", "出力の一辺 (px)"),
    )
    claimed = spoken(Text("2, as the course says", "2 (講座の答え)"))
    axes.axhline(CLAIMED_SIDE, color="0.4", linewidth=0.8, label=claimed)
    axes.set_ylim(0, 6)
    legend(axes, loc="upper left")
