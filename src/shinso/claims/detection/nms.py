"""Non-maximum suppression takes away second answers to one object, and AP rises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import beyond, column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.objectives.detection_scores import Answers, Truths

PLACE = Text("Day 4, object detection: suppression", "4 日目 物体検出：非最大値抑制")
SAYS = Text(
    "Several default boxes answer to one object. Non-maximum suppression keeps the surest answer of "
    "each, and precision at the same recall rises.",
    "1 つの物体に複数のデフォルトボックスが答える。非最大値抑制 (NMS) は物体ごとに最も確かな答えだけを"
    "残し、同じ再現率での適合率が上がる。",
)
TRUTH = None
METHOD = Text(
    "An SSD learns handwritten digits (installed with scikit-learn) on 48×48 canvases. The AP at IoU "
    "0.5 of its answers on unseen handwriting, with suppression at IoU 0.45 and without.",
    "48×48 のキャンバスに散らした手書き数字 (scikit-learn に付属) を SSD に学習させる。未知の筆跡での"
    "答えについて、IoU 0.45 の抑制がある場合とない場合で IoU 0.5 の AP を比べる。",
)
CONTROL = Text(
    "Second answers are gone before: of all answers to one true object only the surest is kept. "
    "Answers where no object is stay, so that only the named cause is removed.",
    "重複した答えをあらかじめ除く。正解の物体ごとに最も確かな答えだけを残す。物体のない場所の答えは"
    "残すので、名指しした原因だけがなくなる。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in AP, with − without suppression, lies above 0.05; "
    "does not hold if it lies below; otherwise undecided.",
    "AP の差 (抑制あり − なし) の 95 % 区間が 0.05 より上なら成り立つ。下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 12.0, "full": 150.0}

SOUGHT = (0, 1, 4)
LEARNT, KEPT = 100, 80
STEPS = {"quick": 60, "full": 200}
OVERLAP, EVERY = 0.45, 400
MARGIN = 0.05
NAMES = {
    "with suppression": Text("with suppression", "抑制あり"),
    "without": Text("without", "抑制なし"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.detection_training import as_answers, map_50, scenes, small_ssd, taught
    from shinso.claims.sequence_training import seeded
    from shinso.objectives.detection import SSDObjective

    rng = np.random.default_rng([seed, 3])
    learnt = scenes(rng, LEARNT, sought=SOUGHT)
    kept = scenes(rng, KEPT, sought=SOUGHT, unseen=True)
    with seeded(seed):
        model = small_ssd(len(SOUGHT))
        taught(model, SSDObjective(), learnt, np.random.default_rng(seed), steps=STEPS[profile])
        raw = as_answers(model.detect(kept.images, iou_threshold=1.0, most=EVERY))
    if control:
        raw = [_once(*one) for one in zip(raw, kept.truths(), strict=True)]
    return {
        "ap_with": map_50([_suppressed(one) for one in raw], kept, len(SOUGHT)),
        "ap_without": map_50(raw, kept, len(SOUGHT)),
        "answers_an_image": float(np.mean([len(one.scores) for one in raw])),
    }


def _suppressed(answers: Answers) -> Answers:
    import torch

    from shinso.nn.boxes import non_maximum_suppression
    from shinso.objectives.detection_scores import Answers

    boxes, scores, classes = (
        torch.from_numpy(one) for one in (answers.boxes_xyxy_px, answers.scores, answers.classes)
    )
    kept = non_maximum_suppression(boxes, scores, classes, iou_threshold=OVERLAP).numpy()
    return Answers(answers.boxes_xyxy_px[kept], answers.scores[kept], answers.classes[kept])


def _once(answers: Answers, truths: Truths) -> Answers:
    """Without second answers of one class to one true object, which they overlap by half or more."""
    import numpy as np

    from shinso.nn.kernels.overlap_numba import coco_overlaps
    from shinso.objectives.detection_scores import Answers

    count = len(truths.classes)
    nobody = np.zeros(count, dtype=bool)
    overlaps = coco_overlaps(answers.boxes_xyxy_px, truths.boxes_xyxy_px, nobody)
    seen: set[tuple[int, int]] = set()
    kept = []
    for place in np.argsort(-answers.scores, kind="stable"):
        best = int(overlaps[place].argmax()) if count else -1
        key = (best, int(answers.classes[place]))
        if best >= 0 and overlaps[place, best] >= 0.5:
            if key in seen:
                continue
            seen.add(key)
        kept.append(place)
    return Answers(answers.boxes_xyxy_px[kept], answers.scores[kept], answers.classes[kept])


def holds(measurements: Sequence[Measurement]) -> Finding:
    suppressed, raw = (column(measurements, f"ap_{name}") for name in ("with", "without"))
    gain = intervals.paired_difference(suppressed, raw)
    shares = {"with suppression": share(suppressed), "without": share(raw)}
    return Finding(
        verdict=beyond(gain, MARGIN),
        because=Text(
            f"AP {shares['with suppression'].value:.3f} with suppression, "
            f"{shares['without'].value:.3f} without; difference {gain.value:+.3f} "
            f"({gain.low:+.3f} to {gain.high:+.3f}).",
            f"AP は抑制ありで {shares['with suppression'].value:.3f}、なしで "
            f"{shares['without'].value:.3f}、差 {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"AP, {name} (share)", f"AP、{NAMES[name].ja} (割合)"),
                    own,
                    seeds=len(measurements),
                )
                for name, own in shares.items()
            ),
            intervals.estimate(
                Text("with minus without (share)", "差、抑制あり − なし (割合)"),
                gain,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """AP of both at every seed."""
    from shinso.claims.drawing import dots

    names = ["ap_with", "ap_without"]
    dots(
        figure.subplots(),
        list(NAMES.values()),
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("AP at IoU 0.5 (share)", "IoU 0.5 の AP (割合)"),
    )
