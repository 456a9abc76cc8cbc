"""What a mesh of workers would hold, send and take, before any of them is started.

A mesh is data × tensor × pipeline workers. One worker's step is measured here; what is added to it
follows from sizes, bandwidth and latency:

    all-reduce of S bytes among n, in a ring:  2 (n − 1) (latency + S / (n · bandwidth))
    bubble of K stages and M micro-batches:    (K − 1) / (M + K − 1)
    weights shared among n (FSDP):             gathered twice, gradients summed into shares once:
                                               half as much again as the all-reduce

Nothing is assumed to overlap, so times are upper bounds; DistributedDataParallel hides part of the
all-reduce behind the backward pass. All workers are taken to be as fast as the one measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shinso.training.parallel.shapes import even_cuts

MOMENTS = 2  # of AdamW: two running means a parameter
FLOAT = 4


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """How many workers share what. micro_batches: of the pipeline. shard: those who share batches
    share the weights, too, between their uses."""

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    micro_batches: int = 1
    shard: bool = False

    def __post_init__(self) -> None:
        for name in ("data", "tensor", "pipeline", "micro_batches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least 1")

    @property
    def workers(self) -> int:
        return self.data * self.tensor * self.pipeline


@dataclass(frozen=True, kw_only=True)
class Link:
    """What connects the workers. latency_s: of one message."""

    bandwidth_bytes_s: float
    latency_s: float

    def __post_init__(self) -> None:
        if self.bandwidth_bytes_s <= 0 or self.latency_s < 0:
            raise ValueError(
                f"bandwidth is {self.bandwidth_bytes_s}, latency {self.latency_s}; give a "
                "bandwidth above 0 and a latency of 0 or more"
            )

    def all_reduce_s(self, num_bytes: float, workers: int) -> float:
        """Of a ring (Patarasuk & Yuan 2009): each part travels twice around."""
        if workers == 1:
            return 0.0
        each = self.latency_s + num_bytes / (workers * self.bandwidth_bytes_s)
        return 2 * (workers - 1) * each

    def send_s(self, num_bytes: float) -> float:
        return self.latency_s + num_bytes / self.bandwidth_bytes_s


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of the model: what can be given to a stage.

    divisible: the parameters that tensor parallelism divides. passed_bytes: of its output for the
    whole batch. sums: all-reduces of that output in a forward and a backward pass when it is cut.
    cuts: heads and units that must divide by the number of workers that share them.
    """

    name: str
    parameters: int
    divisible: int = 0
    passed_bytes: int = 0
    sums: int = 0
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One worker's step of one batch on this machine: seconds of computing, and the bytes that the
    forward pass keeps for the backward one. tied: parameters that the first part has and the last
    one, too."""

    parts: tuple[Part, ...]
    batch_size: int
    step_s: float
    kept_bytes: int
    tied: int = 0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the fullest worker holds, and what a step costs."""

    mesh: Mesh
    parameters: int
    state_bytes: int
    kept_bytes: int
    sent_bytes: int
    compute_s: float
    bubble_s: float
    all_reduce_s: float
    exchange_s: float

    @property
    def step_s(self) -> float:
        return self.compute_s + self.bubble_s + self.all_reduce_s + self.exchange_s


def plan(measured: Measured, mesh: Mesh, link: Link) -> Plan:
    """The plan for one joint batch of ``measured.batch_size`` samples.

    Raises ValueError where there are fewer layers than stages, where ``tensor.cut`` would find
    nothing to cut or heads or units that do not divide, and where a worker or a micro-batch would
    get less than one sample.
    """
    _check_cuts(measured, mesh)
    _check_samples(measured.batch_size, mesh)
    if mesh.pipeline > len(measured.parts):
        raise ValueError(
            f"pipeline is {mesh.pipeline}; the model has {len(measured.parts)} layers to pass on"
        )
    sizes = [one.parameters - one.divisible + one.divisible / mesh.tensor for one in measured.parts]
    cuts = even_cuts([round(size) for size in sizes], mesh.pipeline)
    held = [round(sum(sizes[begin:end])) for begin, end in cuts]
    held[0] -= measured.tied if mesh.pipeline == 1 else 0
    stages = [measured.parts[begin:end] for begin, end in cuts]
    fullest = max(held)
    compute = measured.step_s / mesh.workers
    bubble = compute * (mesh.pipeline - 1) / mesh.micro_batches
    more = 1.5 if mesh.shard else 1.0
    reduced = more * link.all_reduce_s(FLOAT * fullest, mesh.data)
    ring_bytes = more * _ring_bytes(FLOAT * fullest, mesh.data)
    fullest = -(-fullest // mesh.data) if mesh.shard else fullest
    summed_s, summed_bytes = _sums(stages, mesh, link)
    passed_s, passed_bytes = _passes(stages, mesh, link)
    if mesh.pipeline > 1 and measured.tied:  # both ends sum up its gradients
        passed_s += link.all_reduce_s(FLOAT * measured.tied, 2)
        passed_bytes += _ring_bytes(FLOAT * measured.tied, 2)
    return Plan(
        mesh=mesh,
        parameters=fullest,
        state_bytes=FLOAT * fullest * (2 + MOMENTS),
        kept_bytes=round(measured.kept_bytes / mesh.workers),
        sent_bytes=round(ring_bytes + summed_bytes + passed_bytes),
        compute_s=compute,
        bubble_s=bubble,
        all_reduce_s=reduced,
        exchange_s=summed_s + passed_s,
    )


def _check_cuts(measured: Measured, mesh: Mesh) -> None:
    if mesh.tensor == 1:
        return
    if not any(one.divisible for one in measured.parts):
        raise ValueError(
            f"tensor is {mesh.tensor}; the model has no attention and no feed-forward network of a "
            "Transformer to cut: give 1"
        )
    for one in measured.parts:
        for count in one.cuts:
            if count % mesh.tensor:
                raise ValueError(
                    f"tensor is {mesh.tensor}; the {count} heads or units of {one.name} do not "
                    "divide by it"
                )


def _check_samples(batch_size: int, mesh: Mesh) -> None:
    pieces = mesh.data * mesh.micro_batches
    if pieces > batch_size:
        raise ValueError(
            f"data is {mesh.data}, micro_batches is {mesh.micro_batches}; a batch of {batch_size} "
            f"has less than one sample for each of {pieces} pieces"
        )


def _ring_bytes(num_bytes: float, workers: int) -> float:
    return 2 * (workers - 1) / workers * num_bytes


def _sums(stages: Sequence[Sequence[Part]], mesh: Mesh, link: Link) -> tuple[float, float]:
    """Seconds and bytes of adding up what cut layers found, in the stage that sums most."""
    found = []
    for stage in stages:
        pieces = [one.passed_bytes / (mesh.data * mesh.micro_batches) for one in stage]
        counts = [one.sums * mesh.micro_batches for one in stage]
        pairs = list(zip(pieces, counts, strict=True))
        seconds = sum(n * link.all_reduce_s(size, mesh.tensor) for size, n in pairs)
        found.append((seconds, sum(n * _ring_bytes(size, mesh.tensor) for size, n in pairs)))
    return max(found)


def _passes(stages: Sequence[Sequence[Part]], mesh: Mesh, link: Link) -> tuple[float, float]:
    """Seconds and bytes of passing outputs on and their gradients back, at the busiest border."""
    if mesh.pipeline == 1:
        return 0.0, 0.0
    borders = [stage[-1].passed_bytes / mesh.data for stage in stages[:-1]]
    largest = max(borders)
    each = link.send_s(largest / mesh.micro_batches)
    return 2 * mesh.micro_batches * each, 2 * largest


def scaling(measured: Measured, link: Link, workers: Sequence[int]) -> list[Plan]:
    """Data parallelism of one joint batch among more and more workers, up to a sample for each."""
    possible = [count for count in workers if count <= measured.batch_size]
    return [plan(measured, Mesh(data=count), link) for count in possible]


Schedule = Literal["gpipe", "1f1b"]


def idle_share(
    stages: int, micro_batches: int, forward_s: float, backward_s: float,
    schedule: Schedule = "1f1b", send_s: float = 0.0,
) -> float:  # fmt: skip
    """The share of a pipeline's step in which workers wait, by playing the schedule through."""
    ends: dict[tuple[str, int, int], float] = {}
    orders = [_order(stage, stages, micro_batches, schedule) for stage in range(stages)]
    clocks, places = [0.0] * stages, [0] * stages
    left = sum(map(len, orders))
    while left:
        for stage in range(stages):
            while places[stage] < len(orders[stage]):
                kind, batch = orders[stage][places[stage]]
                begin = _ready(kind, stage, batch, stages, ends, send_s)
                if begin is None:
                    break
                seconds = forward_s if kind == "forward" else backward_s
                clocks[stage] = max(clocks[stage], begin) + seconds
                ends[kind, stage, batch] = clocks[stage]
                places[stage] += 1
                left -= 1
    whole = max(clocks)
    return 1 - micro_batches * (forward_s + backward_s) / whole


def _order(stage: int, stages: int, count: int, schedule: Schedule) -> list[tuple[str, int]]:
    """What a stage does, in turn."""
    if schedule == "gpipe":
        return [("forward", b) for b in range(count)] + [("backward", b) for b in range(count)]
    ahead = min(stages - stage, count)
    order = [("forward", b) for b in range(ahead)]
    for batch in range(count):
        order.append(("backward", batch))
        if batch + ahead < count:
            order.append(("forward", batch + ahead))
    return order


def _ready(
    kind: str, stage: int, batch: int, stages: int,
    ends: dict[tuple[str, int, int], float], send_s: float,
) -> float | None:  # fmt: skip
    """When the input is there; None while it is not known yet."""
    if kind == "forward":
        if stage == 0:
            return 0.0
        before = ends.get(("forward", stage - 1, batch))
    elif stage == stages - 1:
        return ends.get(("forward", stage, batch))
    else:
        before = ends.get(("backward", stage + 1, batch))
    return None if before is None else before + send_s
