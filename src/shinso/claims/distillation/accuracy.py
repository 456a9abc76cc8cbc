"""A small network that a large one teaches is more accurate than the same network alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, lighter models: distillation", "4 日目 モデルの軽量化:蒸留")
SAYS = Text(
    "A student that learns from a large teacher's answers is more accurate than the same small "
    "network that learns from the labels alone.",
    "大きな教師モデルの出力から学ぶ生徒モデルは、同じ小さなネットワークをラベルだけで学習させるより精度が高い。",
)
TRUTH = None
METHOD = Text(
    "150 real digits (8×8) are labelled, and the teacher, 2 × 256 units with dropout, saw 1,297 of "
    "them with labels. The student, 2 × 16 units, learns from the 150: from their labels alone, or "
    "from 0.9 of the teacher's answers at temperature 4 and 0.1 of the labels. Same first weights, "
    "same batches, same number of steps; accuracy on 500 others.",
    "教師(256 ユニット × 2 層、ドロップアウト)は実在の数字画像(8×8)1,297 枚で学習する。生徒(16 ユニット × 2 層)は"
    "そのうち 150 枚だけで学ぶ。一方はラベルのみ、他方は教師の出力(温度 4)を 0.9、ラベルを 0.1 の重みで用いる。"
    "初期値・バッチ・ステップ数は同じで、残り 500 枚での正解率を比べる。",
)
CONTROL = Text(
    "The teacher knows nothing: its weights are as they were drawn, before any training.",
    "教師が何も知らない場合(学習前の初期値のまま)。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference taught − alone over seeds lies above 0; does not "
    "hold if it lies below 0; otherwise undecided.",
    "シードを通じた正解率の差(蒸留 − 単独)の 95 % 区間が 0 より上なら成り立つ。0 より下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 5, "full": 20}
BUDGET_S = {"quick": 40.0, "full": 300.0}

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
        for name in ("alone", "taught"):
            torch.manual_seed(seed + 1000)
            whole.learnt, whole.generator = few, torch.Generator().manual_seed(seed)
            student = dense(STUDENT)
            taught = _loss(teacher) if name == "taught" else None
            learn(student, whole, steps=steps, lr=5e-3, loss=taught)
            found[f"accuracy_{name}"] = whole.accuracy(student)
    return found


def _loss(teacher):
    import torch
    from torch.nn import functional as F

    from shinso.objectives.distillation import distance

    def loss(images: torch.Tensor, scores: torch.Tensor, digits: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            told = teacher(images)
        taught = distance(scores, told, "logits", TEMPERATURE)
        return WEIGHT * taught + (1 - WEIGHT) * F.cross_entropy(scores, digits)

    return loss


def holds(measurements: Sequence[Measurement]) -> Finding:
    seeds = len(measurements)
    accuracy = {n: column(measurements, f"accuracy_{n}") for n in ("teacher", "alone", "taught")}
    gain = intervals.paired_difference(accuracy["taught"], accuracy["alone"])
    if gain.low > 0:
        verdict = Verdict.HOLDS
    elif gain.high < 0:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {name: share(values) for name, values in accuracy.items()}
    return Finding(
        verdict=verdict,
        because=Text(
            f"Alone the student is right in {shares['alone'].value:.1%}, taught in "
            f"{shares['taught'].value:.1%}: {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}); the "
            f"teacher in {shares['teacher'].value:.1%}.",
            f"生徒の正解率は単独で {shares['alone'].value:.1%}、蒸留で {shares['taught'].value:.1%} "
            f"(差 {gain.value:+.3f}、{gain.low:+.3f}〜{gain.high:+.3f})、教師は {shares['teacher'].value:.1%} "
            "である。",
        ),
        estimates=(
            *(
                intervals.estimate(f"accuracy, {name} (share)", one, seeds=seeds)
                for name, one in shares.items()
            ),
            intervals.estimate("taught minus alone (share)", gain, seeds=seeds),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """Accuracy of teacher and student at every seed."""
    from shinso.claims.drawing import dots

    names = {
        "alone": Text("student alone", "生徒 (単独)"),
        "taught": Text("student taught", "生徒 (蒸留)"),
        "teacher": Text("teacher", "教師"),
    }
    dots(
        figure.subplots(),
        list(names.values()),
        [column(measurements, f"accuracy_{name}") for name in names],
        [column(controls, f"accuracy_{name}") for name in names],
        ylabel=Text("accuracy on unseen digits (share)", "未知の数字での正解率"),
    )
