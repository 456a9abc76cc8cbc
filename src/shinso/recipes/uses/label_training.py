"""What the loop needs to train a recipe whose samples have labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from shinso.contracts import Objective
from shinso.data.on_device import OnDevice
from shinso.data.shuffled import ShuffledSource
from shinso.recipes.recipe import Built, Use
from shinso.training.loop import Selection


def build_labelled(
    samples: Any,
    data: Any,
    model: nn.Module,
    use: Use,
    objective: Objective[Any],
    *,
    batch_size: int,
    seed: int,
) -> Built:
    """Shuffled batches of samples of like length; the likelihood on the valid part selects.

    samples: of the train part, with ``lengths``. Accuracy would select less finely: it does not
    see how sure an answer is.
    """
    device = next(model.parameters()).device
    source = ShuffledSource(samples, batch_size, seed, lengths=samples.lengths)

    def validate() -> Mapping[str, float]:
        model.eval()
        return use.evaluate(data, "valid").metrics

    return Built(
        objective=objective,
        source=OnDevice(source, device),
        validate=validate,
        selection=Selection("loss_nats"),
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )
