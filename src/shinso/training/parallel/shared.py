"""What a crew shares: one run folder, which the first worker writes, and each batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from shinso.contracts import Divisible, Source
from shinso.data.batch_parts import share_of
from shinso.runs.folder import SeedFolder
from shinso.runs.metrics import MetricsLog
from shinso.training.crew import Crew


@final
class UnwrittenMetrics(MetricsLog):
    """The metrics of a worker that is not the first: the same numbers, kept once elsewhere."""

    def append(self, row: Mapping[str, Any]) -> None:
        pass

    def cut_after(self, step: int) -> None:
        pass


@final
class UnwrittenFolder(SeedFolder):
    """A seed's folder as the other workers have it: nothing is written, nothing is read."""

    @property
    def metrics(self) -> MetricsLog:
        return UnwrittenMetrics(Path("metrics.jsonl"))

    def save_resume(self, state: dict[str, Any]) -> None:
        pass


def folder_for(crew: Crew, folder: SeedFolder) -> SeedFolder:
    """The folder as this worker may use it."""
    return folder if crew.rank == 0 else UnwrittenFolder(folder.path, folder.seed)


@final
class SharedSource:
    """Each worker's share of every batch.

    All draw the same batches from the same place in the data, so that the joint batch does not
    depend on their number, an epoch's samples are shared without overlap, and a run goes on with
    another number of workers where it was.
    """

    def __init__(self, source: Source[Any], crew: Crew) -> None:
        self.source, self.crew = source, crew

    def next_batch(self) -> Any:
        if isinstance(self.source, Divisible):
            return self.source.next_part(self.crew.rank, self.crew.size)
        return share_of(self.source.next_batch(), self.crew.rank, self.crew.size)

    def state_dict(self) -> dict[str, Any]:
        return self.source.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.source.load_state_dict(state)
