"""Classification of images: one class for each.

Place in the course: MobileNet, DenseNet and the normalizations, with the residual network that they
are compared with. Reads a folder per class, the same as an archive, CSV of path,label, MNIST's IDX
and CIFAR's binary files. Sizes, colours, classes and the pixel scale come from the train part.

Measured results, with command, time and hardware: docs/results/images.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shinso.language import Text
from shinso.recipes.recipe import Brief, Built, ModelChoice, given_parts
from shinso.settings import nested, setting
from shinso.training.plan import Training

if TYPE_CHECKING:
    from torch import nn

    from shinso.recipes.uses.image_classes import ImageUse
    from shinso.recipes.uses.image_parts import ImageData

TITLE = Text("Classification of images", "画像の分類")
PLACE = Text("Day 4: MobileNet, DenseNet, normalization", "4 日目: MobileNet、DenseNet、正規化")
READS = Text(
    "a folder with a folder per class, or an archive of it (tar, zip); CSV with columns path and "
    "label; MNIST's IDX files (images, then labels); CIFAR's .bin files",
    "クラスごとのフォルダをもつフォルダ、またはその書庫 (tar、zip)。path 列と label 列をもつ CSV、"
    "MNIST の IDX ファイル (画像、ラベルの順)、CIFAR の .bin ファイル",
)
ABOUT = Text(
    "A convolutional network gives each image one score a class. The majority class, the nearest "
    "mean image and a logistic regression on pixels stand beside it in every table. Training images "
    "are augmented on a thread of their own; how often the answers are right, whether their "
    "probabilities can be believed, the worst cases and where the network looked are shown.",
    "畳み込みニューラルネットワークが画像ごとに各クラスのスコアを出します。どの表にも、最多クラス、"
    "最も近い平均画像、画素のロジスティック回帰が並びます。学習画像のデータ拡張は別スレッドで行います。"
    "正解率のほか、確率が信頼できるか (較正)、最も悪い例、ネットワークが見ていた場所を示します。",
)
RESNET = "shinso.models.resnet:ResNet"
MOBILENET_V1 = "shinso.models.mobilenet_v1:MobileNetV1"
MODELS = {
    "resnet": ModelChoice(RESNET),
    "mobilenet-v1": ModelChoice(MOBILENET_V1, {"separable": True}),
    "full-convolution": ModelChoice(MOBILENET_V1, {"separable": False}),
    "mobilenet-v2": ModelChoice("shinso.models.mobilenet_v2:MobileNetV2"),
    "mobilenet-v3": ModelChoice("shinso.models.mobilenet_v3:MobileNetV3"),
    "densenet": ModelChoice("shinso.models.densenet:DenseNet"),
    "mlp": ModelChoice("shinso.models.dense_classifier:DenseClassifier"),
}
BRIEF = Brief(
    sample="digits.tar.xz",
    models=("resnet", "mobilenet-v1"),
    settings={"steps": 200, "evaluate_every": 50, "width": 0.25, "shift_px": 1},
)
SMALL_GREY: dict[str, Any] = {
    "model": "resnet", "depth": 14, "width": 2, "stem": "halved", "shift_px": 2,
    "label_smoothing": 0.05, "split": "0.94,0.05,0.01", "average": 0.998,
}  # fmt: skip
CIFAR: dict[str, Any] = {
    "shift_px": 4, "flip": True, "split": "0.98,0.01,0.01", "steps": 39000, "lr": 0.2,
    "average": 0.999, "evaluate_every": 1000, "checkpoint_every": 1000,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "mnist": {**SMALL_GREY, "strength": 3, "steps": 3500, "evaluate_every": 500},
    "fashion-mnist": {**SMALL_GREY, "flip": True, "steps": 10000, "evaluate_every": 1000},
    # A hundred epochs of 50,000 images: for an accelerator.
    "cifar10-resnet20": {**CIFAR, "model": "resnet", "depth": 20},
    "cifar10-densenet40": {**CIFAR, "model": "densenet", "depth": 40, "weight_decay": 1e-4},
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ``shinso train classify-images``."""

    valid: tuple[Path, ...] = setting((), "images to choose the best weights by, where set apart")
    test: tuple[Path, ...] = setting((), "images to test on, where set apart")
    split: str = setting("0.8,0.1,0.1", "shares of train, valid and test; given parts take none")
    split_seed: int = setting(0, "which images fall into which part")
    image_px: int = setting(0, "side to which images are resized and cut; 0: as the data say")
    shift_px: int = setting(0, "images are shifted by up to so many pixels in training")
    flip: bool = setting(False, "half of the images are mirrored in training")
    cutout_px: int = setting(0, "side of a square blanked in training")
    mixup: float = setting(0.0, "α of mixing two images in training; 0: none")
    strength: float = setting(0.0, "random changes of tone and form in training, 0 to 10")
    elastic_px: float = setting(
        0.0, "images are bent: points a quarter of the side apart move by up to so many pixels"
    )
    label_smoothing: float = setting(0.0, "share of each label spread over all classes")
    weights: Path | None = setting(
        None, "safetensors file to begin with; its last layer only where it has as many classes"
    )
    frozen: int = setting(0, "parts of the network, from the pixels on, that keep their weights")
    model: str = setting("resnet", "which network: " + ", ".join(MODELS))
    training: Training = nested(
        Training, steps=2000, batch_size=128, lr=0.1, schedule="one-cycle", optimizer="sgd",
        weight_decay=5e-4, clip_norm=0.0, evaluate_every=200,
    )  # fmt: skip

    def __post_init__(self) -> None:
        from shinso.data.stratified import parse_shares

        parse_shares(self.split)
        for name in (
            "split_seed", "image_px", "shift_px", "cutout_px", "mixup", "strength", "elastic_px",
            "frozen",
        ):  # fmt: skip
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if self.strength > 10:
            raise ValueError(f"strength is {self.strength}; give 0 to 10")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; give a share below 1")
        if self.frozen and not self.weights:
            raise ValueError(
                f"frozen is {self.frozen} without weights; weights that were never trained are not "
                "worth keeping: give --weights too"
            )

    def unread(self) -> dict[str, str]:
        return given_parts(self, "split")


def read(config: Config, paths: Sequence[Path]) -> ImageData:
    """Labelled images. Raises DataFaults; UsageFault for weights that are not there and for a
    precision that does not pay here."""
    from shinso.recipes.uses.image_parts import read_parts
    from shinso.recipes.uses.image_training import check_precision, check_weights

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
        image_px=min(facts["size_px"]),
    )
    return model.to(memory_format=torch.channels_last)


def begin(config: Config, model: nn.Module) -> None:
    from shinso.models.published import load_published

    if config.weights:
        load_published(model, config.weights)


def build(config: Config, data: ImageData, model: nn.Module, seed: int) -> Built:
    from shinso.recipes.uses.image_training import build_images

    return build_images(config, data, model, use(config, data.facts(), model), seed)


def use(config: Config, facts: Mapping[str, Any], model: nn.Module) -> ImageUse:
    from shinso.recipes.uses.image_classes import ImageUse

    return ImageUse(config, facts, model)
