"""Settings of a run that no task needs to know. Imports nothing heavy: flags are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shinso.settings import setting


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of a run that no task needs to know."""

    seeds: int = setting(1, "how many seeds are trained: 0, 1, 2, …")
    first_seed: int = setting(0, "number of the first seed")
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "where tensors live")
    threads: int = setting(0, "processor threads; 0 leaves the choice to torch")
    runs: str = setting("runs", "folder in which run folders are made")

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; give at least 1")
        if self.first_seed < 0 or self.threads < 0:
            raise ValueError(
                f"first_seed is {self.first_seed}, threads is {self.threads}; give 0 or more"
            )
