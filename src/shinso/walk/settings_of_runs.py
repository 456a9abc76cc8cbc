"""Settings of a run that no task needs to know. Imports nothing heavy: flags are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shinso.settings import parse_duration, setting


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of a run that no task needs to know."""

    seeds: int = setting(1, "how many seeds are trained: 0, 1, 2, …")
    first_seed: int = setting(0, "number of the first seed")
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "where tensors live")
    threads: int = setting(0, "processor threads; 0 leaves the choice to torch")
    runs: str = setting("runs", "folder in which run folders are made")
    workers: int = setting(1, "processes that train together, each on its share of every batch")
    together: Literal["synchronous", "server", "ray", "hogwild"] = setting(
        "synchronous",
        "how workers learn: each step together; or from weights that may be old, at a server with "
        "processes or with Ray's actors; or on shared weights without a lock",
    )
    staleness: int = setting(-1, "largest staleness a server applies; -1: no bound")
    cluster: str = setting("", "address of a running Ray cluster; empty: Ray on this machine")
    tensor: int = setting(
        1, "workers that share each matrix of a Transformer; others share the batches"
    )
    pipeline: int = setting(1, "workers that share the layers; others share the batches")
    micro_batches: int = setting(
        0, "pieces in which a pipeline passes a batch on; 0: as many as there are stages"
    )
    shard: bool = setting(False, "workers share the weights, too, between their uses (FSDP)")
    restarts: int = setting(3, "times that lost workers are started again from the checkpoint")
    worker_timeout: str = setting("10m", "a worker that keeps the others waiting longer is hung")
    port: int = setting(0, "port at which the workers meet; 0: any free one")

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}; give at least 1")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; give at least 1")
        if self.staleness < -1:
            raise ValueError(f"staleness is {self.staleness}; give 0 or more, or -1 for no bound")
        if self.restarts < 0:
            raise ValueError(f"restarts is {self.restarts}; give 0 or more")
        if not 0 <= self.port < 65536:
            raise ValueError(f"port is {self.port}; give 0 to 65535")
        self._check_together()
        self._check_division()
        if parse_duration(self.worker_timeout, "worker_timeout") <= 0:
            raise ValueError(f"worker_timeout is {self.worker_timeout}; give more than 0")
        for name in ("first_seed", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")

    def _check_together(self) -> None:
        """ValueError for what would be left unheard."""
        if self.together != "synchronous" and self.workers == 1:
            raise ValueError(
                f"together is {self.together} with workers 1; give at least 2 workers, "
                "or leave it out"
            )
        if self.staleness >= 0 and self.together == "synchronous":
            raise ValueError(
                f"staleness is {self.staleness}, and synchronous gradients are never stale; "
                "give together server or ray with it"
            )
        if self.cluster and self.together != "ray":
            raise ValueError(f"cluster is {self.cluster}; give together ray with it")

    def _check_division(self) -> None:
        """ValueError for numbers that make no mesh."""
        for name in ("tensor", "pipeline"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.micro_batches < 0:
            raise ValueError(f"micro_batches is {self.micro_batches}; give 0 or more")
        if self.micro_batches and self.pipeline == 1:
            raise ValueError(
                f"micro_batches is {self.micro_batches} without a pipeline; give pipeline with it"
            )
        row = self.tensor * self.pipeline
        if self.workers > 1 and self.workers % row:
            raise ValueError(
                f"workers is {self.workers}, and {row} of them hold one model together "
                f"(tensor {self.tensor}, pipeline {self.pipeline}); give a multiple of {row}"
            )

    @property
    def processes(self) -> int:
        """Processes that train together: no fewer than share one model."""
        return max(self.workers, self.tensor * self.pipeline)

    @property
    def divided(self) -> bool:
        """Whether workers hold parts of the model."""
        return self.tensor > 1 or self.pipeline > 1 or self.shard

    @property
    def passed_on(self) -> int:
        """Micro-batches of a pipeline."""
        return self.micro_batches or self.pipeline
