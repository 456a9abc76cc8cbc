"""What the loop needs to train a classifier of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn

from shinso.data.augmentation import Augmentation, AugmentedSamples
from shinso.data.image_source import AugmentedSource
from shinso.data.on_device import OnDevice
from shinso.data.prefetched import Prefetched
from shinso.objectives.image_classification import ImageObjective
from shinso.recipes.recipe import Built
from shinso.train.loop import Selection

if TYPE_CHECKING:
    from shinso.recipes.classify_images import Config
    from shinso.recipes.uses.image_classes import ImageUse
    from shinso.recipes.uses.image_parts import ImageData


def build_images(
    config: Config, data: ImageData, model: nn.Module, use: ImageUse, seed: int
) -> Built:
    """Augmented batches made ahead; the likelihood on the valid part selects."""
    frozen = _begin(config, model)
    device = next(model.parameters()).device
    how = Augmentation(
        shift_px=config.shift_px,
        flip=config.flip,
        cutout_px=config.cutout_px,
        mixup=config.mixup,
        strength=config.strength,
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
        selection=Selection("loss_nats"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )


def _begin(config: Config, model: nn.Module) -> tuple[nn.Module, ...]:
    """Load the weights that training begins with; returns the parts that keep theirs."""
    return ()
