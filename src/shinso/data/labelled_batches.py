"""Labelled series side by side: padded, with their lengths, scaled by the train part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from shinso.data.findings import Findings, shown
from shinso.data.labelled_series import LabelledSeries
from shinso.data.scaling import Standardizer
from shinso.language import _

NO_LABEL = -100  # what torch's cross entropy passes over


class LabelledBatch(NamedTuple):
    """Series padded with zeros (the train part's mean) behind their last step."""

    values: Float[Tensor, "batch time channel"]
    lengths: Int[Tensor, " batch"]
    labels: Int[Tensor, " batch"]

    def to(self, device: torch.device | str) -> LabelledBatch:
        return LabelledBatch(*(part.to(device) for part in self))


class LabelledSamples:
    """Some of the series as samples: scaled, their classes as numbers."""

    def __init__(
        self,
        series: LabelledSeries,
        indices: Sequence[int] | Int[np.ndarray, " sample"] | None,
        scaler: Standardizer,
        classes: Sequence[str],
    ) -> None:
        """indices: the part's series; None takes all. classes: in the order of their numbers.

        Raises ValueError where the series' channels are not the scaler's, and ManyDataFaults
        DATA-UNKNOWN-LABEL for labels that are not among ``classes``. A series without a label
        gets NO_LABEL.
        """
        if series.channels != scaler.channels:
            raise ValueError(
                f"channels are {series.channels}; this scaler was fitted on {scaler.channels}"
            )
        chosen = np.arange(len(series)) if indices is None else np.asarray(indices, dtype=np.int64)
        number = {name: place for place, name in enumerate(classes)}
        number[""] = NO_LABEL
        _check_known(series, chosen, number)
        scaled = [scaler.apply(series.values[place]).astype(np.float32) for place in chosen]
        self._values = [torch.from_numpy(one) for one in scaled]
        self.lengths = np.array([len(one) for one in scaled], dtype=np.int64)
        self.labels = np.array([number[series.labels[place]] for place in chosen], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._values)

    def take(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> LabelledBatch:
        chosen = np.asarray(indices, dtype=np.int64)
        values = torch.nn.utils.rnn.pad_sequence(
            [self._values[place] for place in chosen], batch_first=True
        )
        return LabelledBatch(
            values, torch.from_numpy(self.lengths[chosen]), torch.from_numpy(self.labels[chosen])
        )

    def batches(self, batch_size: int) -> Iterator[LabelledBatch]:
        """All samples in order; the last batch is as short as it comes out, never dropped."""
        for begin in range(0, len(self), batch_size):
            yield self.take(np.arange(begin, min(begin + batch_size, len(self))))


def _check_known(
    series: LabelledSeries, chosen: Int[np.ndarray, " sample"], known: dict[str, int]
) -> None:
    findings = Findings(series.path)
    for place in chosen:
        if series.labels[place] not in known:
            findings.fault(
                "DATA-UNKNOWN-LABEL",
                found=f"{series.places[place]}: {shown(series.labels[place])}",
                why=_("the train part has only the classes {classes}").format(
                    classes=", ".join(filter(None, known))
                ),
                next_step=_("mend the label, or train on data that hold this class"),
            )
    findings.stop()
