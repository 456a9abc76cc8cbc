"""A depthwise separable convolution costs 1/N + 1/k² of a full one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Estimate, Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, curve, said
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

PLACE = Text("Day 4, MobileNet: multiply-adds", "4 日目 MobileNet：積和演算の数")
SAYS = Text(
    "Depthwise and pointwise convolutions together need 1/N + 1/k² of the multiply-adds of a full "
    "convolution with N outputs and a k × k kernel; for k = 3, an eighth to a ninth.",
    "Depthwise 畳み込みと pointwise 畳み込みを合わせた積和演算の数は、出力 N チャネル、カーネル k × k の"
    "通常の畳み込みの 1/N + 1/k² で、k = 3 なら 8 分の 1 から 9 分の 1 である。",
)
TRUTH = Text(
    "The count is exact. Time falls less: a depthwise convolution moves as much memory as a full one "
    "and computes little with it.",
    "演算数は正確にこの割合になる。しかし時間はそこまで減らない。Depthwise 畳み込みは通常の畳み込みと"
    "同じだけメモリを読み書きし、計算はわずかだからである。",
)
METHOD = Text(
    "At 12 random sizes the multiply-adds of both are counted by hooks while they run and, independently, "
    "by PyTorch's FlopCounterMode. The whole of MobileNet V1 is counted beside its twin of full "
    "convolutions at 224 pixels. Processor time of a layer of 128 channels at 28 pixels stands beside.",
    "乱数で選んだ 12 通りの大きさで、実行中のフックと、独立に PyTorch の FlopCounterMode で積和演算を数える。"
    "MobileNet V1 全体も、通常の畳み込みだけで作った同じ構成のネットワークと 224 画素で比べる。128 チャネル、28 画素の"
    "層の CPU 時間も併せて測る。",
)
CONTROL = Text(
    "The kernels of the first convolution see all channels: nothing is separated.",
    "1 つ目の畳み込みのカーネルに全チャネルを見せる。何も分離されていない。",
)
RULE = Text(
    "Holds if at every size both counters give 1/N + 1/k² within 1e-12 and the whole network needs 8 to "
    "9 times fewer; does not hold if one of these fails. Time does not enter.",
    "すべての大きさで両方の計数器が 1/N + 1/k² を 1e-12 以内で与え、ネットワーク全体で 8〜9 分の 1 なら"
    "成り立つ。いずれかが外れれば成り立たない。時間は判定に使わない。",
)
SEEDS = {"quick": 2, "full": 3}
BUDGET_S = {"quick": 8.0, "full": 12.0}

SIZES = 12
MOST = 1e-12
TIMED_CHANNELS, TIMED_PX, TIMED_BATCH, ROUNDS = 128, 28, 4, 5


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from shinso.claims.sequence_training import seeded
    from shinso.nn.multiply_adds import cost

    rng = np.random.default_rng(seed)
    counted, independent, formula = [], [], []
    with seeded(seed):
        for _ in range(SIZES):
            channels, out = (int(n) for n in rng.integers(4, 65, 2))
            size, px = int(rng.choice([3, 5, 7])), int(rng.integers(8, 17))
            x = torch.zeros(1, channels, px, px)
            pair, full = _layers(channels, out, size, joined=control)
            counted.append(cost(pair, x).multiply_adds / cost(full, x).multiply_adds)
            flops = []
            for layers in (pair, full):
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    layers(x)
                flops.append(counter.get_total_flops())
            independent.append(flops[0] / flops[1])
            formula.append(1 / out + 1 / size**2)
        return {
            "counted_ratios": counted,
            "formula_ratios": formula,
            "deviation": float(np.abs(np.subtract(counted, formula)).max()),
            "deviation_independent": float(np.abs(np.subtract(independent, formula)).max()),
            "network_times_fewer": _network(control),
            "seconds_ratio": _seconds(control),
        }


def _layers(channels: int, out: int, size: int, *, joined: bool) -> tuple[nn.Module, nn.Module]:
    """The pair, and the full convolution that it replaces."""
    from torch import nn

    from shinso.nn.conv import Convolution, Depthwise, Pointwise

    first = Convolution(channels, channels, size) if joined else Depthwise(channels, size)
    pair = nn.Sequential(first, Pointwise(channels, out)).eval()
    return pair, Convolution(channels, out, size).eval()


def _network(control: bool) -> float:
    """Multiply-adds of the twin over those of MobileNet V1 at 224 pixels."""
    import torch

    from shinso.models.mobilenet_v1 import MobileNetV1
    from shinso.nn.multiply_adds import cost

    found = []
    for separable in (False, not control):
        network = MobileNetV1(
            MobileNetV1.Config(separable=separable), num_channels=3, num_classes=1000, image_px=224
        )
        # A seventh of the side: 1/49 of every count but the last layer's, put back below.
        counts = cost(network, torch.zeros(1, 3, 32, 32))
        last = counts.layers[-1].multiply_adds
        found.append((counts.multiply_adds - last) * (224 // 32) ** 2 + last)
    return found[0] / found[1]


def _seconds(control: bool) -> float:
    import statistics
    import time

    import torch

    pair, full = _layers(TIMED_CHANNELS, TIMED_CHANNELS, 3, joined=control)
    x = torch.zeros(TIMED_BATCH, TIMED_CHANNELS, TIMED_PX, TIMED_PX)
    ratios = []
    with torch.no_grad():
        for number in range(ROUNDS + 1):
            marks = [time.process_time()]
            for layers in (pair, full):
                layers(x)
                marks.append(time.process_time())
            if number:
                ratios.append((marks[1] - marks[0]) / max(marks[2] - marks[1], 1e-9))
    return statistics.median(ratios)


def holds(measurements: Sequence[Measurement]) -> Finding:
    own = max(column(measurements, "deviation"))
    independent = max(column(measurements, "deviation_independent"))
    times = column(measurements, "network_times_fewer")
    exact = max(own, independent) <= MOST and all(8 <= one <= 9 for one in times)
    seconds = intervals.mean(column(measurements, "seconds_ratio"))
    ratio = max(times)
    seeds = len(measurements)
    return Finding(
        verdict=Verdict.HOLDS if exact else Verdict.REFUTED,
        because=Text(
            f"The counts deviate from 1/N + 1/k² by {said(own)} at most (independent counter: "
            f"{said(independent)}); the network needs {ratio:.2f} times fewer. The timed layer takes "
            f"{seconds.value:.2f} of the full one's processor time.",
            f"演算数の割合と 1/N + 1/k² のずれは最大 {said(own)} (独立した計数器では {said(independent)})、"
            f"ネットワーク全体の演算数は {ratio:.2f} 分の 1 である。時間を測った層は通常の畳み込みの "
            f"{seconds.value:.2f} 倍の CPU 時間で済む。",
        ),
        estimates=(
            *(
                Estimate(name=name, value=off, low=off, high=off, seeds=seeds, largest=True)
                for name, off in (
                    (Text("deviation from 1/N + 1/k² (ratio)", "1/N + 1/k² からのずれ (比)"), own),
                    (
                        Text(
                            "deviation of the independent counter (ratio)",
                            "独立した計数器でのずれ (比)",
                        ),
                        independent,
                    ),
                )
            ),
            certain(
                Text(
                    "multiply-adds of the twin over MobileNet V1's (ratio)",
                    "積和演算の数、通常の畳み込みのネットワーク ÷ MobileNet V1 (比)",
                ),
                ratio,
            ),
            intervals.estimate(
                Text("seconds, separable over full (ratio)", "CPU 時間、separable ÷ 通常 (比)"),
                seconds,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Counted over computed shares: on the diagonal the formula is right."""
    from shinso.claims.drawing import SIDES, legend, spoken

    axes = figure.subplots()
    for side, (style, label) in zip((measurements, controls), SIDES, strict=True):
        for number, measurement in enumerate(side):
            axes.plot(
                curve(measurement, "formula_ratios"),
                curve(measurement, "counted_ratios"),
                **{**style, "linestyle": "none"},
                label=spoken(label) if number == 0 else None,
            )
    axes.axline((0.1, 0.1), slope=1, color="0.4", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("1/N + 1/k²")
    axes.set_ylabel(
        spoken(Text("counted share of a full convolution", "数えた演算数 (通常の畳み込み比)"))
    )
    legend(axes)
