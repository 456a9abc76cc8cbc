"""What a service bears: throughput with and without batches, and ten thousand requests with faults.

    python benchmarks/serving.py load RUN [--requests 2000] [--clients 48]
    python benchmarks/serving.py faults RUN [--requests 10000] [--seed 0]

RUN is a trained run of ``classify-series`` or, for ``load``, ``classify-images``. Everything stays on
127.0.0.1; the server is a process of its own and is stopped at the end. ``load`` serves the run
twice, one by one (--max-batch 1) and in batches, in turn, each server alone on the first core and
the clients on the last; it prints requests a second, requests for each second of the server's
processor time (which other jobs of the machine change less), and the median and the 99th percentile
of the time of an answer. ``faults`` mixes good questions with broken JSON, wrong types and shapes, huge bodies,
lies about lengths, clients that go away and clients that dawdle; every good question must get the
answer that the run itself gives, every bad one a refusal, and the server must live.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from shinso.serve.app import services_of


class Server:
    """``shinso serve`` in a process of its own."""

    def __init__(self, run: Path, *flags: str, core: int | None = None) -> None:
        words = [sys.executable, "-m", "shinso", "serve", str(run), "--port", "0", *flags]
        if core is not None:
            words = ["taskset", "-c", str(core), *words]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.path = "/" + self.process.stdout.readline().strip().split("/", 3)[3]
        self.port = int(self.process.stdout.readline().strip().rsplit(":", 1)[1].rstrip("/"))

    def processor_s(self) -> float:
        """Seconds of processor time that it has used, as Linux counts them."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Ask it to end, and wait: its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def request(path: str, body: bytes, *, length: int | None = None) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


async def reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next(int(one.split(":")[1]) for one in lines if one.startswith("content-length"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


def questions(run: Path, count: int, seed: int) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Questions as bodies, and the answers that the run itself gives, one by one."""
    (service,) = services_of([run])
    rng = np.random.default_rng(seed)
    bodies, answers = [], []
    for _ in range(count):
        body = json.dumps(drawn(service, rng)).encode()
        bodies.append(body)
        question = service.question.model_validate_json(body)
        answers.append(service.answer([question])[0])
    return bodies, answers


def drawn(service: Any, rng: np.random.Generator) -> dict[str, Any]:
    """A series of 8 to 63 steps, or an image, by chance."""
    if "series" in service.example:
        example = np.array(service.example["series"][0])
        steps = int(rng.integers(8, 64))
        return {"series": (example + rng.normal(0, 4, (steps, len(example)))).round(3).tolist()}
    channels, (height, width) = service.run.facts["channels"], service.run.facts["size_px"]
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(content, "PNG")
    return {"image_base64": base64.b64encode(content.getvalue()).decode()}


def same(got: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Equal but for the rounding of another batch."""
    ours, theirs = got["probabilities"], wanted["probabilities"]
    return ours.keys() == theirs.keys() and all(
        abs(ours[name] - theirs[name]) < 1e-4 for name in ours
    )


class Client(asyncio.Protocol):
    """A connection with one request at a time. It looks at no more of an answer than where it
    ends, since what a client costs is no business of the server's."""

    def __init__(self, requests: Iterator[bytes], times: list[float]) -> None:
        self.requests, self.times = requests, times
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.got = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        question = next(self.requests, None)
        if question is None:
            self.transport.close()
            self.done.set_result(None)
            return
        self.began = time.perf_counter()
        self.transport.write(question)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head = self.got.find(b"\r\n\r\n")
        if head < 0:
            return
        place = self.got.find(b"content-length: ") + 16
        length = int(self.got[place : self.got.find(b"\r", place)])
        if len(self.got) < head + 4 + length:
            return
        self.times.append(time.perf_counter() - self.began)
        assert self.got.startswith(b"HTTP/1.1 200"), self.got[:200]
        self.got = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))


async def load(server: Server, bodies: list[bytes], clients: int, total: int) -> dict[str, float]:
    """``clients`` connections, each with one request at a time."""
    times: list[float] = []
    asked = [request(server.path, body) for body in bodies]
    waiting = (asked[number % len(asked)] for number in range(total))
    loop = asyncio.get_running_loop()
    started, used = time.perf_counter(), server.processor_s()
    made = [
        loop.create_connection(lambda: Client(waiting, times), "127.0.0.1", server.port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in await asyncio.gather(*made)))
    spent, used = time.perf_counter() - started, server.processor_s() - used
    return {
        "requests_per_s": total / spent,
        "requests_per_processor_s": total / used,
        "busy": used / spent,
        "median_ms": statistics.median(times) * 1e3,
        "p99_ms": sorted(times)[int(0.99 * len(times))] * 1e3,
    }


def compare(run: Path, total: int, clients: int, rounds: int) -> None:
    bodies, _ = questions(run, 64, 0)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    one_by_one = Server(run, "--max-batch", "1", core=cores[0])
    batched = Server(run, core=cores[0])
    try:
        found: list[list[dict[str, float]]] = []
        for _ in range(rounds):
            found.append(
                [
                    asyncio.run(load(server, bodies, clients, total))
                    for server in (one_by_one, batched)
                ]
            )
            for name, one in zip(("one by one", "batches"), found[-1], strict=True):
                print(name, {key: round(value, 2) for key, value in one.items()}, flush=True)
        for key in ("requests_per_s", "requests_per_processor_s"):
            ratios = [batches[key] / alone[key] for alone, batches in found]
            print(f"{key}, batches over one by one: {statistics.median(ratios):.2f} (median)")
    finally:
        codes = one_by_one.stop(), batched.stop()
    print("exit codes", codes)


BAD = {
    "broken JSON": lambda body, rng: (body[: rng.randrange(1, len(body))], None),
    "no JSON": lambda body, rng: (bytes(rng.randrange(256) for _ in range(40)), None),
    "wrong type": lambda body, rng: (b'{"series": "words"}', None),
    "wrong width": lambda body, rng: (b'{"series": [[1.0, 2.0, 3.0]]}', None),
    "ragged": lambda body, rng: (body.replace(b"], [", b", 1.0], [", 1), None),
    "empty": lambda body, rng: (b"", None),
    "nothing to read": lambda body, rng: (b'{"series": []}', None),
    "unknown key": lambda body, rng: (body[:-1] + b', "more": 1}', None),
    "not a number": lambda body, rng: (b'{"series": [[NaN, Infinity, 1, 1, 1, 1, 1, 1]]}', None),
    "deep": lambda body, rng: (b'{"series": ' + b"[" * 5000 + b"]" * 5000 + b"}", None),
    "huge": lambda body, rng: (b'{"series": "' + b"x" * 1_200_000 + b'"}', None),
    "says it is huge": lambda body, rng: (body, 10**12),
    "huge head": lambda body, rng: (body, None),
}
GONE = ("gone in the head", "gone in the body", "gone before the answer", "no HTTP")


async def one_request(
    server: Server, kind: str, body: bytes, rng: random.Random
) -> tuple[int, bytes] | None:
    """A request of its own connection; None where the client went away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        if kind == "no HTTP":
            writer.write(bytes(rng.randrange(256) for _ in range(60)) + b"\r\n\r\n")
            await writer.drain()
            return None
        if kind in GONE:
            whole = request(server.path, body)
            cut = {"gone in the head": 20, "gone in the body": len(whole) - 10}
            writer.write(whole[: cut.get(kind, len(whole))])
            await writer.drain()
            return None
        if kind == "good":
            writer.write(request(server.path, body))
        elif kind == "good, in pieces":
            whole = request(server.path, body)
            for begin in range(0, len(whole), 1 + len(whole) // 3):
                writer.write(whole[begin : begin + 1 + len(whole) // 3])
                await writer.drain()
                await asyncio.sleep(0.002)
        else:
            wrong, length = BAD[kind](body, rng)
            whole = request(server.path, wrong, length=length)
            if kind == "huge head":
                whole = whole.replace(b"\r\nhost", b"\r\nx-more: " + b"x" * 200_000 + b"\r\nhost")
            writer.write(whole)
        return await asyncio.wait_for(reply(reader), 60)
    except (ConnectionError, asyncio.IncompleteReadError):
        return None
    finally:
        writer.close()


async def storm(server: Server, run: Path, total: int, seed: int, clients: int) -> int:
    """Returns how many answers were wrong."""
    bodies, answers = questions(run, 100, seed)
    rng = random.Random(seed)
    kinds = ["good", "good, in pieces", *BAD, *GONE]
    waiting = iter(range(total))
    counted: Counter[str] = Counter()
    wrong = 0

    async def client() -> None:
        nonlocal wrong
        for _ in waiting:
            kind = rng.choice(kinds) if rng.random() < 0.7 else "good"
            place = rng.randrange(len(bodies))
            found = await one_request(server, kind, bodies[place], rng)
            status = 0 if found is None else found[0]
            counted[f"{kind}: {status}"] += 1
            if kind.startswith("good"):
                fine = found is not None and status == 200
                if not fine or not same(json.loads(found[1]), answers[place]):  # type: ignore[index]
                    wrong += 1
            elif kind in BAD:
                # What is huge may be refused by closing the connection before all of it is sent.
                fine = status in (400, 408, 413, 422) or (status == 0 and "huge" in kind)
                wrong += not fine

    await asyncio.gather(*(client() for _ in range(clients)))
    for name, count in sorted(counted.items()):
        print(f"  {name}  {count}")
    found = await one_request(server, "good", bodies[0], rng)
    alive = found is not None and same(json.loads(found[1]), answers[0])
    print("alive at the end:", alive)
    return wrong + (not alive)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("do", choices=("load", "faults"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--clients", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    read = parser.parse_args()
    torch.set_num_threads(1)
    if read.do == "load":
        compare(read.run, min(read.requests or 2000, 100_000), min(read.clients, 256), read.rounds)
        return 0
    server = Server(read.run, "--timeout-s", "20")
    wrong = 1
    try:
        total = min(read.requests or 10_000, 100_000)
        wrong = asyncio.run(storm(server, read.run, total, read.seed, min(read.clients, 64)))
    finally:
        code = server.stop()
    print(f"wrong answers: {wrong}; exit code of the server after SIGTERM: {code}")
    return 1 if wrong or code else 0


if __name__ == "__main__":
    sys.exit(main())
