"""Cutting a model pays the better the larger it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, number
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, model parallelism: size", "4 日目 モデル並列化：モデルの大きさ")
SAYS = Text(
    "The more parameters a model has, the better model parallelism speeds it up.",
    "モデルのパラメータ数が多いほど、モデル並列化による高速化の効率は良くなる。",
)
TRUTH = Text(
    "What is divided is one model, not several with different parameters. Its computing grows with "
    "the square of the width and what is exchanged only with the width, so the share spent on "
    "exchange falls. Efficiency is not yet a gain: below 0.5 two workers are slower than one process.",
    "分割されるのは一つのモデルであり、パラメータの異なる複数のモデルではない。計算量は幅の 2 乗で、通信量は幅に"
    "比例して増えるので、通信の割合が小さくなる。効率が上がっても速くなるとは限らず、0.5 未満では 2 ワーカーのほうが "
    "1 プロセスより遅い。",
)
METHOD = Text(
    "A Transformer block of width 16, 64 and 256, forward and backward, in one process and with every "
    "matrix cut between two real processes of one thread. Efficiency is the CPU time of one ÷ (2 × CPU "
    "time of the slower of two): 1 is twice as fast as one process, 0.5 as fast. What a worker waits "
    "for another is not in it.",
    "幅 16、64、256 の Transformer ブロックの順伝播と逆伝播を、1 プロセスの場合と、各行列を 2 プロセス (各 1 スレッド) "
    "に分割した場合で比べる。効率は「1 プロセスの CPU 時間 ÷ (2 × 遅い方のワーカーの CPU 時間)」で、1 なら 1 プロセスの 2 倍の"
    "速さ、0.5 なら同じ速さである。待ち時間は含まない。",
)
CONTROL = Text("All three measurements at the width of 16.", "3 つとも幅 16 で測る。")
RULE = Text(
    "Holds if the 95 % interval of the efficiency at width 256 minus that at 16 lies above 0.1; does "
    "not hold if it lies below 0.1; otherwise undecided.",
    "「幅 256 の効率 − 幅 16 の効率」の 95 % 区間が 0.1 より上なら成り立つ。0.1 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 20.0, "full": 90.0}

WIDTHS = (16, 64, 256)
STEPS = {"quick": 40, "full": 100}
MARGIN = 0.1
EVEN = 0.5
"""The efficiency at which two workers are as fast as one process."""


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.training.parallel.together import run_together

    found: dict[str, float] = {}
    for width, pairs in zip(
        WIDTHS,
        zip(*run_together(_all_widths, 2, control, STEPS[profile]), strict=True),
        strict=True,
    ):
        alone = min(pair[0] for pair in pairs)
        slower = max(pair[1] for pair in pairs)
        found[f"efficiency_{width}"] = alone / (2 * slower)
    return found


def _all_widths(crew: object, same: bool, steps: int) -> list[tuple[float, float]]:
    from shinso.claims.model_parallel_work import step_cpu_s

    return [step_cpu_s(crew, WIDTHS[0] if same else width, steps) for width in WIDTHS]  # type: ignore[arg-type]


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    each = {width: column(measurements, f"efficiency_{width}") for width in WIDTHS}
    gain = intervals.paired_difference(each[WIDTHS[-1]], each[WIDTHS[0]])
    if gain.low > MARGIN:
        verdict = Verdict.HOLDS
    elif gain.high < MARGIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    means = {width: intervals.mean(values) for width, values in each.items()}
    listed = ", ".join(f"{found.value:.2f} at width {width}" for width, found in means.items())
    listed_ja = "、".join(f"幅 {width} で {found.value:.2f}" for width, found in means.items())
    slow = [width for width, found in means.items() if found.high < EVEN]
    at = ", ".join(map(str, slow))
    slower = Text(
        f" Two workers are slower than one process (below {EVEN}) at width {at}." if slow else "",
        f"幅 {at.replace(', ', '、')} では {EVEN} 未満で、2 ワーカーのほうが 1 プロセスより遅い。"
        if slow
        else "",
    )
    return Finding(
        verdict=verdict,
        because=Text(
            f"Efficiency is {listed}; the difference between the first and the last is {gain.value:+.2f} "
            f"({gain.low:+.2f} to {gain.high:+.2f}).{slower.en}",
            f"効率は{listed_ja}である。最小と最大の幅の差は {gain.value:+.2f} ({gain.low:+.2f}〜{gain.high:+.2f}) "
            f"である。{slower.ja}",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"efficiency at width {width} (share)", f"幅 {width} での効率 (割合)"),
                    found,
                    seeds=seeds,
                )
                for width, found in means.items()
            ),
            intervals.estimate(
                Text(
                    f"efficiency at width {WIDTHS[-1]} minus at {WIDTHS[0]} (share)",
                    f"効率の差、幅 {WIDTHS[-1]} − 幅 {WIDTHS[0]} (割合)",
                ),
                gain,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Efficiency against the width."""
    from shinso.claims.drawing import curves, legend, spoken

    def lines(found: Sequence[Measurement]) -> list[list[float]]:
        return [[number(one, f"efficiency_{width}") for width in WIDTHS] for one in found]

    axes = figure.subplots()
    curves(
        axes,
        list(WIDTHS),
        lines(measurements),
        lines(controls),
        xlabel=Text("width of the block", "ブロックの幅"),
        ylabel=Text("efficiency of two workers (share)", "2 ワーカーの効率"),
    )
    axes.set_xscale("log", base=2)
    axes.axhline(
        EVEN, color="0.6", linewidth=1, linestyle=":",
        label=spoken(Text("as fast as one process", "1 プロセスと同じ速さ")),
    )  # fmt: skip
    axes.set_ylim(bottom=0)
    legend(axes)
