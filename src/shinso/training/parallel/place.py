"""Where this process stands among the workers: told by the environment, as ``torchrun`` does it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

LAUNCHED = "SHINSO_LAUNCHED"
"""Set by ``shinso`` for the workers that it starts itself."""


@dataclass(frozen=True)
class Place:
    """One worker's number and where all meet.

    local_rank: its number on this machine. store_is_there: whoever started the workers holds the
    store at which they meet; otherwise the first worker does. launched: by ``--workers`` and not
    by torchrun. attempt: how often the workers were started again. launch: names all attempts.
    """

    rank: int
    size: int
    local_rank: int
    host: str
    port: int
    store_is_there: bool = False
    launched: bool = False
    attempt: int = 0
    launch: str = ""

    @classmethod
    def of_environment(cls, env: Mapping[str, str] | None = None) -> Place | None:
        """None for a process that works alone."""
        env = os.environ if env is None else env
        size = int(env.get("WORLD_SIZE", "1"))
        if "RANK" not in env or size < 2:
            return None
        rank = int(env["RANK"])
        return cls(
            rank=rank,
            size=size,
            local_rank=int(env.get("LOCAL_RANK", rank)),
            host=env.get("MASTER_ADDR", "127.0.0.1"),
            port=int(env.get("MASTER_PORT", "29500")),
            store_is_there=env.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            launched=LAUNCHED in env,
            attempt=int(env.get("TORCHELASTIC_RESTART_COUNT", "0")),
            launch=env.get("TORCHELASTIC_RUN_ID", ""),
        )

    def environment(self) -> dict[str, str]:
        """What makes a process started with it this worker."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.size),
            "LOCAL_RANK": str(self.local_rank),
            "MASTER_ADDR": self.host,
            "MASTER_PORT": str(self.port),
            "TORCHELASTIC_USE_AGENT_STORE": str(self.store_is_there),
            "TORCHELASTIC_RESTART_COUNT": str(self.attempt),
            "TORCHELASTIC_RUN_ID": self.launch,
            **({LAUNCHED: "1"} if self.launched else {}),
        }


def is_first() -> bool:
    """Whether this process speaks to the user: it works alone, or it is the first worker."""
    place = Place.of_environment()
    return place is None or place.rank == 0
