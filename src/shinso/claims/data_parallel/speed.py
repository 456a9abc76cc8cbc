"""Two workers learn nearly twice as many samples in the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, data parallelism: speed", "4 日目 データ並列化：高速化")
SAYS = Text(
    "Data parallelism copies the model to every worker, divides the data among them, and so learns "
    "faster.",
    "データ並列化は、モデルを各ワーカーにコピーし、データを分割して各ワーカーに計算させることで、学習を速くする。",
)
TRUTH = Text(
    "Never by the full number of workers: each step sends all gradients.",
    "ワーカー数と同じ倍率には達しない。1 ステップごとに全ての勾配を送るからである。",
)
METHOD = Text(
    "A convolutional network of 96 channels in two real processes of one thread. In turn each learns a "
    "batch of 128 by itself and its share of a joint batch of 256. Speed-up is 2 × CPU seconds of a "
    "step alone ÷ CPU seconds of a step together, of the slower process. What a worker waits, for the "
    "slower one and for the gradients, is not in it: this is an upper bound of the speed-up by the clock "
    "on two free cores, and can be measured on a busy machine.",
    "96 チャンネルの畳み込みネットワークを、各 1 スレッドの 2 プロセスで学習する。128 のバッチを単独で学習する"
    "ステップと、合計 256 のバッチを分け合うステップを交互に行う。高速化率は「2 × 1 ワーカーの 1 ステップの CPU 秒 ÷ "
    "2 ワーカーのうち遅い方の CPU 秒」とする。遅い方のワーカーや勾配の通信を待つ時間は含まないので、空いた 2 コアでの"
    "経過時間による高速化率の上限である。混み合ったマシンでも測れる。",
)
CONTROL = Text(
    "The data are not divided: each of the two workers learns the whole joint batch.",
    "データを分割しない。2 ワーカーがそれぞれ合計のバッチ全部を学習する。",
)
RULE = Text(
    "Holds if the 95 % interval of the speed-up lies above 1.7; does not hold if it lies below; "
    "otherwise undecided.",
    "高速化率の 95 % 区間が 1.7 より上なら成り立つ。下なら成り立たない。それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 20.0, "full": 120.0}

WIDTH, BATCH, LEAST = 96, 128, 1.7
STEPS = {"quick": 12, "full": 30}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.parallel_training import steps_cpu_s
    from shinso.training.parallel.together import run_together

    pairs = run_together(steps_cpu_s, 2, WIDTH, BATCH, STEPS[profile], not control)
    alone, both = (max(pair[place] for pair in pairs) for place in (0, 1))
    return {
        "cpu_ms_alone": 1e3 * alone,
        "cpu_ms_of_two": 1e3 * both,
        "speed_up_of_two": 2 * alone / both,
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    found = intervals.mean(column(measurements, "speed_up_of_two"))
    if found.low > LEAST:
        verdict = Verdict.HOLDS
    elif found.high < LEAST:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    seeds = len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"By CPU time two workers are {found.value:.2f} times as fast as one ({found.low:.2f} to "
            f"{found.high:.2f}), an upper bound by the clock; asked for is more than {LEAST}.",
            f"CPU 時間では、2 ワーカーは 1 ワーカーの {found.value:.2f} 倍の速さである "
            f"({found.low:.2f}〜{found.high:.2f}、経過時間での倍率の上限)。基準は {LEAST} 倍を超えることである。",
        ),
        estimates=(
            intervals.estimate(
                Text(
                    "speed-up of two workers by CPU time (times)",
                    "2 ワーカーの CPU 時間での高速化率 (倍)",
                ),
                found,
                seeds=seeds,
            ),
            intervals.estimate(
                Text("CPU time of a step alone (ms)", "単独の 1 ステップの CPU 時間 (ms)"),
                intervals.mean(column(measurements, "cpu_ms_alone")),
                seeds=seeds,
            ),
            intervals.estimate(
                Text("CPU time of a step of two (ms)", "2 ワーカーの 1 ステップの CPU 時間 (ms)"),
                intervals.mean(column(measurements, "cpu_ms_of_two")),
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The speed-up at every seed."""
    from shinso.claims.drawing import dots

    axes = figure.subplots()
    dots(
        axes,
        [Text("two workers", "2 ワーカー")],
        [column(measurements, "speed_up_of_two")],
        [column(controls, "speed_up_of_two")],
        ylabel=Text("speed-up by CPU time (times)", "CPU 時間での高速化率 (倍)"),
    )
    axes.axhline(LEAST, color="0.6", linewidth=1)
    axes.set_ylim(bottom=0)
