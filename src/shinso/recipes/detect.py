"""Detection of objects: boxes with classes.

Place in the course: one-stage detection (SSD) with default boxes at several scales, hard negative
mining and non-maximum suppression, focal loss as the alternative; a two-stage detector beside it.
Reads COCO JSON, VOC XML and YOLO text. The input's size, the sizes of default boxes, classes and
the pixel scale come from the train part.

Measured results, with command, time and hardware: docs/results/detection.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.box_parts import BoxData
    from shinso.recipes.uses.boxes_found import BoxUse

TITLE = Text("Detection of objects", "物体検出")
PLACE = Text("Day 4: object detection", "4 日目: 物体検出")
READS = Text(
    "a folder or an archive (tar, zip) of images with boxes: COCO's JSON, VOC's Annotations and "
    "JPEGImages (its ImageSets are the split), or YOLO's images and labels (train, val, test)",
    "矩形つき画像のフォルダまたは書庫 (tar、zip)。COCO の JSON、VOC の Annotations と JPEGImages "
    "(ImageSets があればその分割に従う)、または YOLO の images と labels (train、val、test)",
)
ABOUT = Text(
    "SSD looks once: every position of several feature maps says for each of its default boxes what "
    "is there and how the box must move. Faster R-CNN looks twice: it proposes boxes, then looks into "
    "each. A detector that answers the commonest boxes of the train part stands in every table. AP is "
    "COCO's and VOC's; precision–recall curves, confusion, the worst cases and frames per second are "
    "shown. Wrong boxes in the data are listed by file and line.",
    "SSD は 1 回だけ見ます。複数の特徴マップの各位置が、デフォルトボックスごとに、何があり、矩形をどう"
    "動かすべきかを答えます。Faster R-CNN は 2 回見ます。まず候補領域を出し、次にその中を見ます。どの表"
    "にも、学習データで最も多い矩形を答える検出器が並びます。AP は COCO と VOC の方式で計算し、適合率・"
    "再現率曲線、混同行列、最も悪い例、毎秒の処理枚数を示します。データの誤った矩形は、ファイル名と行番号"
    "で一覧にします。",
)
SSD = "shinso.models.ssd:SSD"
MODELS = {
    "ssd-resnet": ModelChoice(SSD, {"backbone": "resnet"}),
    "ssd-vgg": ModelChoice(SSD, {"backbone": "vgg"}),
    "ssd-mobilenet-v1": ModelChoice(SSD, {"backbone": "mobilenet-v1"}),
    "ssd-mobilenet-v2": ModelChoice(SSD, {"backbone": "mobilenet-v2"}),
    "faster-rcnn": ModelChoice("shinso.models.faster_rcnn:FasterRCNN"),
}
BRIEF = Brief(
    sample="scattered_digits.tar.xz",
    models=("ssd-resnet",),
    settings={
        "steps": 150, "batch_size": 16, "evaluate_every": 50, "width": 0.25, "strides": "4,8,16",
        "lr": 3e-3, "mirror": False,
    },
)  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    # Blood cells on two cores: docs/results/detection.md.
    "bccd": {
        "model": "ssd-resnet", "faulty": "drop", "image_px": 240, "strides": "4,8,16,32",
        "top_down": 64, "upside_down": True, "zoom_out": 1.5, "smallest_crop": 0.6, "tone": 0.6,
        "steps": 1600, "batch_size": 8, "lr": 1e-3, "warmup": 100, "weight_decay": 0.01,
        "average": 0.995, "evaluate_every": 200, "checkpoint_every": 200,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train detect``."""

    valid: tuple[Path, ...] = setting((), "images to choose the best weights by, where set apart")
    test: tuple[Path, ...] = setting((), "images to test on, where set apart")
    split: str = setting(
        "0.7,0.1,0.2", "shares of train, valid and test, for parts that the data do not tell"
    )
    split_seed: int = setting(0, "which images fall into which part")
    faulty: Literal["fail", "clip", "drop"] = setting(
        "fail", "boxes that cannot be right: fail, cut to the image, or leave out; all are listed"
    )
    counts_from: Literal["0", "1"] = setting(
        "1", "VOC's pixels: from 1, the last one inside (1), or edges (0)"
    )
    image_px: int = setting(
        0, "shorter side to which images are resized; 0: that of the images, at most 300"
    )
    mirror: bool = setting(True, "half of the images are mirrored in training")
    upside_down: bool = setting(False, "half of the images are turned upside down in training")
    zoom_out: float = setting(1.0, "half of the images shrink by up to so many times; 1: none")
    smallest_crop: float = setting(
        1.0, "smallest part cut out in training, a share of each side; 1: none"
    )
    tone: float = setting(0.0, "changes of brightness, contrast and colour in training, 0 to 1")
    negatives: Literal["hard", "random", "all", "focal"] = setting(
        "hard", "background that is learnt: the hardest, drawn at random, all, all by focal loss"
    )
    negative_ratio: float = setting(3.0, "background boxes for each matched one (hard, random)")
    gamma: float = setting(2.0, "how little sure boxes count in the focal loss (γ)")
    box_loss: Literal["smooth-l1", "giou"] = setting("smooth-l1", "the error of a box")
    match: float = setting(0.5, "least overlap (IoU) at which a default box learns an object")
    suppress: float = setting(0.45, "overlap (IoU) from which the less sure box goes")
    score: float = setting(0.5, "least score of an answer that is shown or written")
    model: str = setting("ssd-resnet", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=3000, batch_size=8, lr=1e-3, weight_decay=0.01, average=0.99,
        clip_norm=10.0, evaluate_every=250,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name in ("split_seed", "image_px"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if self.image_px and self.image_px < 32:
            raise ValueError(f"image_px is {self.image_px}; give at least 32, or 0")
        if self.zoom_out < 1:
            raise ValueError(f"zoom_out is {self.zoom_out}; give 1 or more")
        if not 0 < self.smallest_crop <= 1:
            raise ValueError(f"smallest_crop is {self.smallest_crop}; give a share up to 1")
        for name in ("tone", "match", "suppress", "score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 to 1")
        for name in ("negative_ratio", "gamma"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")


def read(config: Config, paths: Sequence[Path]) -> BoxData:
    """Images with boxes. Raises DataFaults; UsageFault for a precision that does not pay here."""
    from shinso.recipes.uses.box_parts import read_parts
    from shinso.recipes.uses.image_training import check_precision

    notes = check_precision(config.training.precision)
    return read_parts(config, paths, notes)


def make_model(
    config: Config, network: type, network_config: Any, facts: Mapping[str, Any]
) -> nn.Module:
    import torch

    model = network(
        network_config,
        num_channels=facts["channels"],
        num_classes=len(facts["class_names"]),
        size_px=tuple(facts["size_px"]),
        object_px=tuple(facts["object_px"]),
    )
    return model.to(memory_format=torch.channels_last)


def build(config: Config, data: BoxData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.box_training import build_boxes

    return build_boxes(config, data, model, use(config, data.facts(), model), seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> BoxUse:
    from shinso.recipes.uses.boxes_found import BoxUse

    return BoxUse(config, facts, model)
