"""Learning the hardest background finds objects better than learning as much of it at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import beyond, column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text(
    "Day 4, object detection: hard negative mining", "4 日目 物体検出：ハードネガティブマイニング"
)
SAYS = Text(
    "Almost all default boxes are background. Learning the three hardest of them for each matched one "
    "finds objects better than learning three drawn at random.",
    "デフォルトボックスのほとんどは背景である。一致した 1 個につき、最も難しい背景 3 個を学習すると、"
    "無作為に選んだ 3 個を学習するより物体をよく検出できる。",
)
TRUTH = None
METHOD = Text(
    "Two equal SSDs look for handwritten 0 and 1 (installed with scikit-learn) among 2, 4, 5 and 7 on "
    "48×48 canvases, for equally many steps; one learns the hardest background, the other random "
    "background, 3:1 both. AP at IoU 0.5 on canvases with unseen handwriting.",
    "48×48 のキャンバスに散らした手書き数字 (scikit-learn に付属) から、2、4、5、7 に混じる 0 と 1 を"
    "探す。同じ SSD を 2 つ、同じステップ数だけ学習させ、一方は最も難しい背景、他方は無作為な背景を"
    "どちらも 3:1 で学習する。未知の筆跡のキャンバスで IoU 0.5 の AP を比べる。",
)
CONTROL = Text(
    "Neither chooses by difficulty: both draw their background at random.",
    "どちらも難しさで選ばない。両方とも背景を無作為に選ぶ。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in AP, hardest − random, lies above 0; does not hold "
    "if it lies below; otherwise undecided.",
    "AP の差 (最も難しい背景 − 無作為) の 95 % 区間が 0 より上なら成り立つ。下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 200.0}

SOUGHT, BESIDE = (0, 1), (2, 4, 5, 7)
MOST = 5
LEARNT, KEPT = 80, 64
STEPS = {"quick": 45, "full": 200}
NAMES = {"hardest": Text("hardest", "最も難しい背景"), "random": Text("random", "無作為な背景")}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np
    import torch

    from shinso.claims.detection_training import as_answers, map_50, scenes, small_ssd, taught
    from shinso.claims.sequence_training import seeded
    from shinso.objectives.detection import SSDObjective

    rng = np.random.default_rng([seed, 1])
    learnt = scenes(rng, LEARNT, sought=SOUGHT, beside=BESIDE, most=MOST)
    kept = scenes(rng, KEPT, sought=SOUGHT, beside=BESIDE, most=MOST, unseen=True)
    found = {}
    with seeded(seed):
        for name in ("hard", "random"):
            torch.manual_seed(seed)
            model = small_ssd(len(SOUGHT))
            # Only now: both begin alike, and what is drawn in training differs.
            torch.manual_seed(seed + 1000 * (name == "hard"))
            objective = SSDObjective(negatives="random" if control or name == "random" else "hard")
            taught(model, objective, learnt, np.random.default_rng(seed), steps=STEPS[profile])
            found[f"ap_{name}"] = map_50(as_answers(model.detect(kept.images)), kept, len(SOUGHT))
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    hard, random = (column(measurements, f"ap_{name}") for name in ("hard", "random"))
    gain = intervals.paired_difference(hard, random)
    shares = {"hardest": share(hard), "random": share(random)}
    return Finding(
        verdict=beyond(gain, 0),
        because=Text(
            f"AP {shares['hardest'].value:.3f} with the hardest background, "
            f"{shares['random'].value:.3f} with random; difference {gain.value:+.3f} "
            f"({gain.low:+.3f} to {gain.high:+.3f}).",
            f"AP は最も難しい背景で {shares['hardest'].value:.3f}、無作為で "
            f"{shares['random'].value:.3f}、差 {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"AP, {name} background (share)", f"AP、{NAMES[name].ja} (割合)"),
                    one,
                    seeds=len(measurements),
                )
                for name, one in shares.items()
            ),
            intervals.estimate(
                Text("hardest minus random (share)", "差、最も難しい背景 − 無作為な背景 (割合)"),
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

    names = ["ap_hard", "ap_random"]
    dots(
        figure.subplots(),
        list(NAMES.values()),
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("AP at IoU 0.5 (share)", "IoU 0.5 の AP (割合)"),
    )
