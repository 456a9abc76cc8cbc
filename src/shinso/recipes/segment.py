"""Semantic segmentation: a class for every pixel.

Place in the course: segmentation, with its ways back to the size of the image: transposed
convolutions with skip connections (FCN, U-Net), unpooling by the places of maxima (SegNet), dilated
convolutions (DeepLab), dense blocks (FC-DenseNet). Reads images and masks in two folders, divided or
not, CamVid's archive, or a CSV of pairs.

Measured results, with command, time and hardware: docs/results/segmentation.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.mask_parts import SegmentData
    from shinso.recipes.uses.masks import SegmentUse

TITLE = Text("Semantic segmentation", "セマンティックセグメンテーション")
PLACE = Text("Day 4: segmentation", "4 日目: セグメンテーション")
READS = Text(
    "a folder or archive (tar, zip) with images/ and masks/ of the same names, divided into train/, "
    "val/ and test/ or not; CamVid's train/ beside trainannot/; CSV with columns image and mask. "
    "Masks hold ids of 8 or 16 bits, or colours with a table classes.txt (R G B name)",
    "同じファイル名の images/ と masks/ をもつフォルダまたは書庫 (tar、zip)。train/、val/、test/ に"
    "分かれていてもよい。CamVid の train/ と trainannot/、image 列と mask 列をもつ CSV も可。マスクは "
    "8 または 16 ビットの番号、または色 (対応表 classes.txt: R G B 名前)",
)
ABOUT = Text(
    "A network gives every pixel one score a class. Two baselines stand beside it: the commonest "
    "class, and the class that is commonest at that place of the picture. Mean and class-wise "
    "intersection over union, pixel accuracy, borders laid over the worst images and frames per "
    "second are shown. Images larger than a limit are answered in tiles whose joins do not show.",
    "ネットワークが画素ごとに各クラスのスコアを出します。比較対象は、最多クラスと、画面上のその位置で"
    "最も多いクラスの 2 つです。平均とクラス別の IoU、画素正解率、最も悪い画像に重ねた境界線、毎秒の"
    "処理枚数を示します。上限より大きな画像は、継ぎ目の見えないタイルに分けて処理します。",
)
MODELS = {
    "unet": ModelChoice("shinso.models.unet:UNet"),
    "resnet-unet": ModelChoice("shinso.models.resnet_unet:ResNetUNet"),
    "fcn": ModelChoice("shinso.models.fcn:FCN"),
    "segnet": ModelChoice("shinso.models.segnet:SegNet"),
    "dilated": ModelChoice("shinso.models.dilated_segmenter:DilatedSegmenter"),
    "fc-densenet": ModelChoice("shinso.models.fc_densenet:FCDenseNet"),
}
BRIEF = Brief(
    sample="digit_scenes.tar.xz",
    models=("unet",),
    settings={
        "steps": 120,
        "evaluate_every": 40,
        "batch_size": 8,
        "lr": 1e-2,
        "class_weights": "median",
        "width": 0.125,
    },
)
CAMVID: dict[str, Any] = {
    "class_names": "sky,building,pole,road,pavement,tree,sign,fence,car,pedestrian,bicyclist",
    "void": "11", "flip": True, "rescale": 1.6, "tone": 0.3, "class_weights": "root",
    "weight_decay": 0.01, "average": 0.998,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "camvid": {
        **CAMVID, "model": "resnet-unet", "depth": 18, "width": 1.0, "stem": "imagenet",
        "size": "180x240", "batch_size": 4, "steps": 4400, "lr": 1e-3, "warmup": 200,
        "evaluate_every": 500, "checkpoint_every": 500,
    },
    # At full resolution, for an accelerator; any --model with settings of its own.
    "camvid-full": {
        **CAMVID, "model": "fc-densenet", "batch_size": 8, "precision": "bf16", "steps": 9000,
        "lr": 2e-3, "warmup": 200, "evaluate_every": 450, "checkpoint_every": 450,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train segment``."""

    valid: tuple[Path, ...] = setting((), "masked images to choose the best weights by")
    test: tuple[Path, ...] = setting((), "masked images to test on, where set apart")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test; given parts take none")
    split_seed: int = setting(0, "which images fall into which part")
    size: str = setting("", "height x width to which images are brought, such as 180x240")
    classes: Path | None = setting(None, "table of classes: name, R G B name, or CSV")
    class_names: tuple[str, ...] = setting((), "names of the ids of the masks, in their order")
    void: tuple[str, ...] = setting((), "names, ids or colours (#rrggbb) that do not count")
    crop: str = setting("", "height x width of training samples; empty: the smallest image")
    flip: bool = setting(False, "half of the images are mirrored in training")
    rescale: float = setting(1.0, "images are scaled by up to so much in training")
    tone: float = setting(0.0, "strength of random brightness, contrast and colour in training")
    class_weights: Literal["none", "root", "median"] = setting(
        "none", "weights of the cross entropy: none, median frequency or its square root"
    )
    dice: float = setting(0.0, "share of the dice loss beside the cross entropy")
    tile_px: int = setting(1024, "images with a longer side are answered in tiles of this side")
    overlap_px: int = setting(0, "pixels that tiles share; 0: as the network's reach asks for")
    weights: Path | None = setting(None, "safetensors file of the same network to begin with")
    model: str = setting("unet", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=8, lr=1e-3, schedule="cosine", evaluate_every=200,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        parse_size("size", self.size)
        parse_size("crop", self.crop)
        for name in ("split_seed", "tone", "overlap_px"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not 1 <= self.rescale <= 4:
            raise ValueError(f"rescale is {self.rescale}; give 1 to 4")
        if not 0 <= self.dice <= 1:
            raise ValueError(f"dice is {self.dice}; give a share from 0 to 1")
        if self.tile_px < 64:
            raise ValueError(f"tile_px is {self.tile_px}; give at least 64")
        if self.overlap_px >= self.tile_px:
            raise ValueError(
                f"overlap_px is {self.overlap_px} of tiles of {self.tile_px}; give less"
            )
        if self.classes and self.class_names:
            raise ValueError("class_names and classes are both given; the table has the names")

    def unread(self) -> dict[str, str]:
        return given_parts(self, "split")


def parse_size(name: str, text: str) -> tuple[int, int] | None:
    """Height and width of "180x240"; None of "". ValueError that says the fix."""
    if not text:
        return None
    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if not found or min(int(found[1]), int(found[2])) < 8:
        raise ValueError(f"{name} is {text!r}; give height x width of at least 8, such as 180x240")
    return int(found[1]), int(found[2])


def read(config: Config, paths: Sequence[Path]) -> SegmentData:
    """Masked images. Raises DataFaults; UsageFault for weights that are not there and for a
    precision that does not pay here."""
    from shinso.recipes.uses.image_training import check_precision, check_weights
    from shinso.recipes.uses.mask_parts import read_parts

    check_weights(config.weights)
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
        image_px=min(facts["smallest_px"]),
    )
    return model.to(memory_format=torch.channels_last)


def begin(config: Config, model: nn.Module) -> None:
    from shinso.models.published import load_published

    if config.weights:
        load_published(model, config.weights)


def build(config: Config, data: SegmentData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.mask_parts import build_masks

    return build_masks(config, data, model, use(config, data.facts(), model), seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> SegmentUse:
    from shinso.recipes.uses.masks import SegmentUse

    return SegmentUse(config, facts, model)
