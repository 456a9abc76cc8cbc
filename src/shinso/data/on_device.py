"""Batches of a source, moved to where the model is."""

from __future__ import annotations

from typing import Any

import torch

from shinso.contracts import Source


class OnDevice:
    """Wraps a source whose batches have ``to(device)``; its state is the source's own."""

    def __init__(self, source: Source[Any], device: torch.device) -> None:
        self.source = source
        self.device = device

    def next_batch(self) -> Any:
        batch = self.source.next_batch()
        return batch if self.device.type == "cpu" else batch.to(self.device)

    def state_dict(self) -> dict[str, Any]:
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state)
