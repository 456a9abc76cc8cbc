"""What the loop needs to train a translator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn

from shinso.data.on_device import OnDevice
from shinso.data.parallel_batches import TokenBatches
from shinso.objectives.translation import TranslationObjective, loss_of
from shinso.recipes.recipe import Built
from shinso.training.loop import Selection

if TYPE_CHECKING:
    from shinso.recipes.translate import Config
    from shinso.recipes.uses.translations import TranslationData


def build_translation(config: Config, data: TranslationData, model: nn.Module, seed: int) -> Built:
    """Batches of like length; −log p a word of the valid part selects, which needs no search.

    Raises ManyDataFaults DATA-TOO-LONG for pairs that are longer than the network's capacity.
    """
    capacity: int | None = getattr(model, "capacity", None)
    if capacity is not None:  # found out here and not after hours, by the one long sentence
        data.check_fits(capacity)
    device = next(model.parameters()).device
    source = TokenBatches(
        data.samples("train"),
        tokens=config.batch_tokens,
        sentences=config.training.batch_size,
        seed=seed,
    )
    valid = [one.to(device) for one in data.samples("valid").by_length(config.batch_tokens)]

    def validate() -> Mapping[str, float]:
        model.eval()
        total, words = loss_of(model, valid)
        return {"loss_nats": total / words}

    return Built(
        objective=TranslationObjective(
            config.label_smoothing, config.own_words, config.training.steps
        ),
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("loss_nats"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )
