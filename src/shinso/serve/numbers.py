"""What a service counts, as Prometheus reads it (text format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How often a number fell below each of some bounds, with its sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        total, found = 0, []
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            found.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
        return [*found, f"{name}_sum{{{labels}}} {self.sum}", f"{name}_count{{{labels}}} {total}"]


class Numbers:
    """All numbers of a service."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = defaultdict(int)
        self.seconds: dict[str, Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self.batches: dict[str, Histogram] = defaultdict(lambda: Histogram(SIZES))
        self.passes: dict[str, Histogram] = defaultdict(lambda: Histogram(SECONDS))

    def request(self, run: str, status: int, seconds: float) -> None:
        self.requests[run, status] += 1
        self.seconds[run].add(seconds)

    def batch(self, run: str, size: int, seconds: float) -> None:
        self.batches[run].add(size)
        self.passes[run].add(seconds)

    def text(self, queues: dict[str, int]) -> str:
        """The page that Prometheus fetches. queues: requests that wait, by run."""
        lines = [
            "# HELP shinso_requests_total Requests by run and status.",
            "# TYPE shinso_requests_total counter",
        ]
        for (run, status), count in sorted(self.requests.items()):
            lines.append(f'shinso_requests_total{{run="{_plain(run)}",status="{status}"}} {count}')
        lines += ["# HELP shinso_queue Requests that wait.", "# TYPE shinso_queue gauge"]
        lines += [f'shinso_queue{{run="{_plain(run)}"}} {n}' for run, n in queues.items()]
        for name, about, kept in (
            ("shinso_request_seconds", "Time from a request to its answer.", self.seconds),
            ("shinso_batch_size", "Requests in a pass of the network.", self.batches),
            ("shinso_pass_seconds", "Time of a pass of the network.", self.passes),
        ):
            lines += [f"# HELP {name} {about}", f"# TYPE {name} histogram"]
            for run, histogram in sorted(kept.items()):
                lines += histogram.lines(name, f'run="{_plain(run)}"')
        return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
