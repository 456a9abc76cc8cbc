"""A trained run that a new one begins as: its network's size and its best weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.runs.checkpoint import load_weights
from shinso.runs.files import read_yaml
from shinso.runs.folder import RunFolder


class Start(NamedTuple):
    """model: its network. facts: what the run knows of its data. settings: its network's size.
    sha256: of its weights."""

    model: str
    facts: dict[str, Any]
    settings: dict[str, Any]
    sha256: str


def read_start(path: Path, *, task: str, models: Sequence[str], train: str) -> Start:
    """What the run at ``path`` says of itself. task, models: what it has to be; train: the command that
    makes such a run.

    Raises RunFault RUN-NOT-FOUND, RUN-NOT-TRAINED, START-REFUSED.
    """
    folder = RunFolder.open(path)
    order = read_yaml(folder.path / "config.yaml")
    found = (str(order.get("task")), str(order.get("model")))
    if found[0] != task or found[1] not in models:
        other = found[0] == task and found[1] != "rollout"
        raise RunFault(
            "START-REFUSED",
            place=str(path),
            found=_("a run of {task}").format(task="{} ({})".format(*found)),
            why=_("a network begins as a run of {task} with the same network").format(task=task),
            next_step=f"--model {found[1]}" if other else train,
        )
    digest = hashlib.sha256(_weights_file(folder).read_bytes()).hexdigest()
    facts = folder.read_json("data.json")
    # A run that began as another one has that one's size, whatever its own settings say.
    size = {**order["model_settings"], **(facts.get("start_settings") or {})}
    return Start(found[1], facts, size, digest)


def refuse_side(path: Path, side: int, wanted: int) -> None:
    """RunFault START-REFUSED where the network at ``path`` plays on a board of another size."""
    if side != wanted:
        raise RunFault(
            "START-REFUSED",
            place=str(path),
            found=f"{side}×{side}",
            why=_("the network plays on {side}×{side}").format(side=side),
            next_step=f"--side {side}",
        )


def sized_as(
    start_settings: Mapping[str, Any] | None, config: Any, *, free: Sequence[str] = ()
) -> Any:
    """The network's settings with the size of the start; ``config`` where there is no start. free:
    those that change no weight's shape, which stay as ``config`` has them.

    Raises UsageFault SETTING-REFUSED where ``config`` asks for another network than the start is.
    """
    usual = {field.name: field.default for field in fields(config)}
    size = {name: has for name, has in (start_settings or {}).items() if name not in free}
    for name, has in size.items():
        asked = getattr(config, name)
        if asked not in (has, usual[name]):
            raise UsageFault(
                "SETTING-REFUSED",
                place=f"{name}={asked}",
                found=_("the start has {name}={value}").format(name=name, value=has),
                why=_("a network that begins as another one has its size"),
                next_step=_("leave one of the two out"),
            )
    return replace(config, **size)


def starting_weights(path: Path) -> dict[str, Tensor]:
    """The best weights of the first finished seed of a run."""
    return load_weights(_weights_file(RunFolder.open(path)))


def _weights_file(folder: RunFolder) -> Path:
    seeds = folder.seeds_done()
    if not seeds:
        raise RunFault(
            "RUN-NOT-TRAINED",
            place=str(folder.path),
            why=_("no seed of this run is finished"),
            next_step=folder.resume_line(),
        )
    return folder.seed(seeds[0]).best_weights
