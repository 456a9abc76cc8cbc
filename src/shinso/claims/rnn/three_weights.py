"""An RNN has three weights, of which one leads along time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Estimate, Finding, Measurement, Profile, Verdict
from shinso.claims.measured import certain, column, table
from shinso.language import Text

if TYPE_CHECKING:
    import numpy as np
    import torch
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 3, recurrent networks: the weights of an RNN", "3 日目 再帰型ネットワーク：RNN の重み"
)
SAYS = Text(
    "An RNN has three weights: from the input to the hidden layer, from the hidden layer to the "
    "output, and from the hidden layer to the hidden layer of the next step. The last carries "
    "the past along time.",
    "RNN の重みは三つある。入力から中間層への重み、中間層から出力への重み、そして中間層から次の時刻の"
    "中間層への重みである。時間方向に過去を運ぶのは最後の重みである。",
)
TRUTH = None
METHOD = Text(
    "In a random RNN with a readout, weight matrices that receive a gradient are counted, and the "
    "size of ∂y_t/∂x_s is taken for all pairs of steps: of the past (s < t), of the same step and "
    "of the future (s > t). Then each weight is set to zero in turn and the sizes are taken again.",
    "乱数の RNN と読み出し層について、勾配を受け取る重み行列を数える。また、すべての時刻の組で ∂y_t/∂x_s "
    "の大きさを求め、過去 (s < t)、同時刻、未来 (s > t) に分ける。次に重みを一つずつ 0 にして測り直す。",
)
CONTROL = Text(
    "The recurrent weight is taken out: the same network without it, applied to every step alone.",
    "再帰の重みを取り除く。それ以外は同じネットワークを、各時刻に独立に適用する。",
)
RULE = Text(
    "Holds if at every seed exactly three weight matrices receive a gradient; the past counts "
    "(more than 1e-6 of the same step) and the future does not (0); without the recurrent weight "
    "the past counts 0 and the same step still counts; without either other weight nothing "
    "counts. Otherwise it does not hold; undecided if a number is not finite.",
    "すべてのシードで次を満たせば成り立つ。勾配を受け取る重み行列がちょうど三つである。過去の影響があり"
    "(同時刻の 1e-6 倍より大)、未来の影響がない (0)。再帰の重みを 0 にすると過去の影響だけが 0 になり、"
    "ほかの重みのどちらかを 0 にするとすべての影響が 0 になる。満たさなければ成り立たない。"
    "有限でない数があれば判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 2.0, "full": 4.0}

INPUT, HIDDEN, OUTPUT, STEPS = 3, 6, 2, 6
EXTENT = (0.5, STEPS + 0.5, STEPS + 0.5, 0.5)
WEIGHTS = {"W_in": "layer.weight_ih_l0", "W": "layer.weight_hh_l0", "W_out": "readout.weight"}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _network(recurrent=not control)
        x = torch.randn(1, STEPS, INPUT, dtype=torch.float64)
    model(x).square().sum().backward()
    moving = [p for p in model.parameters() if p.ndim == 2 and p.grad is not None and p.grad.any()]
    influence = _influence(model, x)
    past, now, future = _parts(influence)
    measured = {
        "matrices_with_gradient": float(len(moving)),
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "influence_of_past": past,
        "influence_of_now": now,
        "influence_of_future": future,
        "influence_by_step": influence.tolist(),
    }
    for name, path in WEIGHTS.items():
        without = _influence(_silenced(model, path), x)
        measured[f"past_without_{name}"], measured[f"now_without_{name}"], _ = _parts(without)
    return measured


def _network(*, recurrent: bool) -> torch.nn.Module:
    """Layer, readout and tanh; without recurrence the layer is a matrix and a tanh."""
    import torch

    from shinso.nn import RNN

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = (
                RNN(INPUT, HIDDEN, batch_first=True, dtype=torch.float64)
                if recurrent
                else torch.nn.Linear(INPUT, HIDDEN, dtype=torch.float64)
            )
            self.readout = torch.nn.Linear(HIDDEN, OUTPUT, dtype=torch.float64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            states = self.layer(x)[0] if recurrent else torch.tanh(self.layer(x))
            return torch.tanh(self.readout(states))

    return Network()


def _silenced(model: torch.nn.Module, path: str) -> torch.nn.Module:
    """A copy with the weight at ``path`` set to zero; unchanged where it has no such weight."""
    import copy

    import torch

    changed = copy.deepcopy(model)
    plain = {"layer.weight_ih_l0": "layer.weight"}
    named = dict(changed.named_parameters())
    weight = named.get(path, named.get(plain.get(path, "")))
    if weight is not None:
        with torch.no_grad():
            weight.zero_()
    return changed


def _influence(model: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    """Norm of ∂y_t/∂x_s, rows t, columns s."""
    import torch

    jacobian = torch.autograd.functional.jacobian(lambda v: model(v)[0], x)[:, :, 0]  # type: ignore[index]
    return jacobian.pow(2).sum(dim=(1, 3)).sqrt().numpy()


def _parts(influence: np.ndarray) -> tuple[float, float, float]:
    """Mean influence of earlier steps, of the same step and of later steps."""
    import numpy as np

    rows, columns = np.indices(influence.shape)
    return (
        float(influence[columns < rows].mean()),
        float(influence[columns == rows].mean()),
        float(influence[columns > rows].mean()),
    )


def holds(measurements: Sequence[Measurement]) -> Finding:
    names = ("influence_of_past", "influence_of_now", "influence_of_future")
    past, now, future = (column(measurements, name) for name in names)
    matrices = column(measurements, "matrices_with_gradient")
    past_without = {name: column(measurements, f"past_without_{name}") for name in WEIGHTS}
    now_without = {name: column(measurements, f"now_without_{name}") for name in WEIGHTS}
    true_of_all = (
        all(count == 3 for count in matrices)
        and all(p > 1e-6 * n > 0 for p, n in zip(past, now, strict=True))
        and not any(future)
        and not any(past_without["W"])
        and all(n > 0 for n in now_without["W"])
        and not any(
            value for name in ("W_in", "W_out") for value in past_without[name] + now_without[name]
        )
    )
    every = [*past, *now, *future, *matrices, *past_without["W"], *now_without["W"]]
    if not all(map(math.isfinite, every)):
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.HOLDS if true_of_all else Verdict.REFUTED
    count, least, left = int(matrices[0]), min(past), max(past_without["W"])
    reach, seeds = intervals.mean(past), len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"{count} weight matrices receive a gradient; earlier inputs move the output by at least "
            f"{least:.2g}, later ones by {max(future):.2g}; without the recurrent weight earlier ones "
            f"move it by {left:.2g}.",
            f"勾配を受け取る重み行列は {count} 個である。過去の入力が出力を動かす大きさは {least:.2g} 以上、"
            f"未来の入力では {max(future):.2g}、再帰の重みを 0 にしたときの過去の入力では {left:.2g} である。",
        ),
        estimates=(
            certain(
                Text(
                    "weight matrices that receive a gradient (count)",
                    "勾配を受け取る重み行列の数 (個)",
                ),
                count,
            ),
            intervals.estimate(
                Text(
                    "influence of earlier inputs (norm of the Jacobian)",
                    "過去の入力の影響 (ヤコビ行列のノルム)",
                ),
                intervals.Interval(reach.value, max(reach.low, 0.0), reach.high),
                seeds=seeds,
            ),
            _largest(
                Text(
                    "influence of later inputs (norm of the Jacobian)",
                    "未来の入力の影響 (ヤコビ行列のノルム)",
                ),
                future,
            ),
            _largest(
                Text(
                    "influence of earlier inputs without the recurrent weight "
                    "(norm of the Jacobian)",
                    "再帰の重みを 0 にしたときの過去の入力の影響 (ヤコビ行列のノルム)",
                ),
                past_without["W"],
            ),
        ),
    )


def _largest(name: Text, values: Sequence[float]) -> Estimate:
    """The largest value of all seeds, of which the rule says that it is 0."""
    most = max(values)
    return Estimate(name=name, value=most, low=most, high=most, seeds=len(values), largest=True)


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Maps of ∂y_t/∂x_s of the first seed: a filled triangle with W, a diagonal without."""
    import numpy as np

    from shinso.claims.drawing import SIDES, spoken

    sides = [side for side in (measurements, controls) if side]
    panels = figure.subplots(1, len(sides), squeeze=False)[0]
    most = max(float(np.max(table(side[0], "influence_by_step"))) for side in sides)
    for axes, side, (_, label) in zip(panels, sides, SIDES, strict=False):
        shown = np.array(table(side[0], "influence_by_step"))
        image = axes.imshow(shown, vmin=0, vmax=most, extent=EXTENT)
        axes.grid(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.8)
        bar.set_label(spoken(Text("size of ∂y_t/∂x_s", "∂y_t/∂x_s の大きさ")))
        axes.set_title(spoken(label))
        axes.set_xlabel(spoken(Text("step s of the input", "入力の時刻 s (ステップ)")))
        axes.set_ylabel(spoken(Text("step t of the output", "出力の時刻 t (ステップ)")))
