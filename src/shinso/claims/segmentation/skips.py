"""Skip connections bring back where things are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

PLACE = Text("Day 4, segmentation: skip connections", "4 日目 領域分割：スキップ接続")
SAYS = Text(
    "Pooling loses where things are. Skip connections that carry the fine maps of the way down to the "
    "way up bring it back, and pixels are named more exactly.",
    "プーリングで位置の情報が失われる。縮小側の細かい特徴マップを拡大側へ渡すスキップ接続がこれを補い、"
    "画素をより正確に分類できる。",
)
TRUTH = None
METHOD = Text(
    "Two U-Nets of two halvings, one with skip connections and one without, learn which pixels of a "
    "canvas of 32×32 are ink of a handwritten digit (scikit-learn's, in their own size of 8×8, on a "
    "grey slope with noise); IoU of the ink on 64 canvases kept from learning.",
    "2 回縮小する U-Net を、スキップ接続の有無の 2 通りで、32×32 のキャンバス上の手書き数字 (scikit-learn "
    "付属、8×8 のまま、濃淡のある背景と雑音) のインクの画素を当てるように学習させる。学習に使わない 64 枚での"
    "インクの IoU を比べる。",
)
CONTROL = Text(
    "The skip connections carry the same maps without positions: each is averaged over windows of 4×4 "
    "pixels of the image and spread over them again. Weights and channels stay as many.",
    "スキップ接続が同じ特徴マップを位置なしで渡す。画像の 4×4 画素の窓で平均してから広げ直す。重みと"
    "チャネルの数は変わらない。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference of IoU, with − without, lies above 0.03; does not hold "
    "if it lies below; otherwise undecided.",
    "IoU の差 (あり − なし) の 95 % 区間が 0.03 より上なら成り立つ。下なら成り立たない。それ以外は判定"
    "できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 16.0, "full": 150.0}

DEPTH, WIDTH, SIDE_PX = 2, 0.25, 32
STEPS = {"quick": 55, "full": 400}
LEARNT, BATCH, LR, LEAST = 256, 8, 1e-2, 0.03
NAMES = (Text("with skips", "スキップあり"), Text("without skips", "スキップなし"))


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.segmentation_training import iou_after, scenes
    from shinso.claims.sequence_training import seeded

    data = scenes(seed, learnt=LEARNT, side_px=SIDE_PX, scale=1, most=10, only_ink=True)
    found = {}
    for name, skips in (("with", True), ("without", False)):
        with seeded(seed) as generator:
            network = _network(skips)
            if control and skips:
                _forget_positions(network)
            found[f"iou_{name}"] = iou_after(
                network, data, generator,
                steps=STEPS[profile], lr=LR, batch=BATCH, balance=1.0,
            )  # fmt: skip
    return found


def _network(skips: bool) -> nn.Module:
    from shinso.models.unet import UNet

    config = UNet.Config(depth=DEPTH, width=WIDTH, skips=skips)
    return UNet(config, num_channels=1, num_classes=2, image_px=SIDE_PX)


def _forget_positions(network: nn.Module) -> None:
    """What the way up joins first, the maps of the way down, loses its positions there."""
    from torch.nn import functional as F

    def hook(join: nn.Module, given: tuple[Tensor]) -> Tensor:
        import torch

        (both,) = given
        window = 2**DEPTH * both.shape[2] // SIDE_PX
        kept = both.shape[1] // 2
        plain = F.avg_pool2d(both[:, :kept], window)
        spread = F.interpolate(plain, scale_factor=window, mode="nearest")
        return torch.cat([spread, both[:, kept:]], 1)

    for join in network.up:  # pyright: ignore[reportGeneralTypeIssues]
        join.register_forward_pre_hook(hook)


def holds(measurements: Sequence[Measurement]) -> Finding:
    from shinso.claims.segmentation_training import gain

    first, second = (column(measurements, name) for name in ("iou_with", "iou_without"))
    return gain(first, second, LEAST, NAMES)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """IoU of both networks at every seed."""
    from shinso.claims.drawing import dots

    names = ["iou_with", "iou_without"]
    dots(
        figure.subplots(),
        NAMES,
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("IoU of ink on unseen canvases (share)", "未知の画像でのインクの IoU (割合)"),
    )
