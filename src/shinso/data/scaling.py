"""Standardizing channels by the train part alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from shinso.data.series import SeriesSet
from shinso.language import _


@dataclass(frozen=True, eq=False)
class Standardizer:
    """Each channel minus its mean, over its standard deviation (of the population, ddof 0).

    A channel that is constant in the train part is only shifted: its deviation counts as 1.
    notes: which channels those are.
    """

    channels: tuple[str, ...]
    mean: Float[np.ndarray, " channel"]
    std: Float[np.ndarray, " channel"]
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls, channels: Sequence[str], train: Sequence[Float[np.ndarray, "_ channel"]]
    ) -> Standardizer:
        """From the rows of the train part of all series together."""
        rows = np.concatenate(list(train))
        constant = np.ptp(rows, axis=0) == 0
        std = np.where(constant, 1.0, rows.std(axis=0))
        # Values so close that their deviation underflows are constant for every purpose here.
        std[std == 0] = 1.0
        notes = tuple(
            _("DATA-CONSTANT: column {column} is constant in the train part").format(column=name)
            for name, same in zip(channels, constant, strict=True)
            if same
        )
        mean = np.where(constant, rows[0], rows.mean(axis=0))
        return cls(tuple(channels), mean, std, notes)

    def apply(self, values: Float[np.ndarray, "*any channel"]) -> Float[np.ndarray, "*any channel"]:
        """In units of the train part's deviation."""
        return (values - self.mean) / self.std

    def undo(self, values: Float[np.ndarray, "*any some"]) -> Float[np.ndarray, "*any some"]:
        """Back in the file's units; the last axis may hold only the first channels, the targets."""
        some = values.shape[-1]
        return values * self.std[:some] + self.mean[:some]

    def scaled(self, series: SeriesSet) -> SeriesSet:
        """The same series in the scaler's units. ValueError where the channels are not its own."""
        if series.channels != self.channels:
            raise ValueError(
                f"channels are {series.channels}; this scaler was fitted on {self.channels}"
            )
        return series.with_values([self.apply(values) for values in series.values])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; Python writes floats so that they read back equal."""
        return {
            "channels": list(self.channels),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Standardizer:
        return cls(
            tuple(content["channels"]),
            np.array(content["mean"], float),
            np.array(content["std"], float),
        )


def fit_on_rows(series: SeriesSet, rows: Sequence[range]) -> Standardizer:
    """A scaler from ``rows`` of each series, which are the train part's."""
    parts = [
        one.values[part.start : part.stop] for one, part in zip(series.series, rows, strict=True)
    ]
    return Standardizer.fit(series.channels, parts)
