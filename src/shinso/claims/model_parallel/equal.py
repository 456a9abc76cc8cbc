"""One model cut among workers answers and learns as it does on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import Bound, column, within
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, model parallelism", "4 日目 モデル並列化")
SAYS = Text(
    "Model parallelism divides one model among several workers, each of which computes its part.",
    "モデル並列化は、一つのモデルを複数のワーカーに分割して割り当て、それぞれに計算させる。",
)
TRUTH = Text(
    "What is divided is one model: the workers together compute what one would, up to rounding.",
    "分割されるのは一つのモデルである。ワーカー全体で計算される結果は、丸め誤差を除いて 1 台で計算した場合と同じである。",
)
METHOD = Text(
    "Real processes that meet through gloo. Two workers cut every matrix of two Transformer blocks "
    "(tensor parallelism); 2 and 4 workers hold neighbouring layers of four Transformer blocks and of "
    "a four-layer LSTM (pipelines, both schedules: GPipe and 1F1B). Outputs, losses and all gradients "
    "are compared with one process's and differences divided by the largest entry, in float32.",
    "gloo で通信する実際の複数プロセスで確かめる。2 ワーカーが Transformer の 2 ブロックの各行列を分割し (テンソル"
    "並列)、2 および 4 ワーカーが Transformer の 4 ブロックと 4 層の LSTM の隣り合う層を受け持つ (パイプライン、"
    "GPipe と 1F1B)。出力、損失、全ての勾配を 1 プロセスと float32 で比べ、差は最大の成分で割る。",
)
CONTROL = Text(
    "The workers compute their parts but exchange nothing: partial sums are not added up, and a stage "
    "hears nothing of the one before.",
    "各ワーカーは自分の担当を計算するが、何も交換しない。部分和は足されず、前の段の出力は渡らない。",
)
RULE = Text(
    "Holds if the largest relative difference of each kind is at most 1e-5 at every seed; does not "
    "hold if not; undecided if a number is not finite.",
    "すべてのシードで、それぞれの相対差の最大値が 1e-5 以下なら成り立つ。そうでなければ成り立たない。"
    "有限でない数があれば判定できない。",
)
SEEDS = {"quick": 2, "full": 5}
BUDGET_S = {"quick": 20.0, "full": 60.0}

WIDTH, COUNT = 16, 4
SCHEDULES = {2: "gpipe", 4: "1f1b"}
BOUNDS = (
    Bound(of="tensor", name=Text("tensor parallelism", "テンソル並列"), most=1e-5),
    Bound(of="pipeline_transformer", name=Text("Transformer pipeline", "Transformer のパイプライン"), most=1e-5),
    Bound(of="pipeline_recurrent", name=Text("LSTM pipeline", "LSTM のパイプライン"), most=1e-5),
)  # fmt: skip


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.claims import model_parallel_work as work
    from shinso.claims.parallel_training import relative_difference
    from shinso.training.parallel.together import run_together

    x, target = work.batch_of(WIDTH, seed)
    alone = work.answers(work.blocks(WIDTH, 2, seed), x, target)
    cut = run_together(work.by_tensor, 2, WIDTH, seed, control)
    known = [{name: alone[name] for name in one} for one in cut]
    found = {"tensor": max(map(relative_difference, cut, known))}
    for kind in ("transformer", "recurrent"):
        whole = work.answers(work.LAYERS[kind](WIDTH, COUNT, seed), x, target)
        output = whole.pop("output")
        whole["loss"] = ((output - target.numpy()) ** 2).mean()
        found[f"pipeline_{kind}"] = max(
            relative_difference(_joined(stages), whole)
            for stages in (
                run_together(work.by_pipeline, size, kind, WIDTH, COUNT, seed, schedule, control)
                for size, schedule in SCHEDULES.items()
            )
        )
    return found


def _joined(stages: list[dict[str, object]]) -> dict[str, object]:
    return {name: value for stage in stages for name, value in stage.items()}


def holds(measurements: Sequence[Measurement]) -> Finding:
    return within(measurements, BOUNDS)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The largest relative differences at every seed, on a logarithmic axis."""
    from shinso.claims.drawing import dots

    axes = figure.subplots()
    dots(
        axes,
        [bound.name for bound in BOUNDS],
        [[max(v, 1e-10) for v in column(measurements, bound.of)] for bound in BOUNDS],
        [[max(v, 1e-10) for v in column(controls, bound.of)] for bound in BOUNDS],
        ylabel=Text("largest relative difference", "相対差の最大値"),
    )
    axes.set_yscale("log")
