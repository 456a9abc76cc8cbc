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

LIKELIHOOD = Selection("loss_nats")
"""Sees how sure an answer is, so that it selects more finely than accuracy does."""


def build_labelled(
    samples: Any,
    data: Any,
    model: nn.Module,
    use: Use,
    objective: Objective[Any],
    *,
    batch_size: int,
    seed: int,
    selection: Selection = LIKELIHOOD,
) -> Built:
    """Shuffled batches of samples of like length.

    samples: of the train part, with ``lengths``. selection: by the valid part.
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
        selection=selection,
        overfit=lambda number: OnDevice(source.fixed_subset(number), device),
    )
