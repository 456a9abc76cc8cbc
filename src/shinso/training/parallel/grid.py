"""Workers in rows and columns: a row divides the model, the rows share each batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.distributed.device_mesh import DeviceMesh

from shinso.training.parallel.joined import JoinedCrew, new_group


@dataclass(frozen=True)
class Grid:
    """One worker's row and column. mesh: (rows, workers of a row), named "data" and "model"; worker
    r has row r // (workers of a row)."""

    mesh: DeviceMesh
    row: JoinedCrew
    column: JoinedCrew

    @property
    def of_row(self) -> DeviceMesh:
        return self.mesh["model"]

    @property
    def of_column(self) -> DeviceMesh:
        return self.mesh["data"]


def grid(crew: JoinedCrew, width: int) -> Grid:
    """The crew in rows of ``width``, which must divide its size. Every worker must ask.

    Who waits longer than the crew's timeout for one of its row or column loses it.
    """
    table = torch.arange(crew.size).view(-1, width)
    column = _own_group(crew, table.t().tolist())
    row = _own_group(crew, table.tolist())
    assert column.group is not None
    assert row.group is not None
    mesh = DeviceMesh.from_group(
        [column.group, row.group],
        crew.device.type,
        mesh=table,
        mesh_dim_names=("data", "model"),
    )
    return Grid(mesh, row, column)


def _own_group(crew: JoinedCrew, lines: list[list[int]]) -> JoinedCrew:
    """The line in which this worker stands; all workers make the groups of all lines."""
    own = None
    for ranks in lines:
        group = new_group(crew.timeout, ranks)
        if crew.rank in ranks:
            own = crew.of(group, ranks)
    assert own is not None
    return own
