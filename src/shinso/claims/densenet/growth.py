"""Layer l of a dense block reads k0 + l · k channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, curve, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, DenseNet: growth rate", "4 日目 DenseNet：成長率")
SAYS = Text(
    "With k0 channels at its start and a growth rate k, layer l of a dense block reads k0 + l · k "
    "channels (l counted from 0) and leaves k0 + L · k behind after L layers.",
    "入力が k0 チャネル、成長率が k の Dense ブロックでは、第 l 層 (0 から数える) の入力は k0 + l · k "
    "チャネルで、L 層の後には k0 + L · k チャネルになる。",
)
TRUTH = None
METHOD = Text(
    "At 5 random (k0, k, L) the channels that each layer's first normalization really gets are read off "
    "while the block runs, and those that leave the block.",
    "乱数で選んだ 5 通りの (k0, k, L) で、ブロックの実行中に各層の最初の正規化が実際に受け取るチャネル数と、"
    "ブロックから出るチャネル数を調べる。",
)
CONTROL = Text(
    "Outputs are added, not concatenated: a residual block of the same layers.",
    "出力を連結せず加算する。同じ層数の残差ブロックになる。",
)
RULE = Text(
    "Holds if no number of channels differs from k0 + l · k at any seed; does not hold if one does.",
    "すべてのシードですべてのチャネル数が k0 + l · k と一致すれば成り立つ。1 つでも違えば成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 3.0, "full": 8.0}

SIZES, SIDE_PX = 5, 4
BOUNDS = (
    Bound(
        of="channels_off",
        name=Text("channels off k0 + l · k (count)", "k0 + l · k とのチャネル数の差 (個)"),
        most=0.0,
    ),
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch
    from torch import nn

    from shinso.claims.sequence_training import seeded
    from shinso.models.densenet import DenseBlock
    from shinso.models.resnet import BasicBlock

    rng = np.random.default_rng(seed)
    off = 0
    shown: tuple[list[float], list[float]] = ([], [])
    with seeded(seed):
        for _ in range(SIZES):
            start, growth, count = (int(n) for n in rng.integers((2, 1, 2), (17, 13, 9)))
            read: list[int] = []
            if control:
                block: nn.Module = nn.Sequential(
                    *[BasicBlock(start, start, 1, None) for _ in range(count)]
                )
                firsts: list[nn.Module] = [layer.conv1 for layer in block]  # pyright: ignore
            else:
                block = DenseBlock(
                    count, start, growth, bottleneck=False, dropout=0.0, frugal=False
                )
                firsts = [layer.norm1 for layer in block.children()]  # pyright: ignore
            for first in firsts:
                first.register_forward_hook(
                    lambda _m, given, _a, to=read: to.append(given[0].shape[1])
                )  # pyright: ignore
            left = block(torch.randn(2, start, SIDE_PX, SIDE_PX)).shape[1]
            found = [*read, left]
            claimed = [start + number * growth for number in range(count + 1)]
            off = max(off, *(abs(a - b) for a, b in zip(found, claimed, strict=True)))
            shown = ([float(one) for one in claimed], [float(one) for one in found])
    return {"channels_off": float(off), "claimed_channels": shown[0], "found_channels": shown[1]}


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Channels that each layer reads, over k0 + l · k."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, one in enumerate(side):
            axes.plot(
                curve(one, "claimed_channels"),
                curve(one, "found_channels"),
                **style,
                label=spoken(label) if number == 0 else None,
            )
    axes.set_xlabel("k0 + l · k")
    axes.set_ylabel(spoken(Text("channels read", "入力のチャネル数")))
    legend(axes)
