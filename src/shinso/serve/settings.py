"""Settings of ``shinso serve`` and ``shinso ui``. Imports nothing heavy: flags are made of them."""

from __future__ import annotations

from dataclasses import dataclass

from shinso.settings import setting


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens."""

    host: str = setting("127.0.0.1", "address to listen on; 127.0.0.1 is this machine only")
    port: int = setting(8000, "port to listen on; 0: any that is free")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; give 0 to 65535")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service takes at most."""

    max_batch: int = setting(64, "requests answered by one pass of the network; 1: one by one")
    max_wait_ms: float = setting(2.0, "how long a request waits for others to share its pass")
    max_queue: int = setting(512, "requests that may wait; more are turned away with 503")
    max_body_bytes: int = setting(
        1_000_000, "largest request, a file in it a third larger than itself", unit="bytes"
    )
    timeout_s: float = setting(30.0, "longest time of a request, its reading included", unit="s")

    def __post_init__(self) -> None:
        for name in ("max_batch", "max_queue", "max_body_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")
        if self.max_wait_ms < 0:
            raise ValueError(f"max_wait_ms is {self.max_wait_ms}; give 0 or more")
        if self.timeout_s <= 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; give a time above 0")
