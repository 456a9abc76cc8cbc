"""All windows of a part of a series, as views that are copied only when a batch is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shinso.data.splits import num_windows


class SeriesBatch(NamedTuple):
    """Windows side by side. The target channels are the first of ``past``."""

    past: Float[Tensor, "batch lookback channel"]
    future: Float[Tensor, "batch horizon target"]

    def to(self, device: torch.device | str) -> SeriesBatch:
        return SeriesBatch(self.past.to(device), self.future.to(device))


class Windows:
    """Every window whose future rows lie in a part: ``lookback`` rows, then ``horizon`` rows.

    The values are held once, in float32; a window is a strided view into them. Windows are
    numbered series by series in the order of time and never cross from one series to the next.
    """

    def __init__(
        self,
        values: Sequence[Float[np.ndarray, "_ channel"]],
        rows: Sequence[range],
        *,
        lookback: int,
        horizon: int,
        num_targets: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """values: each series. rows: of each, the rows in which futures may lie; the past may lie
        anywhere before. num_targets: the first so many channels are the future.

        Raises ValueError where lookback, horizon or num_targets is below 1 or rows are not there.
        """
        for name, size in (
            ("lookback", lookback),
            ("horizon", horizon),
            ("num_targets", num_targets),
        ):
            if size < 1:
                raise ValueError(f"{name} is {size}; give 1 or more")
        for one, part in zip(values, rows, strict=True):
            if part.start < 0 or part.stop > len(one):
                raise ValueError(f"rows are {part}; the series has {len(one)} rows")
        self.lookback, self.horizon, self.num_targets = lookback, horizon, num_targets
        joined = np.concatenate(list(values)).astype(np.float32)
        self._values = torch.from_numpy(joined).to(device)
        counts = [num_windows(part, lookback, horizon) for part in rows]
        # Window w of series s begins at row first[s] + w - before[s] of the joined values.
        self._before = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._offset = np.concatenate([[0], np.cumsum([len(one) for one in values])]).astype(
            np.int64
        )
        self._first_future = np.array([max(part.start, lookback) for part in rows], dtype=np.int64)
        num_rows, channels = self._values.shape
        length = lookback + horizon
        # A window's rows lie next to each other in memory, so a window is one run of numbers.
        self._views = self._values.as_strided(
            (max(num_rows - length + 1, 0), length * channels), (channels, 1)
        )

    def __len__(self) -> int:
        return int(self._before[-1])

    @property
    def num_windows(self) -> int:
        return len(self)

    @property
    def num_channels(self) -> int:
        return self._values.shape[1]

    def origins(
        self, indices: Sequence[int] | Int[np.ndarray, " batch"] | None = None
    ) -> Int[np.ndarray, "batch 2"]:
        """Which series each window lies in, and that series' row at which its future begins."""
        wanted = np.arange(len(self)) if indices is None else np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(self)):
            raise IndexError(f"window {wanted.min()}…{wanted.max()} of {len(self)}")
        series = np.searchsorted(self._before, wanted, side="right") - 1
        return np.stack(
            [series, self._first_future[series] + wanted - self._before[series]], axis=1
        )

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> SeriesBatch:
        """The windows with these numbers, in this order."""
        series, future = self.origins(indices).T
        starts = torch.from_numpy(self._offset[series] + future - self.lookback)
        taken = self._views.index_select(0, starts.to(self._views.device))
        windows = taken.view(len(starts), self.lookback + self.horizon, self.num_channels)
        return SeriesBatch(
            windows[:, : self.lookback], windows[:, self.lookback :, : self.num_targets]
        )

    def batches(self, batch_size: int) -> Iterator[SeriesBatch]:
        """All windows in order; the last batch is as short as it comes out, never dropped."""
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))
