"""Synchronous workers take the step that one process would take on the joint batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import Bound, column, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, data parallelism: synchronous", "4 日目 データ並列化：同期型")
SAYS = Text(
    "In the synchronous kind all workers wait for each other, average their gradients and update "
    "the same parameters: the step that one process would take on the joint batch.",
    "同期型では、全ワーカーの計算が終わるのを待ち、勾配の平均を取ってパラメータを更新する。これは、1 プロセスが"
    "全体のバッチで行う更新と同じである。",
)
TRUTH = Text(
    "The average must count each worker by its number of samples. The plain mean of the workers' "
    "gradients is the same only where all shares are equal; an uneven last batch gives another "
    "gradient than one process would have found.",
    "平均では、各ワーカーの勾配にサンプル数で重みを付けなければならない。ワーカーの勾配の単純平均がこれと一致するのは、"
    "全員の取り分が等しいときだけであり、割り切れない最後のバッチでは 1 プロセスの場合と違う勾配になる。",
)
METHOD = Text(
    "Real processes that meet through gloo: 2 and 4 workers share a batch of 11 samples (so shares "
    "are uneven) of a recurrent, a convolutional and a Transformer network. Every gradient is "
    "compared with one process's on all 11, in float64 and float32; differences are divided by the "
    "largest gradient.",
    "gloo で通信する実際の複数プロセスで、2 および 4 ワーカーが 11 サンプルのバッチを分け合う (取り分は均等でない)。"
    "再帰型、畳み込み、Transformer の各ネットワークで、全ての勾配を、11 サンプルを 1 プロセスで計算した勾配と "
    "float64 と float32 で比べる。差は最大の勾配で割る。",
)
CONTROL = Text(
    "The plain mean over workers, whatever the number of their samples.",
    "サンプル数によらず、ワーカーの単純平均を取る。",
)
RULE = Text(
    "Holds under the condition that each worker's gradient is weighted by its samples, if with these "
    "weights the largest relative difference is at most 1e-12 in float64 and 1e-6 in float32 at every "
    "seed; does not hold if not; undecided if a number is not finite.",
    "サンプル数で重みを付けたとき、すべてのシードで、相対差の最大値が float64 で 1e-12 以下、float32 で 1e-6 以下なら、"
    "その重みを付けるという条件つきで成り立つ。そうでなければ成り立たない。有限でない数があれば判定できない。",
)
RULE_CHANGED = Text(
    "Changed on 2026-12-01: before, the same bounds gave “holds”. The statement speaks of an average "
    "only, and the control shows that an average without weights gives another step where shares are "
    "uneven: the weights are a condition.",
    "2026-12-01 に変更。以前は、同じ上限で「成り立つ」としていた。主張は平均としか述べておらず、対照実験が示すように、"
    "取り分が均等でなければ重みのない平均では別の更新になる。したがって、重みは条件である。",
)
SEEDS = {"quick": 2, "full": 5}
BUDGET_S = {"quick": 16.0, "full": 60.0}

BATCH = 11
WORKERS = (2, 4)
BOUNDS = (
    Bound(
        of="difference_float64",
        name=Text("relative difference in float64", "float64 での相対差"),
        most=1e-12,
    ),
    Bound(
        of="difference_float32",
        name=Text("relative difference in float32", "float32 での相対差"),
        most=1e-6,
    ),
)
WEIGHTED = Text(
    "each worker's gradient is weighted by its number of samples (with equal shares this is the plain mean)",
    "各ワーカーの勾配にサンプル数で重みを付ける (取り分が等しければ単純平均と同じ)",
)


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims.parallel_training import relative_difference
    from shinso.training.parallel.together import run_together

    found = {"float64": 0.0, "float32": 0.0}
    alone = _all_gradients(None, seed, False)
    for workers in WORKERS:
        for worker in run_together(_all_gradients, workers, seed, control):
            for name, theirs in alone.items():
                dtype = name.split()[-1]
                found[dtype] = max(found[dtype], relative_difference(worker[name], theirs))
    return {f"difference_{dtype}": value for dtype, value in found.items()}


def _all_gradients(crew: object, seed: int, unweighted: bool) -> dict[str, dict[str, object]]:
    """Of every network, in both kinds of numbers."""
    from shinso.claims.parallel_training import KINDS, gradients

    return {
        f"{kind} {dtype}": gradients(crew, kind, BATCH, seed, dtype == "float64", unweighted)  # type: ignore[arg-type]
        for kind in KINDS
        for dtype in ("float64", "float32")
    }


def holds(measurements: Sequence[Measurement]) -> Finding:
    found = within(measurements, BOUNDS)
    if found.verdict is not Verdict.HOLDS:
        return found
    return replace(found, verdict=Verdict.CONDITIONALLY, condition=WEIGHTED)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The largest relative difference at every seed, on a logarithmic axis."""
    from shinso.claims.drawing import dots

    axes = figure.subplots()
    names = [bound.of for bound in BOUNDS]
    # An exact zero has no place on a logarithmic axis.
    dots(
        axes,
        [bound.name for bound in BOUNDS],
        [[max(v, 1e-18) for v in column(measurements, name)] for name in names],
        [[max(v, 1e-18) for v in column(controls, name)] for name in names],
        ylabel=Text("largest relative difference of a gradient", "勾配の相対差の最大値"),
    )
    axes.set_yscale("log")
