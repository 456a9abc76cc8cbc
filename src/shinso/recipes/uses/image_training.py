"""What the loop needs to train a classifier of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from shinso.data.augmentation import Augmentation, AugmentedSamples
from shinso.data.image_source import AugmentedSource
from shinso.data.on_device import OnDevice
from shinso.data.prefetched import Prefetched
from shinso.faults import UsageFault
from shinso.language import _
from shinso.models.precision import bf16_over_fp32
from shinso.models.published import freeze
from shinso.objectives.image_classification import ImageObjective
from shinso.recipes.recipe import Built
from shinso.training.loop import Selection

if TYPE_CHECKING:
    from shinso.recipes.classify_images import Config
    from shinso.recipes.uses.image_classes import ImageUse
    from shinso.recipes.uses.image_parts import ImageData


def build_images(
    config: Config, data: ImageData, model: nn.Module, use: ImageUse, seed: int
) -> Built:
    """Augmented batches made ahead; the valid part selects."""
    frozen = freeze(model, config.frozen) if config.frozen else ()
    device = next(model.parameters()).device
    how = Augmentation(
        shift_px=config.shift_px,
        flip=config.flip,
        cutout_px=config.cutout_px,
        mixup=config.mixup,
        strength=config.strength,
        elastic_px=config.elastic_px,
    )
    samples = AugmentedSamples(data.samples["train"], how, seed)
    source = AugmentedSource(samples, config.training.batch_size, seed)

    def validate() -> Mapping[str, float]:
        model.eval()
        return use.evaluate(data, "valid").metrics

    return Built(
        objective=ImageObjective(label_smoothing=config.label_smoothing, frozen=frozen),
        source=OnDevice(Prefetched(source), device),
        validate=validate,
        selection=_selection(config),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def _selection(config: Config) -> Selection:
    """The likelihood sees how sure an answer is; but a network that learns from smoothed or mixed
    labels is kept from being sure, and its likelihood then falls while it names more images rightly."""
    if config.label_smoothing or config.mixup:
        return Selection("accuracy", "max")
    return Selection("loss_nats")


def check_weights(path: Path | None) -> None:
    """Raise UsageFault WEIGHTS-NOT-FOUND before anything is read or made."""
    if path is not None and not path.is_file():
        raise UsageFault(
            "WEIGHTS-NOT-FOUND",
            place=str(path),
            found=_("no such file"),
            why=_("shinso fetches nothing by itself"),
            next_step=_("give the path of a safetensors file"),
        )


def check_precision(precision: str) -> list[str]:
    """What a probe of this machine says of ``precision``; UsageFault PRECISION-SLOW where it would
    make training slower."""
    if precision == "fp32":
        return []
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ratio = bf16_over_fp32(device)
    if ratio >= 1:
        raise UsageFault(
            "PRECISION-SLOW",
            place="--precision",
            found=_("{precision} takes {ratio:.1f} times as long as fp32 on this machine").format(
                precision=precision, ratio=ratio
            ),
            why=_("measured just now on a small network"),
            next_step="--precision fp32",
        )
    return [
        _("{precision} takes {ratio:.2f} of the time of fp32 here, measured just now").format(
            precision=precision, ratio=ratio
        )
    ]
