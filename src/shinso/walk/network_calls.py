"""The calls that a system makes of its network: what it is exported, calibrated and traced with."""

from __future__ import annotations

from typing import Any

from torch import nn

from shinso.compress.calls import Recording, recorded
from shinso.recipes.recipe import CalledInParts, Evaluation, Part, Use


def evaluated(
    use: Use, model: nn.Module, data: Any, part: Part, *, most: int = 16
) -> tuple[Evaluation, Recording]:
    """``use.evaluate(data, part)`` and the first ``most`` calls that it made of ``model``; of a
    system that calls it in parts a call of the whole."""
    with recorded(model, most=most) as made:
        found = use.evaluate(data, part)
        if not made.calls and isinstance(use, CalledInParts):
            use.call_whole(data, part)
    return found, made
