"""Two stages are more accurate than one, and slower."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shinso.claims import intervals
from shinso.claims.claim import Finding, Measurement, Profile, Verdict
from shinso.claims.measured import column, share
from shinso.language import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from shinso.models.faster_rcnn import FasterRCNN
    from shinso.models.ssd import SSD

PLACE = Text("Day 4, object detection: one stage or two", "4 日目 物体検出:1 段階と 2 段階")
SAYS = Text(
    "A detector of two stages, which proposes boxes and looks into each, is more accurate than one of "
    "a single stage, and slower.",
    "候補領域を提案してその中を調べる 2 段階の検出器は、1 段階の検出器より正確だが遅い。",
)
TRUTH = None
METHOD = Text(
    "SSD and Faster R-CNN on equal backbones and top-down pyramids learn handwritten digits (installed "
    "with scikit-learn) on 48×48 canvases for equally many steps. AP at IoU 0.5 on unseen handwriting, "
    "and processor time an image in batches of 16.",
    "同じバックボーンとトップダウン型ピラミッドをもつ SSD と Faster R-CNN に、48×48 のキャンバスの手書き"
    "数字 (scikit-learn に付属) を同じステップ数だけ学習させる。未知の筆跡での IoU 0.5 の AP と、バッチ 16 "
    "での画像 1 枚あたりの CPU 時間を比べる。",
)
CONTROL = Text(
    "The second look sees nothing of its own: it is shown the whole image in place of each proposal.",
    "2 段階目に固有の情報を与えない。各候補領域の代わりに画像全体を見せる。",
)
RULE = Text(
    "Holds if the 95 % interval of the difference in AP, two − one stage, lies above 0 and that of the "
    "ratio of seconds above 1; does not hold if either lies below; otherwise undecided. Also undecided "
    "where either has not learnt its own training canvases yet (mean AP on them below 0.9): then the "
    "comparison would be one of how fast they learn.",
    "AP の差 (2 段階 − 1 段階) の 95 % 区間が 0 より上、時間の比の 95 % 区間が 1 より上なら成り立つ。"
    "どちらかが下なら成り立たない。それ以外は判定できない。どちらかが自分の訓練用キャンバスをまだ覚えて"
    "いない (訓練用での平均 AP が 0.9 未満) ときも、学習の速さの比較になってしまうので判定できない。",
)
SEEDS = {"quick": 3, "full": 8}
BUDGET_S = {"quick": 18.0, "full": 300.0}

SOUGHT = (0, 1, 4)
LEARNT, KEPT = 80, 64
STEPS = {"quick": 30, "full": 300}
FITTED = 0.9
TOP_DOWN, PROPOSALS, BINS, HIDDEN = 16, 20, 4, 64
TIMED, ROUNDS = 16, 3
NAMES = {"two stages": Text("two stages", "2 段階"), "one stage": Text("one stage", "1 段階")}


def measure(seed: int, control: bool, profile: Profile) -> Measurement:
    import numpy as np

    from shinso.claims.detection_training import as_answers, map_50, scenes, taught
    from shinso.claims.sequence_training import seeded
    from shinso.objectives.detection import SSDObjective
    from shinso.objectives.two_stage_detection import TwoStageObjective

    rng = np.random.default_rng([seed, 4])
    learnt = scenes(rng, LEARNT, sought=SOUGHT)
    kept = scenes(rng, KEPT, sought=SOUGHT, unseen=True)
    found: dict[str, float] = {}
    for name in ("one", "two"):
        with seeded(seed):
            model = _two_stages(blind=control) if name == "two" else _one_stage()
            objective = TwoStageObjective() if name == "two" else SSDObjective()
            taught(model, objective, learnt, np.random.default_rng(seed), steps=STEPS[profile])
            for part, canvases in (("fit", learnt), ("ap", kept)):
                answers = as_answers(model.detect(canvases.images))
                found[f"{part}_{name}"] = map_50(answers, canvases, len(SOUGHT))
            seconds = _seconds(lambda model=model: model.detect(kept.images[:TIMED]))
            found[f"ms_{name}"] = seconds / TIMED * 1000
    return found


def _seconds(run: Callable[[], object]) -> float:
    """Of the processor, the least of a few rounds: others share it."""
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return min(took)


def _one_stage() -> SSD:
    from shinso.claims.detection_training import SIDE_PX, SIZES_PX, WIDTH
    from shinso.models.ssd import SSD

    config = SSD.Config(backbone="vgg", width=WIDTH, strides=(4, 8, 16), top_down=TOP_DOWN)
    return SSD(
        config, num_channels=1, num_classes=len(SOUGHT), size_px=(SIDE_PX, SIDE_PX),
        object_px=SIZES_PX,
    )  # fmt: skip


def _two_stages(*, blind: bool) -> FasterRCNN:
    import torch

    from shinso.claims.detection_training import SIDE_PX, SIZES_PX, WIDTH
    from shinso.models.faster_rcnn import FasterRCNN

    config = FasterRCNN.Config(
        backbone="vgg", width=WIDTH, strides=(4, 8, 16), top_down=TOP_DOWN,
        proposals=PROPOSALS, bins=BINS, hidden=HIDDEN,
    )  # fmt: skip
    model = FasterRCNN(
        config, num_channels=1, num_classes=len(SOUGHT), size_px=(SIDE_PX, SIDE_PX),
        object_px=SIZES_PX,
    )  # fmt: skip
    if blind:
        look = model.look
        whole = torch.tensor([0.0, 0.0, SIDE_PX, SIDE_PX])
        model.look = lambda maps, boxes_xyxy_px, images: look(
            maps, whole.expand(len(boxes_xyxy_px), 4), images
        )
    return model


def holds(measurements: Sequence[Measurement]) -> Finding:
    two, one = (column(measurements, f"ap_{name}") for name in ("two", "one"))
    gain = intervals.paired_difference(two, one)
    ratio = intervals.mean(
        [
            slow / quick
            for slow, quick in zip(
                column(measurements, "ms_two"), column(measurements, "ms_one"), strict=True
            )
        ]
    )
    fits = {name: share(column(measurements, f"fit_{name}")) for name in ("two", "one")}
    if min(own.value for own in fits.values()) < FITTED:
        verdict = Verdict.UNDECIDED
    elif gain.low > 0 and ratio.low > 1:
        verdict = Verdict.HOLDS
    elif gain.high < 0 or ratio.high < 1:
        verdict = Verdict.REFUTED
    else:
        verdict = Verdict.UNDECIDED
    shares = {"two stages": share(two), "one stage": share(one)}
    seeds = len(measurements)
    return Finding(
        verdict=verdict,
        because=Text(
            f"AP {shares['two stages'].value:.3f} with two stages, {shares['one stage'].value:.3f} "
            f"with one; difference {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}); two take "
            f"{ratio.value:.2f} times as long ({ratio.low:.2f} to {ratio.high:.2f}). On the training "
            f"canvases {fits['two'].value:.3f} and {fits['one'].value:.3f}.",
            f"AP は 2 段階で {shares['two stages'].value:.3f}、1 段階で "
            f"{shares['one stage'].value:.3f}、差 {gain.value:+.3f} ({gain.low:+.3f}〜{gain.high:+.3f})。"
            f"CPU 時間は 2 段階が 1 段階の {ratio.value:.2f} 倍 ({ratio.low:.2f}〜{ratio.high:.2f})。"
            f"訓練用キャンバスでの AP は 2 段階で {fits['two'].value:.3f}、1 段階で {fits['one'].value:.3f}。",
        ),
        estimates=(
            *(
                intervals.estimate(
                    Text(f"AP, {name} (share)", f"AP、{NAMES[name].ja} (割合)"), own, seeds=seeds
                )
                for name, own in shares.items()
            ),
            *(
                intervals.estimate(
                    Text(
                        f"AP on training canvases, {name} (share)",
                        f"訓練用キャンバスでの AP、{NAMES[name].ja} (割合)",
                    ),
                    own,
                    seeds=seeds,
                )
                for name, own in zip(shares, fits.values(), strict=True)
            ),
            intervals.estimate(
                Text("two minus one (share)", "AP の差、2 段階 − 1 段階 (割合)"), gain, seeds=seeds
            ),
            intervals.estimate(
                Text("seconds, two over one (ratio)", "CPU 時間、2 段階 ÷ 1 段階 (比)"),
                ratio,
                seeds=seeds,
            ),
        ),
    )


def draw(
    figure: Figure, measurements: Sequence[Measurement], controls: Sequence[Measurement]
) -> None:
    """AP of both at every seed, and the time of an image."""
    from shinso.claims.drawing import dots

    left, right = figure.subplots(1, 2)
    for axes, part, label in (
        (left, "ap", Text("AP at IoU 0.5 (share)", "IoU 0.5 の AP (割合)")),
        (right, "ms", Text("processor time an image (ms)", "画像 1 枚の CPU 時間 (ms)")),
    ):
        columns = [f"{part}_two", f"{part}_one"]
        dots(
            axes, list(NAMES.values()),
            [column(measurements, name) for name in columns],
            [column(controls, name) for name in columns],
            ylabel=label,
        )  # fmt: skip
        if axes.get_legend():
            axes.get_legend().remove()
    figure.legend(
        *left.get_legend_handles_labels(),
        loc="outside upper left", ncols=2, frameon=False, fontsize=8.5,
    )  # fmt: skip
