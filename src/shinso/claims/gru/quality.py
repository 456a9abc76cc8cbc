"""A GRU is as accurate as an LSTM, at equal width and at equal parameters."""

# scikit-learn returns a Bunch, which its annotations do not say.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PLACE = Text("Day 3, GRU: accuracy", "3 日目 GRU：精度")
SAYS = Text(
    "With fewer parameters a GRU is expected to be as accurate as an LSTM, or more.",
    "GRU は少ないパラメータで、LSTM と同等またはそれ以上の精度が期待できる。",
)
TRUTH = None
METHOD = Text(
    "Real handwritten digits (8×8, 1,797 images, installed with scikit-learn) are read one pixel at a "
    "time, 64 steps, and classified at the end. An LSTM of 24 units, a GRU of 24 and one of 28 units, "
    "which has about as many parameters, learn on 1,297 images; accuracy on the other 500.",
    "実在の手書き数字 (8×8、1,797 枚、scikit-learn に付属) を 1 画素ずつ 64 ステップで読み、最後に分類する。"
    "24 ユニットの LSTM、24 ユニットの GRU、パラメータ数を LSTM に合わせた 28 ユニットの GRU を 1,297 枚で学習"
    "させ、残りの 500 枚での正解率を比べる。",
)
CONTROL = Text(
    "The GRU's update gate is held so that the state is written anew at each step: no memory of its own.",
    "GRU の更新ゲートを、状態が毎時刻書き換わるように固定する。GRU 固有の記憶がなくなる。",
)
RULE = Text(
    "As accurate means at most 0.03 below. Holds if the 95 % interval of the difference GRU − LSTM lies "
    "above −0.03 at equal width and at equal parameters; holds under a condition if at one of them only; "
    "does not hold if it lies below −0.03 at both; otherwise undecided.",
    "「同等」とは差が 0.03 以内を指す。正解率の差 (GRU − LSTM) の 95 % 区間が、同じ幅でも同じパラメータ数でも "
    "−0.03 より上なら成り立つ。片方だけなら条件つきで成り立つ。どちらも −0.03 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 60.0, "full": 500.0}

WIDTH, EQUAL_PARAMETERS, CLASSES, PIXELS = 24, 28, 10, 64
LEARNT_FROM, BATCH, LR, SHUT = 1297, 32, 2e-2, -20.0
STEPS = {"quick": 1000, "full": 2500}
MARGIN = -0.03
NETWORKS = {
    "lstm": Text("LSTM", "LSTM"),
    "gru_width": Text("GRU, equal width", "GRU (同じ幅)"),
    "gru_parameters": Text("GRU, equal parameters", "GRU (同じパラメータ数)"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    return {
        f"accuracy_{name}": _accuracy(seed, name, forgetful=control, steps=STEPS[profile])
        for name in NETWORKS
    }


def _accuracy(seed: int, name: str, *, forgetful: bool, steps: int) -> float:
    """Share of the images kept from learning that are named rightly."""
    import torch
    from torch.nn import functional as F

    from shinso.claims.sequence_training import Reader, answers, learn, seeded
    from shinso.nn import GRU, LSTM

    with seeded(seed) as generator:
        images, digits = _digits()
        order = torch.randperm(len(images), generator=generator)
        learnt, kept = order[:LEARNT_FROM], order[LEARNT_FROM:]

        def draw_images() -> tuple[torch.Tensor, torch.Tensor]:
            chosen = learnt[torch.randint(len(learnt), (BATCH,), generator=generator)]
            return images[chosen], digits[chosen]

        width = EQUAL_PARAMETERS if name == "gru_parameters" else WIDTH
        layer = (
            LSTM(1, width, batch_first=True) if name == "lstm" else GRU(1, width, batch_first=True)
        )
        if forgetful and isinstance(layer, GRU):
            _hold_update_gate(layer)
        model = Reader(layer, width, CLASSES, last_only=True)
        learn(model, draw_images, F.cross_entropy, steps=steps, lr=LR)
        named = answers(model, images[kept]).argmax(1)
        return float((named == digits[kept]).float().mean())


def _hold_update_gate(layer: torch.nn.Module) -> None:
    """z = σ(−20), about 2e-9: h_t = n_t, nothing of h_{t−1} is kept as it was."""
    from shinso.claims.sequence_training import hold

    width = layer.hidden_size
    update = slice(width, 2 * width)  # type: ignore[operator]
    for name, parameter in layer.named_parameters():
        hold(parameter, update, SHUT if name.startswith("bias_ih") else 0.0)


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Images as series of pixels from 0 to 1, and the digits that they show."""
    import torch
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.tensor(found.data / 16, dtype=torch.float32)
    return images.view(-1, PIXELS, 1), torch.tensor(found.target)


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    accuracy = {name: column(measurements, f"accuracy_{name}") for name in NETWORKS}
    width, parameters = (
        intervals.paired_difference(accuracy[name], accuracy["lstm"])
        for name in ("gru_width", "gru_parameters")
    )
    equal = [found.low > MARGIN for found in (width, parameters)]
    condition = None
    if all(equal):
        verdict = Verdict.HOLDS
    elif any(equal):
        verdict = Verdict.CONDITIONALLY
        condition = (
            Text("at equal width", "同じ幅のとき")
            if equal[0]
            else Text("at equal parameters", "同じパラメータ数のとき")
        )
    elif width.high < MARGIN and parameters.high < MARGIN:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {name: share(values) for name, values in accuracy.items()}
    lstm = shares["lstm"].value
    return Finding(
        verdict=verdict,
        condition=condition,
        because=Text(
            f"The LSTM is right in {lstm:.1%}. The GRU differs by {width.value:+.3f} ({width.low:+.3f} to "
            f"{width.high:+.3f}) at equal width and by {parameters.value:+.3f} ({parameters.low:+.3f} to "
            f"{parameters.high:+.3f}) at equal parameters.",
            f"LSTM の正解率は {lstm:.1%} である。GRU の差 (GRU − LSTM) は、同じ幅で {width.value:+.3f} "
            f"({width.low:+.3f}〜{width.high:+.3f})、同じパラメータ数で {parameters.value:+.3f} "
            f"({parameters.low:+.3f}〜{parameters.high:+.3f}) である。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(
                        f"accuracy, {NETWORKS[name].en} (share)",
                        f"{NETWORKS[name].ja} の正解率 (割合)",
                    ),
                    found,
                    seeds=seeds,
                )
                for name, found in shares.items()
            ),
            intervals.estimate(
                Text("GRU minus LSTM, equal width (share)", "正解率の差 GRU − LSTM、同じ幅 (割合)"),
                width,
                seeds=seeds,
            ),
            intervals.estimate(
                Text(
                    "GRU minus LSTM, equal parameters (share)",
                    "正解率の差 GRU − LSTM、同じパラメータ数 (割合)",
                ),
                parameters,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of the three networks at every seed."""
    from shinso.claims.drawing import dots, legend

    names = [f"accuracy_{name}" for name in NETWORKS]
    axes = figure.subplots()
    dots(
        axes,
        list(NETWORKS.values()),
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("accuracy on unseen images (share)", "未知の画像での正解率"),
    )
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
