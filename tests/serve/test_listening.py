"""Requests that never get to their point are ended; the others are answered meanwhile."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from shinso.faults import UsageFault
from shinso.serve.listening import MOST_HEAD_BYTES, bounded, serve

ASK = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await asyncio.sleep(0.01)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=bounded(0.3), ws="none", lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    listener.close()


def connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.settimeout(20)
    return made


def until_closed(client: socket.socket) -> bytes:
    found = b""
    try:
        while part := client.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize("said", [b"", b"POST / HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(port: int, said: bytes) -> None:
    with connected(port) as client:
        client.sendall(said)
        assert b"too slowly" in until_closed(client)


def test_a_head_without_end_is_refused(port: int) -> None:
    with connected(port) as client:
        try:
            client.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(40):
                client.sendall(b"x-more: " + b"x" * (MOST_HEAD_BYTES // 8) + b"\r\n")
        except ConnectionError:
            pass  # it hung up before all was sent
        found = until_closed(client)
    assert found == b"" or found.startswith(b"HTTP/1.1 400")


def test_pieces_pipelines_and_long_bodies_are_answered(port: int) -> None:
    with connected(port) as client:
        for part in (ASK[:20], ASK[20:], b"a", b"bc"):
            client.sendall(part)
            time.sleep(0.02)
        assert client.recv(65536).endswith(b"abc")
        client.sendall(ASK + b"def" + ASK + b"ghi")
        found = b""
        while b"ghi" not in found:
            found += client.recv(65536)
        assert found.count(b"HTTP/1.1 200") == 2
        long = b"y" * (3 * MOST_HEAD_BYTES)
        client.sendall(ASK.replace(b": 3", b": %d" % len(long)) + long)
        found = b""
        while not found.endswith(long):
            part = client.recv(65536)
            assert part
            found += part


async def living(scope: Any, receive: Any, send: Any) -> None:
    """An application that begins and ends, and tells on and on until it is told to stop."""
    if scope["type"] == "lifespan":
        for done in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{done}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while not TOLD.is_set():
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body", "body": b"end"})


TOLD = threading.Event()


def test_a_signal_that_comes_before_the_server_runs_is_not_lost() -> None:
    late: list[int] = []

    def stop_it() -> None:  # a test must end
        late.append(1)
        signal.raise_signal(signal.SIGTERM)

    def at_once(_url: str) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    timer = threading.Timer(30, stop_it)
    timer.start()
    try:
        serve(living, "127.0.0.1", 0, timeout_s=1, on_ready=at_once)
    finally:
        timer.cancel()
        signal.signal(signal.SIGTERM, before)
    assert not late


def test_an_answer_without_end_is_told_of_the_end() -> None:
    found: list[bytes] = []

    def follow(url: str) -> None:
        def read() -> None:
            with connected(int(url.rsplit(":", 1)[1].strip("/"))) as client:
                client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                found.append(client.recv(1000))
                signal.raise_signal(signal.SIGTERM)
                found.append(until_closed(client))

        threading.Thread(target=read, daemon=True).start()

    TOLD.clear()
    serve(living, "127.0.0.1", 0, timeout_s=5, on_ready=follow, on_stop=TOLD.set)
    while len(found) < 2:
        time.sleep(0.01)
    assert b"end" in found[1]


def test_an_address_of_no_machine_is_told_from_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        for host, port, step in (("127.0.0.1", taken, "--port"), ("203.0.113.7", 0, "--host")):
            with pytest.raises(UsageFault, match="SERVE-PORT") as raised:
                serve(app, host, port, timeout_s=1.0)
            assert step in raised.value.next_step
