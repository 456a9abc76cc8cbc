"""A crew of processes: a group of ``torch.distributed`` and the store at which it met."""

from __future__ import annotations

import errno
import io
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, final

import torch
from torch import distributed as processes
from torch.distributed import PrefixStore, Store, TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.distributed_c10d import ProcessGroup

from shinso.faults import RunFault, UsageFault
from shinso.language import _
from shinso.training.parallel.place import Place

PATIENCE = timedelta(days=7)
"""How long the others wait while the first worker validates. Whoever started the workers ends them
when the first one dies."""
_KEPT: list[ProcessGroup] = []
"""Groups stay until the process ends. The last reference to one is otherwise dropped while Python's
lock is held, by an exception's frames for instance; gloo then waits there for its threads, of which
one may wait for that lock to drop a sum of gradients, and the worker hangs."""
LOST = ("gloo", "connection closed", "connection reset", "timed out", "nccl", "broken pipe", "recv")


@final
class JoinedCrew:
    """The workers of one run.

    What must be quick (numbers at each step) goes through the group. What may take long (the first
    worker's validation) goes through the store, whose waiting has no part in the group's timeout.

    group: of ``torch.distributed``; None for all of its processes.
    """

    def __init__(
        self,
        place: Place,
        store: Store,
        device: torch.device,
        timeout: timedelta,
        group: ProcessGroup | None = None,
    ) -> None:
        self.place, self.timeout = place, timeout
        self.rank, self.size = place.rank, place.size
        self.store = store
        self.device = device
        self.group = group
        self._said = 0

    def of(self, group: Any, ranks: Sequence[int]) -> JoinedCrew:
        """Some of these workers, among them this one. ranks: of all, in the group's order."""
        place = replace(self.place, rank=processes.get_rank(group), size=len(ranks))
        store = PrefixStore("-".join(map(str, ranks)), self.store)
        return JoinedCrew(place, store, self.device, self.timeout, group)

    def first_says(self, say: Callable[[], Any]) -> Any:
        key = f"said/{self._said}"
        self._said += 1
        if self.rank == 0:
            content = say()
            self.store.set(key, _packed(content))  # pyright: ignore[reportArgumentType]  bytes are well
            processes.barrier(self.group)  # all have read it
            self.store.delete_key(key)
            return content
        self.store.wait([key], PATIENCE)
        content = _unpacked(self.store.get(key))
        processes.barrier(self.group)
        return content

    def largest(self, value: int) -> int:
        found = torch.tensor(value, device=self.device)
        processes.all_reduce(found, processes.ReduceOp.MAX, group=self.group)
        return int(found)

    def gather(self, content: Any) -> list[Any]:
        own = torch.frombuffer(bytearray(_packed(content)), dtype=torch.uint8).to(self.device)
        longest = self.largest(len(own))
        sizes = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        processes.all_gather(sizes, torch.tensor([len(own)], device=self.device), group=self.group)
        padded = torch.zeros(longest, dtype=torch.uint8, device=self.device)
        padded[: len(own)] = own
        found = [torch.empty_like(padded) for _ in range(self.size)]
        processes.all_gather(found, padded, group=self.group)
        return [
            _unpacked(one[: int(size)].cpu().numpy().tobytes())
            for one, size in zip(found, sizes, strict=True)
        ]


def new_group(timeout: timedelta, ranks: Sequence[int] | None = None) -> Any:
    """A group of some workers, of all by default; all must ask for it. Who is none of them gets
    torch's mark for that."""
    group = processes.new_group(ranks, timeout=timeout)
    if isinstance(group, ProcessGroup):
        _KEPT.append(group)
    return group


@contextmanager
def joined(place: Place, device: torch.device, timeout_s: float) -> Iterator[JoinedCrew]:
    """Within, this process is one of a crew; NCCL between CUDA devices, gloo otherwise.

    timeout_s: a worker that lets the others wait longer for a gradient counts as hung.
    Raises UsageFault PORT-TAKEN, RunFault CREW-NOT-FOUND where the others cannot be reached, and
    RunFault WORKER-LOST where one of them dies or hangs.
    """
    store = _meet(place, timeout_s)
    if device.type == "cuda":
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
        device = torch.device("cuda", torch.cuda.current_device())
    timeout = timedelta(seconds=timeout_s)
    backend = "nccl" if device.type == "cuda" and processes.is_nccl_available() else "gloo"
    try:
        processes.init_process_group(
            backend,
            store=PrefixStore(f"attempt{place.attempt}", store),
            rank=place.rank,
            world_size=place.size,
            timeout=timeout,
        )
        yield JoinedCrew(place, PrefixStore(f"crew{place.attempt}", store), device, timeout)
    except RuntimeError as error:  # gloo's and NCCL's errors have no class of their own
        if not any(word in str(error).lower() for word in LOST):
            raise
        raise RunFault(
            "WORKER-LOST",
            place=_("worker {rank}").format(rank=place.rank),
            found=str(error).strip().splitlines()[-1][:200],
            why=_("another worker died or let this one wait for {seconds:g} s").format(
                seconds=timeout_s
            ),
            next_step=_("go on from the last checkpoint: shinso train --resume RUN"),
        ) from error
    finally:
        if processes.is_initialized():
            if (whole := processes.group.WORLD) is not None:
                _KEPT.append(whole)
            processes.destroy_process_group()


def _meet(place: Place, timeout_s: float) -> Store:
    serves = place.rank == 0 and not place.store_is_there
    if serves:
        check_free(place.host, place.port)
    try:
        return TCPStore(
            place.host,
            place.port,
            None,
            is_master=serves,
            timeout=timedelta(seconds=timeout_s),
            wait_for_workers=False,
        )
    except RuntimeError as error:
        if "EADDRINUSE" in str(error):
            raise port_taken(place.port) from error
        raise RunFault(
            "CREW-NOT-FOUND",
            place=f"{place.host}:{place.port}",
            found=str(error).strip().splitlines()[0][:200],
            why=_("the workers meet there"),
            next_step=_("check that the first worker runs and that the port is open"),
        ) from error


def check_free(host: str, port: int) -> None:
    """UsageFault PORT-TAKEN where another program listens at the port; 0 is always free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise port_taken(port) from error


def port_taken(port: int) -> UsageFault:
    """The fault for a port at which another program listens."""
    return UsageFault(
        "PORT-TAKEN",
        place=f"--port {port}",
        found=_("another program listens there"),
        why=_("the workers would meet at it"),
        next_step=_("give another --port (0 takes a free one); torchrun: --master-port"),
    )


def _packed(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _unpacked(content: bytes) -> Any:
    # weights_only: what comes over a network is data, never code.
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
