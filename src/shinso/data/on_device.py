"""Batches of a source, moved to where the model is."""

from __future__ import annotations

from typing import Any

import torch

from shinso.contracts import Divisible, Source
from shinso.data.batch_parts import share_of


class OnDevice:
    """Wraps a source whose batches have ``to(device)``; its state is the source's own."""

    def __init__(self, source: Source[Any], device: torch.device) -> None:
        self.source = source
        self.device = device

    def next_batch(self) -> Any:
        return self._moved(self.source.next_batch())

    def next_part(self, index: int, of: int) -> Any:
        if isinstance(self.source, Divisible):
            return self._moved(self.source.next_part(index, of))
        return self._moved(share_of(self.source.next_batch(), index, of))

    def _moved(self, batch: Any) -> Any:
        return batch if self.device.type == "cpu" else batch.to(self.device)

    def state_dict(self) -> dict[str, Any]:
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state)
