"""Every layer of a dense block reads all earlier layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, table
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 4, DenseNet: connectivity", "4 日目 DenseNet：結合")
SAYS = Text(
    "In a dense block each layer receives the outputs of all earlier layers directly: L layers have "
    "L(L + 1)/2 connections instead of L.",
    "Dense ブロックでは、各層がそれより前のすべての層の出力を直接受け取る。L 層の結合は L 本ではなく "
    "L(L + 1)/2 本になる。",
)
TRUTH = Text(
    "A residual network carries earlier outputs along too, but only as one sum.",
    "残差ネットワークも前の層の出力を伝えるが、伝わるのはそれらを足し合わせた 1 つの和だけである。",
)
METHOD = Text(
    "A block of 8 layers with random weights reads random images. All outputs but one are held fixed as "
    "inputs of their own, and the Jacobian of each layer with respect to each earlier output is taken "
    "by automatic differentiation: a connection is a block of it that is not zero.",
    "乱数の重みをもつ 8 層のブロックに乱数の画像を入力する。1 つを除くすべての出力を独立な入力として固定し、各層の"
    "出力の、それより前の各出力に関するヤコビ行列を自動微分で求める。零でないブロックを結合とみなす。",
)
CONTROL = Text(
    "A residual block: each layer adds to the state before it and reads that alone.",
    "残差ブロックにする。各層は直前の状態だけを読み、それに加算する。",
)
RULE = Text(
    "Holds if at every seed all L(L + 1)/2 pairs are connected; does not hold if one is not.",
    "すべてのシードで L(L + 1)/2 組すべてが結合していれば成り立つ。1 組でも結合がなければ成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 6.0, "full": 15.0}

LAYERS, CHANNELS, GROWTH, SIDE_PX = 8, 12, 4, 6


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.sequence_training import seeded

    with seeded(seed):
        read = _residual_layers() if control else _dense_layers()
        outputs = [torch.randn(2, CHANNELS, SIDE_PX, SIDE_PX)]
        strength = [[0.0] * LAYERS for _ in range(LAYERS)]
        for number, layer in enumerate(read):
            leaves = [one.detach().requires_grad_() for one in outputs]
            answer = layer(leaves)
            # One random projection of the output: it hides a connection with probability 0.
            slopes = torch.autograd.grad(
                (answer * torch.randn_like(answer)).sum(), leaves, allow_unused=True
            )
            for earlier, slope in enumerate(slopes):
                strength[number][earlier] = 0.0 if slope is None else float(slope.norm())
            outputs.append(answer.detach())
    pairs = [strength[late][early] for late in range(LAYERS) for early in range(late + 1)]
    connected = sum(value > 0 for value in pairs)
    return {
        "connections": float(connected),
        "connected_share": connected / len(pairs),
        "jacobian_norms": strength,
    }


def _dense_layers() -> list:
    """Each a function of the list of all earlier outputs."""
    from shinso.models.densenet import DenseLayer

    return [
        DenseLayer(CHANNELS + n * GROWTH, GROWTH, bottleneck=True, dropout=0.0, frugal=False)
        for n in range(LAYERS)
    ]


def _residual_layers() -> list:
    from torch import nn

    from shinso.models.resnet import BasicBlock

    def reader(block: BasicBlock):
        nn.init.ones_(block.bn2.weight)

        def read(earlier: list[torch.Tensor]) -> torch.Tensor:
            return block(earlier[-1])

        return read

    return [reader(BasicBlock(CHANNELS, CHANNELS, 1, None)) for _ in range(LAYERS)]


def holds(measurements: Sequence[Measurement]) -> Finding:
    fewest = min(column(measurements, "connections"))
    pairs = LAYERS * (LAYERS + 1) // 2
    return Finding(
        verdict=Verdict.HOLDS if fewest == pairs else Verdict.REFUTED,
        because=Text(
            f"{fewest:.0f} of {pairs} pairs are connected at the seed with the fewest.",
            f"最も少ないシードで {pairs} 組のうち {fewest:.0f} 組が結合している。",
        ),
        estimates=(
            certain(
                Text(
                    "connected pairs, the fewest of all seeds (count)",
                    "結合している組、シード中の最小 (個)",
                ),
                fewest,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Which layer reads which: sizes of the Jacobian's blocks, claim and control side by side."""
    import numpy as np

    from shinso.claims.drawing import SIDES, spoken

    sides = [side for side in (measurements, controls) if side]
    grid = figure.subplots(1, len(sides), squeeze=False)[0]
    for axes, side, (_style, label) in zip(grid, sides, SIDES, strict=False):
        norms = np.array(table(side[0], "jacobian_norms"))
        axes.imshow(np.where(norms > 0, norms, np.nan), cmap="Blues", vmin=0, aspect="auto")
        axes.grid(False)
        axes.set_title(spoken(label), fontsize=9)
        axes.set_xlabel(spoken(Text("earlier output", "前の出力")))
        axes.set_ylabel(spoken(Text("layer", "層")))
