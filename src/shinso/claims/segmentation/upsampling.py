"""Unpooling by the places of the maxima keeps borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

PLACE = Text("Day 4, segmentation: upsampling", "4 日目 領域分割：アップサンプリング")
SAYS = Text(
    "A decoder that puts values back to the places where their maxima stood (SegNet) draws borders more "
    "exactly than one that enlarges without knowing these places, without a weight more.",
    "最大値のあった位置に値を戻すデコーダ (SegNet) は、位置を知らずに拡大するデコーダより境界を正確に描ける。"
    "重みは増えない。",
)
TRUTH = Text(
    "Two bits a window are remembered; a skip connection (segmentation.skips) carries the whole map.",
    "窓ごとに 2 ビットを記憶するだけである。スキップ接続 (segmentation.skips) は特徴マップ全体を渡す。",
)
METHOD = Text(
    "Encoders and decoders of three poolings learn which pixels of a canvas of 32×32 are ink of a "
    "handwritten digit (scikit-learn's, 8×8, on a grey slope with noise). One puts each value back to "
    "the place of its maximum; the others enlarge to the upper left of each window, or by a learnt "
    "transposed convolution. IoU of the ink on 64 canvases kept from learning.",
    "3 回プーリングするエンコーダとデコーダに、32×32 のキャンバス上の手書き数字 (scikit-learn 付属、8×8、"
    "濃淡のある背景と雑音) のインクの画素を学習させる。一方は値を最大値の位置に戻し、他方は各窓の左上に置くか、"
    "学習する転置畳み込みで拡大する。学習に使わない 64 枚でのインクの IoU を比べる。",
)
CONTROL = Text(
    "The places are drawn at random within each window: the same operation without what it remembers.",
    "位置を各窓の中で乱数で選ぶ。操作は同じで、記憶だけがない。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference of IoU, places − upper left, lies above 0.03; does not "
    "hold if it lies below; otherwise undecided. The transposed convolution is shown beside and not "
    "judged.",
    "IoU の差 (位置あり − 左上) の 95 % 区間が 0.03 より上なら成り立つ。下なら成り立たない。それ以外は判定"
    "できない。転置畳み込みは参考として示し、判定には使わない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 16.0, "full": 150.0}

WIDTHS, SIDE_PX = (8, 16, 32), 32
STEPS = {"quick": 90, "full": 400}
LEARNT, BATCH, LR, LEAST = 256, 16, 1e-2, 0.03
NAMES = (Text("places of maxima", "最大値の位置"), Text("upper left", "左上"))
LEARNT_UP = Text("transposed", "転置畳み込み")


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.segmentation_training import iou_after, scenes
    from shinso.claims.sequence_training import seeded

    data = scenes(seed, learnt=LEARNT, side_px=SIDE_PX, scale=1, most=10, only_ink=True)
    found = {}
    for how in ("places", "fixed") if control else ("places", "fixed", "transposed"):
        with seeded(seed) as generator:
            network = _network("random" if control and how == "places" else how)
            found[f"iou_{how}"] = iou_after(
                network, data, generator, steps=STEPS[profile], lr=LR, batch=BATCH
            )
    return found


def _network(how: str) -> nn.Module:
    import torch
    from torch import nn

    from shinso.models.segmenter_parts import unit
    from shinso.nn.conv import Convolution
    from shinso.nn.unpooling import MaxPoolingWithPlaces, Unpooling

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            before = (1, *WIDTHS[:-1])
            self.down = nn.ModuleList(unit(a, b) for a, b in zip(before, WIDTHS, strict=True))
            self.up = nn.ModuleList(
                unit(b, a if a > 1 else b) for a, b in zip(before[::-1], WIDTHS[::-1], strict=True)
            )
            self.wider = nn.ModuleList(
                nn.ConvTranspose2d(b, b, 2, 2) for b in WIDTHS[::-1] if how == "transposed"
            )
            self.pool, self.unpool = MaxPoolingWithPlaces(), Unpooling()
            self.head = Convolution(WIDTHS[0], 2, 1, bias=True)

        def forward(self, x: Tensor) -> Tensor:
            kept = []
            for stage in self.down:
                x, places = self.pool(stage(x))
                kept.append(_replaced(places, how))
            for number, stage in enumerate(self.up):
                places = kept.pop()
                wide = self.wider[number](x) if how == "transposed" else self.unpool(x, places)
                x = stage(wide)
            return self.head(x)

    def _replaced(places: Tensor, how: str) -> Tensor:
        height, width = places.shape[2:]
        corner = 4 * width * torch.arange(height)[:, None] + 2 * torch.arange(width)
        if how == "fixed":
            return corner.expand_as(places)
        if how == "random":
            drawn = torch.randint(4, places.shape)
            return corner + drawn // 2 * (2 * width) + drawn % 2
        return places

    return Network()


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.segmentation_training import gain

    first, second = (column(measurements, name) for name in ("iou_places", "iou_fixed"))
    return gain(first, second, LEAST, NAMES)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """IoU of the networks at every seed."""
    from shinso.claims.drawing import dots

    names = ["iou_places", "iou_fixed", "iou_transposed"]
    dots(
        figure.subplots(),
        [*NAMES, LEARNT_UP],
        [column(measurements, name) for name in names],
        [*(column(controls, name) for name in names[:2]), []],
        ylabel=Text("IoU of ink on unseen canvases (share)", "未知の画像でのインクの IoU (割合)"),
    )
