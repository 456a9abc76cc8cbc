"""The trainings of one seed's compression, kept until the seed is done.

A chain may train several times: a student, then again after each cut. Each training has a folder of
its own, so that a chain that was stopped goes on within the training it was in and takes over those
that were finished.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from shinso.compress.learning_quantized import plain
from shinso.runs.checkpoint import load_weights
from shinso.runs.files import read_json, write_atomically, write_json
from shinso.runs.folder import SeedFolder
from shinso.training.loop import Outcome

MASK = "mask|"


class KeptTraining:
    """One training of a seed: its metrics, its state to go on from, its best weights."""

    def __init__(self, seed: SeedFolder, number: int) -> None:
        self.folder = SeedFolder(seed.path / f"training{number}", seed.seed)

    @property
    def done(self) -> bool:
        """Whether it was trained to its end."""
        return self.folder.result.exists()

    def keep_best(self, model: nn.Module) -> None:
        """Write the weights, a rounded one as what lies behind it."""
        state = {plain(name): one for name, one in model.state_dict().items()}
        write_atomically(self.folder.best_weights, save(_apart(state)))

    def best(self) -> dict[str, Tensor]:
        """The best weights found."""
        return load_weights(self.folder.best_weights)

    def finish(self, outcome: Outcome, masks: Mapping[str, Tensor]) -> None:
        """Say that it is done. masks: those that grew with it."""
        file = {f"{MASK}{name}": one for name, one in masks.items()}
        write_atomically(self.folder.path / "masks.safetensors", save(_apart(file)))
        write_json(self.folder.result, asdict(outcome))

    def result(self) -> dict[str, Any]:
        """How it ended: the fields of an ``Outcome``."""
        return read_json(self.folder.result)

    def masks(self) -> dict[str, Tensor]:
        """The masks that grew with it."""
        file = load_weights(self.folder.path / "masks.safetensors")
        return {name.removeprefix(MASK): one for name, one in file.items()}


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()}


def join(seed: SeedFolder, trainings: int) -> None:
    """Make one curve of all trainings, one after the other, in the seed's own metrics."""
    before = 0
    seed.metrics.cut_after(-1)
    for number in range(1, trainings + 1):
        kept = KeptTraining(seed, number)
        for row in kept.folder.metrics.rows():
            seed.metrics.append({**row, "step": before + row["step"]})
        before += kept.result()["step"]


def discard(seed: SeedFolder) -> None:
    """Remove what was kept of a seed's trainings; it is done and needs nothing more."""
    for path in seed.path.glob("training*"):
        shutil.rmtree(path)
