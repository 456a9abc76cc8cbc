"""Windows of a long text for truncated back-propagation: each goes on where the last one ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from shinso.data.same_run import check_same_run


class Window(NamedTuple):
    """targets: the token after each. fresh: whether the text begins anew, so that a state carried
    so far means nothing."""

    tokens: Int[Tensor, "batch time"]
    targets: Int[Tensor, "batch time"]
    fresh: Bool[Tensor, ""]

    def to(self, device: torch.device | str) -> Window:
        return Window(*(part.to(device) for part in self))


class WindowSource:
    """The text as ``batch_size`` streams of equal length, read side by side in windows of ``time``
    tokens; the tokens that fill no stream are left out of training.

    Each epoch begins at another place in the text, so that windows are not cut the same way twice.
    """

    def __init__(
        self, numbers: Int[np.ndarray, " token"], *, batch_size: int, time: int, seed: int
    ) -> None:
        if len(numbers) < batch_size + 1:
            raise ValueError(f"{len(numbers)} tokens in {batch_size} streams; give more text")
        self.numbers = torch.from_numpy(np.asarray(numbers, dtype=np.int64))
        self.batch_size, self.time, self.seed = batch_size, time, seed
        self.length = (len(numbers) - 1) // batch_size
        self.epoch = self.position = 0
        self._streams = self._streams_of(0)

    def next_batch(self) -> Window:
        if self.position >= self.length:
            self.epoch, self.position = self.epoch + 1, 0
            self._streams = self._streams_of(self.epoch)
        begin, end = self.position, min(self.position + self.time, self.length)
        self.position = end
        window = self._streams[:, begin : end + 1]
        return Window(window[:, :-1], window[:, 1:], torch.tensor(begin == 0))

    def first(self, windows: int) -> WindowSource:
        """The first so many windows, again and again."""
        size = self.batch_size * min(self.length, windows * self.time) + 1
        return WindowSource(
            self.numbers[:size].numpy(), batch_size=self.batch_size, time=self.time, seed=self.seed
        )

    def _streams_of(self, epoch: int) -> Int[Tensor, "batch length"]:
        shift = int(np.random.default_rng([self.seed, epoch]).integers(0, self.length))
        turned = torch.cat([self.numbers[shift:], self.numbers[:shift]])
        used = self.batch_size * self.length
        starts = torch.arange(0, used, self.length)
        # One token more than a stream's own: the target of its last.
        return turned[starts[:, None] + torch.arange(self.length + 1)]

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position, "tokens": len(self.numbers)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """RunFault RUN-OTHER-DATA where the text has another length than when the run began."""
        check_same_run(state, tokens=len(self.numbers))
        self.epoch, self.position = state["epoch"], state["position"]
        self._streams = self._streams_of(self.epoch)


def windows_in_order(
    numbers: Int[np.ndarray, " token"], time: int, first: int
) -> Iterator[tuple[Int[Tensor, "1 time"], Int[Tensor, "1 time"]]]:
    """The whole text as one stream: tokens, and the tokens after them. first: what stands before the
    text, so that its first token counts too."""
    whole = torch.cat([torch.tensor([first]), torch.from_numpy(np.asarray(numbers, np.int64))])
    for begin in range(0, len(numbers), time):
        end = min(begin + time, len(numbers))
        yield whole[None, begin:end], whole[None, begin + 1 : end + 1]
