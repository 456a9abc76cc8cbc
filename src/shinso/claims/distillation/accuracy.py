"""A small network that a large one teaches is more accurate than the same network alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, number, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

PLACE = Text("Day 4, lighter models: distillation", "4 日目 モデルの軽量化：蒸留")
SAYS = Text(
    "A student that learns from a large teacher's answers is more accurate than the same small "
    "network that learns from the labels alone.",
    "大きな教師モデルの出力から学ぶ生徒モデルは、同じ小さなネットワークをラベルだけで学習させるより精度が高い。",
)
TRUTH = Text(
    "The teacher has seen the labels of 1,297 images and the student those of 150, so that the gain can "
    "come from labels that only the teacher has seen as well as from what probabilities say beyond a "
    "label. A teacher of the same size that learns the student's 150 images alone stands beside: what "
    "its student gains needs no further label, and here that is less than half of the gain.",
    "教師は 1,297 枚のラベルを見ているが、生徒が見るラベルは 150 枚分だけである。そのため精度の向上は、確率がラベル"
    "以上のことを伝えるからとも、教師だけが見たラベルによるとも考えられる。そこで、生徒と同じ 150 枚だけで学習した同じ"
    "大きさの教師も併記する。その教師による向上は追加のラベルによらない分であり、ここでは全体の向上の半分に満たない。",
)
METHOD = Text(
    "The teacher, 2 × 256 units with dropout, learns 1,297 real digits (8×8) with their labels. The "
    "student, 2 × 16 units, learns 150 of these: from their labels alone, or from 0.9 of the teacher's "
    "answers at temperature 4 and 0.1 of the labels. Same first weights, same batches, same number of "
    "steps; accuracy on 500 others. Beside, and not part of the verdict: a student whose teacher learnt "
    "the same 150 alone.",
    "教師 (256 ユニット × 2 層、ドロップアウト) は実在の数字画像 (8×8) 1,297 枚で学習する。生徒 (16 ユニット × 2 層) は"
    "そのうち 150 枚だけで学ぶ。一方はラベルのみ、他方は教師の出力 (温度 4) を 0.9、ラベルを 0.1 の重みで用いる。"
    "初期値・バッチ・ステップ数は同じで、残り 500 枚での正解率を比べる。生徒と同じ 150 枚だけで学習した教師による"
    "生徒も併記し、判定には使わない。",
)
CONTROL = Text(
    "The teacher knows nothing: its weights are as they were drawn, before any training.",
    "教師が何も知らない場合 (学習前の初期値のまま)。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference taught − alone over seeds lies above 0; does not "
    "hold if it lies below 0; otherwise undecided.",
    "シードを通じた正解率の差 (蒸留 − 単独) の 95 % 区間が 0 より上なら成り立つ。0 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 40.0, "full": 500.0}

STEPS = {"quick": 400, "full": 1500}
TEACHER, STUDENT, LABELLED = 256, 16, 150
TEMPERATURE, WEIGHT = 4.0, 0.9


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import torch

    from shinso.claims.compression_training import Digits, dense, learn
    from shinso.claims.sequence_training import seeded

    steps = STEPS[profile]
    with seeded(seed) as generator:
        whole = Digits(generator)
        teacher = dense(TEACHER, dropout=0.3)
        if not control:
            learn(teacher, whole, steps=steps)
        teacher.eval()
        found = {"accuracy_teacher": whole.accuracy(teacher)}
        few = whole.learnt[0][:LABELLED], whole.learnt[1][:LABELLED]
        losses = {"alone": None, "taught": _loss(teacher)}
        if not control:  # an untrained teacher has seen no images, many or few
            torch.manual_seed(seed + 2000)
            whole.learnt, whole.generator = few, torch.Generator().manual_seed(seed)
            same = dense(TEACHER, dropout=0.3)
            learn(same, whole, steps=steps)
            found["accuracy_teacher_few"] = whole.accuracy(same)
            losses["taught_few"] = _loss(same.eval())
        for name, loss in losses.items():
            torch.manual_seed(seed + 1000)
            whole.learnt, whole.generator = few, torch.Generator().manual_seed(seed)
            student = dense(STUDENT)
            learn(student, whole, steps=steps, lr=5e-3, loss=loss)
            found[f"accuracy_{name}"] = whole.accuracy(student)
    return found


def _loss(teacher: nn.Module) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    import torch
    from torch.nn import functional as F

    from shinso.objectives.distillation import distance

    def loss(images: Tensor, scores: Tensor, digits: Tensor) -> Tensor:
        with torch.no_grad():
            told = teacher(images)
        taught = distance(scores, told, "logits", TEMPERATURE)
        return WEIGHT * taught + (1 - WEIGHT) * F.cross_entropy(scores, digits)

    return loss


NAMES = {
    "alone": Text("student alone", "生徒、単独"),
    "taught": Text("student taught", "生徒、蒸留"),
    "teacher": Text("teacher", "教師"),
    "taught_few": Text("taught by the\nteacher of 150", "生徒、150 枚の\n教師から蒸留"),
    "teacher_few": Text("teacher of\n150 images", "教師、\n150 枚で学習"),
}
"""The arms in the order of the figure; the last two are not measured in the control."""


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    there = [name for name in NAMES if all(f"accuracy_{name}" in one for one in measurements)]
    accuracy = {name: column(measurements, f"accuracy_{name}") for name in there}
    gain = intervals.paired_difference(accuracy["taught"], accuracy["alone"])
    if gain.low > 0:
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {name: share(values) for name, values in accuracy.items()}
    because = Text(
        f"Alone the student is right in {shares['alone'].value:.1%}, taught in "
        f"{shares['taught'].value:.1%}: {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}); the "
        f"teacher in {shares['teacher'].value:.1%}.",
        f"生徒の正解率は単独で {shares['alone'].value:.1%}、蒸留で {shares['taught'].value:.1%} "
        f"(差 {gain.value:+.3f}、{gain.low:+.3f}〜{gain.high:+.3f})、教師は {shares['teacher'].value:.1%} "
        "である。",
    )
    estimates = [
        *(
            intervals.estimate(_accuracy_of(NAMES[name]), one, seeds=seeds)
            for name, one in shares.items()
        ),
        intervals.estimate(
            Text("taught minus alone (share)", "差、蒸留 − 単独 (割合)"), gain, seeds=seeds
        ),
    ]
    if "taught_few" in accuracy:
        few = intervals.paired_difference(accuracy["taught_few"], accuracy["alone"])
        because = Text(
            f"{because.en} Taught by a teacher of the same 150 images it gains {few.value:+.3f} "
            f"({few.low:+.3f} to {few.high:+.3f}).",
            f"{because.ja}同じ 150 枚だけで学習した教師から蒸留すると、単独との差は {few.value:+.3f} "
            f"({few.low:+.3f}〜{few.high:+.3f}) である。",
        )
        name = Text(
            "taught by the teacher of 150 minus alone (share)",
            "差、150 枚の教師からの蒸留 − 単独 (割合)",
        )
        estimates.append(intervals.estimate(name, few, seeds=seeds))
    return Finding(verdict=verdict, because=because, estimates=tuple(estimates))


def _accuracy_of(arm: Text) -> Text:
    en, ja = arm.en.replace("\n", " "), arm.ja.replace("\n", "")
    return Text(f"accuracy, {en} (share)", f"正解率、{ja} (割合)")


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of teachers and students at every seed."""
    from shinso.claims.drawing import dots

    def columns(side: Sequence[Measurement]) -> list[list[float]]:
        keys = [f"accuracy_{name}" for name in NAMES]
        return [[number(one, key) for one in side if key in one] for key in keys]

    dots(
        figure.subplots(),
        list(NAMES.values()),
        columns(measurements),
        columns(controls),
        ylabel=Text("accuracy on unseen digits (share)", "未知の数字での正解率 (割合)"),
    )
