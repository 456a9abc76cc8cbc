"""What the loop needs to train a detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn

from shinso.data.box_augmentation import AugmentedBoxes, BoxAugmentation
from shinso.data.image_source import AugmentedSource
from shinso.data.on_device import OnDevice
from shinso.data.prefetched import Prefetched
from shinso.models.faster_rcnn import FasterRCNN
from shinso.objectives.detection import SSDObjective
from shinso.objectives.two_stage_detection import TwoStageObjective
from shinso.recipes.recipe import Built
from shinso.training.loop import Selection

if TYPE_CHECKING:
    from shinso.recipes.detect import Config
    from shinso.recipes.uses.box_parts import BoxData
    from shinso.recipes.uses.boxes_found import BoxUse


def build_boxes(config: Config, data: BoxData, model: nn.Module, use: BoxUse, seed: int) -> Built:
    """Augmented batches made ahead; the valid part selects."""
    device = next(model.parameters()).device
    how = BoxAugmentation(
        mirror=config.mirror,
        upside_down=config.upside_down,
        zoom_out=config.zoom_out,
        smallest_crop=config.smallest_crop,
        tone=config.tone,
    )
    samples = AugmentedBoxes(data.samples["train"], how, seed)
    source = AugmentedSource(samples, config.training.batch_size, seed)

    def validate() -> Mapping[str, float]:
        model.eval()
        return use.evaluate(data, "valid").metrics

    return Built(
        objective=_objective(config, model),
        source=OnDevice(Prefetched(source), device),
        validate=validate,
        selection=Selection("map_50", "max"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def _objective(config: Config, model: nn.Module) -> SSDObjective | TwoStageObjective:
    if isinstance(model, FasterRCNN):
        return TwoStageObjective(box_loss=config.box_loss, threshold=config.match)
    return SSDObjective(
        negatives=config.negatives,
        ratio=config.negative_ratio,
        gamma=config.gamma,
        box_loss=config.box_loss,
        threshold=config.match,
        defaults_cxcywh=model.defaults,  # pyright: ignore[reportArgumentType]
    )
