"""The more workers share a model, the fewer of its parameters each of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, model parallelism: memory", "4 日目 モデル並列化：メモリ")
SAYS = Text(
    "A model too large for one worker can be trained if it is divided among several.",
    "1 台に載らない大きなモデルも、複数のワーカーに分割すれば学習できる。",
)
TRUTH = None
METHOD = Text(
    "Real processes count the parameters that each holds after the cut: four Transformer blocks of "
    "width 64 by tensors and as a pipeline, a four-layer LSTM as a pipeline, among 1, 2 and 4 workers. "
    "Counted is the worker that holds most. Gradients and the optimizer's moments lie beside the "
    "parameters and fall with them.",
    "分割の後に各プロセスが実際に持つパラメータを数える。幅 64 の Transformer 4 ブロックをテンソル並列と"
    "パイプラインで、4 層の LSTM をパイプラインで、1、2、4 ワーカーに分割する。最も多く持つワーカーの割合を"
    "見る。勾配とオプティマイザの状態もパラメータに比例して減る。",
)
CONTROL = Text(
    "Data parallelism with as many workers: each holds the whole model.",
    "同じワーカー数のデータ並列。各ワーカーがモデル全体を持つ。",
)
RULE = Text(
    "Holds if in every case the largest share held by a worker is at most 0.55 among 2 workers and "
    "0.30 among 4; does not hold if not. Counting has no scatter.",
    "どの場合も、最も多く持つワーカーの割合が 2 ワーカーで 0.55 以下、4 ワーカーで 0.30 以下なら成り立つ。"
    "そうでなければ成り立たない。数え上げなのでばらつきはない。",
)
SEEDS = {"quick": 1, "full": 1}
BUDGET_S = {"quick": 12.0, "full": 12.0}

WIDTH, COUNT, WORKERS = 64, 4, (2, 4)
MOST = {2: 0.55, 4: 0.30}
CASES = {
    "tensor_transformer": Text("tensors of a Transformer", "Transformer のテンソル"),
    "pipeline_transformer": Text("layers of a Transformer", "Transformer の層"),
    "pipeline_recurrent": Text("layers of an LSTM", "LSTM の層"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    from shinso.training.parallel.together import run_together

    found: dict[str, float] = {}
    for workers in WORKERS:
        for held in run_together(_all_shares, workers, control):
            for case, value in held.items():
                name = f"{case}_{workers}"
                found[name] = max(found.get(name, 0.0), value)
    return found


def _all_shares(crew: object, undivided: bool) -> dict[str, float]:
    from shinso.claims.model_parallel_work import shares_held

    found = {}
    for case in CASES:
        way, kind = case.split("_")
        way = "data" if undivided else way
        found[case] = shares_held(crew, kind, way, WIDTH, COUNT)  # type: ignore[arg-type]
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    worst = {
        f"{case}_{workers}": max(column(measurements, f"{case}_{workers}"))
        for case in CASES
        for workers in WORKERS
    }
    fits = all(value <= MOST[int(name.rsplit("_", 1)[1])] for name, value in worst.items())
    listed = "; ".join(
        f"{CASES[case].en} {worst[f'{case}_2']:.1%} and {worst[f'{case}_4']:.1%}" for case in CASES
    )
    listed_ja = "、".join(
        f"{CASES[case].ja} {worst[f'{case}_2']:.1%} と {worst[f'{case}_4']:.1%}" for case in CASES
    )
    return Finding(
        verdict=Verdict.HOLDS if fits else Verdict.REFUTED,
        because=Text(
            f"Held by the fullest of 2 and of 4 workers: {listed}.",
            f"2 および 4 ワーカーのうち最も多く持つワーカーの割合：{listed_ja}。",
        ),
        estimates=tuple(
            certain(
                Text(
                    f"largest share of {CASES[case].en} among {workers} (share)",
                    f"{CASES[case].ja}、{workers} ワーカーのうちの最大 (割合)",
                ),
                worst[f"{case}_{workers}"],
            )
            for case in CASES
            for workers in WORKERS
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """The largest share against the number of workers, a panel for each way to cut."""
    from shinso.claims.drawing import curves, spoken

    panels = figure.subplots(1, len(CASES), sharey=True)
    for axes, (case, name) in zip(panels, CASES.items(), strict=True):
        curves(
            axes,
            [1, *WORKERS],
            [[1.0, *(column([one], f"{case}_{w}")[0] for w in WORKERS)] for one in measurements],
            [[1.0, *(column([one], f"{case}_{w}")[0] for w in WORKERS)] for one in controls],
            xlabel=Text("workers", "ワーカー数"),
            ylabel=Text("parameters held (share)", "保持するパラメータの割合"),
        )
        axes.set_title(spoken(name), fontsize=9)
        axes.set_ylim(0, 1.05)
