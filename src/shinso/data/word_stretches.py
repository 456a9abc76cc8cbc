"""Training batches of word2vec: one stretch of text after another, from the start again at its end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int, Int32
from torch import Tensor

from shinso.data.same_run import check_same_run
from shinso.data.word_numbers import LINE_END


class Stretch(NamedTuple):
    """words: numbers, LINE_END behind each line."""

    words: Int32[Tensor, " token"]


class StretchSource:
    """Stretches of about ``size`` words, whole lines where a line is shorter than that."""

    def __init__(self, numbers: Int[np.ndarray, " token"], size: int) -> None:
        if not len(numbers) or size < 1:
            raise ValueError(f"{len(numbers)} numbers in stretches of {size}; give at least 1")
        self.numbers, self.size = numbers, size
        self.position = 0
        self.epoch = 0

    def next_batch(self) -> Stretch:
        if self.position >= len(self.numbers):
            self.position, self.epoch = 0, self.epoch + 1
        begin, end = self.position, min(self.position + self.size, len(self.numbers))
        ends = np.flatnonzero(self.numbers[end : end + self.size] == LINE_END)
        if end < len(self.numbers) and len(ends):
            end += int(ends[0]) + 1
        self.position = end
        return Stretch(torch.from_numpy(np.array(self.numbers[begin:end])))

    def first(self, size: int) -> StretchSource:
        """The first stretch of ``size`` words only, again and again."""
        return StretchSource(self.numbers[: max(1, size)], self.size)

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position, "epoch": self.epoch, "numbers": len(self.numbers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """RunFault RUN-OTHER-DATA where the text has another length than when the run began."""
        check_same_run(state, numbers=len(self.numbers))
        self.position, self.epoch = state["position"], state["epoch"]
