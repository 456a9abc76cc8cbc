"""Dilation widens the view at no cost in weights or in map size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLACE = Text("Day 4, segmentation: dilated convolution", "4 日目 領域分割：膨張畳み込み")
SAYS = Text(
    "Dilated convolutions let each pixel see far with as many weights and without a smaller map, and "
    "pixels whose class depends on their surroundings are named more exactly.",
    "膨張畳み込み (dilated convolution) では、重みの数も特徴マップの大きさも変えずに、各画素が広い範囲を見る。"
    "周囲によってクラスが決まる画素をより正確に分類できる。",
)
TRUTH = None
METHOD = Text(
    "Two networks of five 3×3 convolutions with equal numbers of weights learn which digit a pixel of "
    "ink belongs to (0, 1, 2, 3 of scikit-learn, enlarged to 24×24 on canvases of 32×32): one with taps "
    "1, 2, 4, 8 and 1 pixels apart, one with all taps side by side. Weights and map sides are counted, "
    "how far each sees is measured by a probe; mean IoU of the digits on 64 canvases kept from learning.",
    "重みの数が等しい 5 層の 3×3 畳み込みに、インクの画素がどの数字 (scikit-learn の 0、1、2、3 を 24×24 に"
    "拡大、キャンバスは 32×32) のものかを学習させる。一方はタップの間隔を 1、2、4、8、1 画素とし、他方は"
    "すべて隣接させる。重みの数と特徴マップの辺を数え、見える範囲を測り、学習に使わない 64 枚での数字の平均 "
    "IoU を比べる。",
)
CONTROL = Text(
    "The taps of the first network lie side by side too; the two then differ in their random beginnings "
    "alone.",
    "1 つ目のネットワークのタップも隣接させる。2 つの違いは乱数による初期値だけになる。",
)
RULE = Text(
    "Holds if both have as many weights and maps as large at every seed, the first sees at least three "
    "times as far, and the 95 % interval of the difference of IoU lies above 0.05; does not hold if a "
    "count differs or the interval lies below; otherwise undecided.",
    "すべてのシードで重みの数と特徴マップの大きさが等しく、見える距離が 3 倍以上で、IoU の差の 95 % 区間が "
    "0.05 より上なら成り立つ。数が異なるか区間が下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 16.0, "full": 150.0}

FAR, NEAR = (1, 2, 4, 8, 1), (1, 1, 1, 1, 1)
CHANNELS, SIDE_PX, SCALE = 12, 32, 3
STEPS = {"quick": 90, "full": 400}
LEARNT, BATCH, LR, LEAST, TIMES = 256, 16, 1e-2, 0.05, 3.0
NAMES = (Text("dilated", "膨張あり"), Text("side by side", "膨張なし"))


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.segmentation_training import iou_after, scenes
    from shinso.claims.sequence_training import seeded
    from shinso.models.tiling import reach_px

    data = scenes(seed, learnt=LEARNT, side_px=SIDE_PX, scale=SCALE, most=1)
    found: dict[str, float] = {}
    for number, (name, far) in enumerate((("dilated", not control), ("near", False))):
        # Each its own beginning: in the control nothing else would differ.
        with seeded(2 * seed + number) as generator:
            network = _network(FAR if far else NEAR)
            with torch.no_grad():
                side = network(data.images[:1]).shape[2]
            reach = reach_px(network, channels=1, stride=1)
            found[f"side_{name}"] = float(side)
            found[f"reach_px_{name}"] = float(reach or 0)
            found[f"weights_{name}"] = float(sum(one.numel() for one in network.parameters()))
            found[f"iou_{name}"] = iou_after(
                network, data, generator, steps=STEPS[profile], lr=LR, batch=BATCH
            )
    return found


def _network(dilations: Sequence[int]) -> nn.Module:
    from torch import nn

    from shinso.models.segmenter_parts import unit
    from shinso.nn.conv import Convolution

    layers = [
        unit(CHANNELS if place else 1, CHANNELS, dilation=one)
        for place, one in enumerate(dilations)
    ]
    return nn.Sequential(*layers, Convolution(CHANNELS, 5, 1, bias=True))


def holds(measurements: Sequence[Measurement]) -> Finding:
    from dataclasses import replace

    from shinso.claims.segmentation_training import gain

    first, second = (column(measurements, name) for name in ("iou_dilated", "iou_near"))
    found = gain(first, second, LEAST, NAMES)
    equal = all(
        column(measurements, f"{what}_dilated") == column(measurements, f"{what}_near")
        for what in ("weights", "side")
    )
    times = min(
        far / near
        for far, near in zip(
            column(measurements, "reach_px_dilated"), column(measurements, "reach_px_near"),
            strict=True,
        )
    )  # fmt: skip
    verdict = found.verdict if equal and times >= TIMES else Verdict.REFUTED
    weights = column(measurements, "weights_dilated")[0]
    return replace(
        found,
        verdict=verdict,
        because=Text(
            f"{found.because.en} {weights:.0f} weights with dilation, seen {times:.1f} times as far.",
            f"{found.because.ja}膨張ありの重みは {weights:.0f} 個、見える距離は {times:.1f} 倍。",
        ),
        estimates=(
            *found.estimates,
            certain(
                Text(
                    "times as far, the least of all seeds (ratio)",
                    "見える距離の比、膨張あり ÷ なし、シード中の最小 (比)",
                ),
                times,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """IoU of both networks at every seed."""
    from shinso.claims.drawing import dots

    names = ["iou_dilated", "iou_near"]
    dots(
        figure.subplots(),
        NAMES,
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text(
            "mean IoU of digits on unseen canvases (share)", "未知の画像での数字の平均 IoU (割合)"
        ),
    )
