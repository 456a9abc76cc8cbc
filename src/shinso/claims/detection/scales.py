"""Default boxes at several scales find objects of widely differing sizes; one scale does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile
from shinso.claims.measured import beyond, column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLACE = Text("Day 4, object detection: several scales", "4 日目 物体検出：複数のスケール")
SAYS = Text(
    "Default boxes of several sizes, fine maps having small and coarse maps large ones, find small "
    "and large objects that boxes of one size miss.",
    "細かいマップには小さな、粗いマップには大きなデフォルトボックスを置くと、1 つの大きさでは見逃す"
    "小さな物体や大きな物体を検出できる。",
)
TRUTH = None
METHOD = Text(
    "Handwritten digits (installed with scikit-learn) between 8 and 28 pixels high on 48×48 canvases. "
    "Two SSDs with the same maps (strides 4, 8, 16) and equally many default boxes learn for equally "
    "many steps: one with a size for each map, from 8 to 28, the other with the middle size on all of "
    "them. AP at IoU 0.5 on unseen handwriting.",
    "48×48 のキャンバスに高さ 8〜28 画素の手書き数字 (scikit-learn に付属) を散らす。同じマップ "
    "(ストライド 4、8、16) と同じ数のデフォルトボックスをもつ SSD を 2 つ、同じステップ数だけ学習させる。"
    "一方はマップごとに 8〜28 の異なる大きさ、他方はすべて中間の大きさのボックスをもつ。未知の筆跡で "
    "IoU 0.5 の AP を比べる。",
)
CONTROL = Text(
    "All digits have the middle size: there is nothing that one scale would miss.",
    "数字をすべて中間の大きさにする。1 つのスケールで見逃すものがない。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in AP, several − one scale, lies above 0.05; does "
    "not hold if it lies below; otherwise undecided.",
    "AP の差 (複数 − 1 つのスケール) の 95 % 区間が 0.05 より上なら成り立つ。下なら成り立たない。"
    "それ以外は判定できない。",
)
SEEDS = {"quick": 3, "full": 10}
BUDGET_S = {"quick": 15.0, "full": 200.0}

SOUGHT = (0, 1, 4)
SMALLEST_PX, LARGEST_PX = 8.0, 28.0
MIDDLE_PX = (SMALLEST_PX * LARGEST_PX) ** 0.5
LEARNT, KEPT = 100, 80
STEPS = {"quick": 50, "full": 200}
MARGIN = 0.05
NAMES = {
    "several scales": Text("several scales", "複数のスケール"),
    "one scale": Text("one scale", "1 つのスケール"),
}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.detection_training import as_answers, map_50, scenes, small_ssd, taught
    from shinso.claims.sequence_training import seeded
    from shinso.objectives.detection import SSDObjective

    rng = np.random.default_rng([seed, 2])
    sizes = (MIDDLE_PX, MIDDLE_PX) if control else (SMALLEST_PX, LARGEST_PX)
    learnt = scenes(rng, LEARNT, sought=SOUGHT, sizes_px=sizes)
    kept = scenes(rng, KEPT, sought=SOUGHT, sizes_px=sizes, unseen=True)
    found = {}
    for name, boxes_px in (("several", (SMALLEST_PX, LARGEST_PX)), ("one", (MIDDLE_PX, MIDDLE_PX))):
        with seeded(seed):
            model = small_ssd(len(SOUGHT), sizes_px=boxes_px)
            taught(model, SSDObjective(), learnt, np.random.default_rng(seed), steps=STEPS[profile])
            found[f"ap_{name}"] = map_50(as_answers(model.detect(kept.images)), kept, len(SOUGHT))
    return found


def holds(measurements: Sequence[Measurement]) -> Finding:
    several, one = (column(measurements, f"ap_{name}") for name in ("several", "one"))
    gain = intervals.paired_difference(several, one)
    shares = {"several scales": share(several), "one scale": share(one)}
    return Finding(
        verdict=beyond(gain, MARGIN),
        because=Text(
            f"AP {shares['several scales'].value:.3f} with several scales, "
            f"{shares['one scale'].value:.3f} with one; difference {gain.value:+.3f} "
            f"({gain.low:+.3f} to {gain.high:+.3f}).",
            f"AP は複数のスケールで {shares['several scales'].value:.3f}、1 つのスケールで "
            f"{shares['one scale'].value:.3f}、差 {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。",
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
                Text("several minus one (share)", "差、複数 − 1 つのスケール (割合)"),
                gain,
                seeds=len(measurements),
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """AP of both at every seed."""
    from shinso.claims.drawing import dots, legend

    names = ["ap_several", "ap_one"]
    axes = figure.subplots()
    dots(
        axes,
        list(NAMES.values()),
        [column(measurements, name) for name in names],
        [column(controls, name) for name in names],
        ylabel=Text("AP at IoU 0.5 (share)", "IoU 0.5 の AP (割合)"),
    )
    legend(axes, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
