"""What layer normalization is invariant to, and what it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims.claim import Estimate, Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, said
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

PLACE = Text("Day 4, layer normalization: invariance", "4 日目 レイヤー正規化：不変性")
SAYS = Text(
    "Layer normalization of W x does not change when an input is scaled by a positive constant, nor "
    "when the weight matrix is, nor when the same row is added to all rows of the matrix.",
    "W x のレイヤー正規化は、入力の正の定数倍、重み行列の正の定数倍、重み行列のすべての行に同じ行ベクトルを加える"
    "シフトに対して不変である。",
)
TRUTH = Text(
    "Exact with ε = 0 only. A negative constant turns the sign of the normalized values. It is not invariant to "
    "scaling a single row of the matrix (one neuron's weights), nor to shifting the inputs; batch "
    "normalization is, for positive constants, but not to scaling a single input.",
    "厳密に成り立つのは ε = 0 のときだけである。負の定数を掛けると正規化後の値の符号が反転する。行列の 1 行 (1 ニューロンの重み) の"
    "定数倍や入力のシフトに対しては不変ではない。バッチ正規化はそれら (定数は正) に不変だが、1 つの入力の定数倍に"
    "対しては不変ではない。",
)
METHOD = Text(
    "Real handwritten digits (64 pixels) times a random matrix of 32 rows, in float64, ε = 1e-12; the "
    "largest change of the normalized values under each change of inputs or matrix.",
    "実在の手書き数字 (64 画素) に 32 行の乱数の行列を掛け (float64、ε = 1e-12)、入力や行列を変えたときの"
    "正規化後の値の変化の最大値を求める。",
)
CONTROL = Text("Batch normalization in its place.", "代わりにバッチ正規化を使う。")
RULE = Text(
    "Holds if at every seed the three named changes move no value by more than 1e-6, while scaling one "
    "row and shifting the inputs move some by more than 0.01; does not hold if not.",
    "すべてのシードで、挙げた 3 つの変更による値の変化が 1e-6 以下で、1 行の定数倍と入力のシフトでは 0.01 より"
    "大きく変わる値があれば成り立つ。そうでなければ成り立たない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 4.0, "full": 6.0}

IMAGES, ROWS, EPS = 40, 32, 1e-12
STILL, MOVED = 1e-6, 0.01
INVARIANT = {
    "one_input_scaled": Text("one input × 3", "1 つの入力 × 3"),
    "matrix_scaled": Text("matrix × 3", "行列 × 3"),
    "matrix_shifted": Text("matrix + row", "行列 + 行"),
}
VARIANT = {
    "row_scaled": Text("one row × 3", "1 行 × 3"),
    "inputs_shifted": Text("inputs + image", "入力 + 画像"),
}
CHANGES = {**INVARIANT, **VARIANT}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.image_training import digits
    from shinso.claims.sequence_training import seeded
    from shinso.nn.norm import BatchNorm, LayerNorm

    with seeded(seed) as generator:
        x = digits(generator).images[:IMAGES].flatten(1).double()
        pixels = x.shape[1]
        matrix, row, image = (
            torch.randn(*shape, generator=generator).double()
            for shape in ((ROWS, pixels), (1, pixels), (1, pixels))
        )
        norm = BatchNorm(ROWS, eps=EPS) if control else LayerNorm(ROWS, eps=EPS)
        norm.double()

        def change(inputs: Tensor, weights: Tensor) -> float:
            before, after = norm(x @ matrix.T), norm(inputs @ weights.T)
            return float((after - before).detach().abs().max())

        one_scaled, one_row = x.clone(), matrix.clone()
        one_scaled[0] *= 3
        one_row[0] *= 3
        return {
            "one_input_scaled": change(one_scaled, matrix),
            "matrix_scaled": change(x, 3 * matrix),
            "matrix_shifted": change(x, matrix + row),
            "row_scaled": change(x, one_row),
            "inputs_shifted": change(x + image, matrix),
        }


def holds(measurements: Sequence[Measurement]) -> Finding:
    worst = {name: max(column(measurements, name)) for name in INVARIANT}
    least = {name: min(column(measurements, name)) for name in VARIANT}
    still = all(value <= STILL for value in worst.values())
    moved = all(value > MOVED for value in least.values())
    return Finding(
        verdict=Verdict.HOLDS if still and moved else Verdict.REFUTED,
        because=Text(
            "Largest change at any seed, "
            + "; ".join(f"{CHANGES[n].en}: {said(v)}" for n, v in worst.items())
            + ". Largest change at the seed where it is least, "
            + "; ".join(f"{CHANGES[n].en}: {said(v)}" for n, v in least.items())
            + ".",
            "全シードを通じた変化の最大値："
            + "、".join(f"{CHANGES[n].ja} で {said(v)}" for n, v in worst.items())
            + "。変化が最も小さいシードでの最大値："
            + "、".join(f"{CHANGES[n].ja} で {said(v)}" for n, v in least.items())
            + "。",
        ),
        estimates=(
            *(
                Estimate(
                    name=Text(f"change, {CHANGES[n].en}", f"変化、{CHANGES[n].ja}"),
                    value=v,
                    low=v,
                    high=v,
                    seeds=len(measurements),
                    largest=True,
                )
                for n, v in worst.items()
            ),
            *(
                certain(
                    Text(
                        f"change, {CHANGES[n].en}, the least of all seeds",
                        f"変化、{CHANGES[n].ja}、シード中の最小",
                    ),
                    v,
                )
                for n, v in least.items()
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """How far each change moves the normalized values."""
    from shinso.claims.drawing import dots

    axes = figure.subplots()
    dots(
        axes,
        list(CHANGES.values()),
        [[max(v, 1e-17) for v in column(measurements, name)] for name in CHANGES],
        [[max(v, 1e-17) for v in column(controls, name)] for name in CHANGES],
        ylabel=Text("largest change", "変化の最大値"),
    )
    axes.set_yscale("log")
    axes.tick_params(axis="x", labelsize=7)
