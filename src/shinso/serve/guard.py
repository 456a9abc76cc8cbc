"""What stands before every request: size, time, and where it may come from. Plain ASGI."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from shinso.serve.refusals import fault

HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?")
"""A Host header: an IPv6 address in brackets or a name, with or without a port."""
UNTIL = "shinso.until"
"""Key of a request's scope: when its time is over, by the loop's clock. Its reading counts too."""
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


class Guard:
    """Refuses bodies that are too large (413) or too slow (408) before anything reads them, and
    requests whose Host is not one that the server goes by (421): a page of another site could
    otherwise reach a server on this machine under a name of its own (DNS rebinding)."""

    def __init__(
        self,
        app: Any,
        *,
        max_body_bytes: int,
        timeout_s: float,
        hosts: Iterable[str] = (),
        on_request: Callable[[str, int, float], None] = lambda path, status, seconds: None,
    ) -> None:
        """hosts: names that are allowed, without port; empty allows all."""
        self.app, self.max_body_bytes, self.timeout_s = app, max_body_bytes, timeout_s
        self.hosts, self.on_request = frozenset(hosts), on_request

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # the client went away before there was an answer

        async def send_on(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        try:
            await self._guarded(scope, receive, send_on)
        finally:
            self.on_request(scope["path"], status, time.perf_counter() - started)

    async def _guarded(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        named = HOST.fullmatch(headers.get("host", b"").decode("latin-1").lower())
        if self.hosts and (named is None or (named[1] or named[2]) not in self.hosts):
            found = fault(
                "HOST", "this server does not go by that name",
                next_step="ask it at the address that it printed when it began",
            )  # fmt: skip
            await refuse(send, 421, found)
            return
        length = headers.get("content-length", b"0")
        if not length.isdigit() or int(length) > self.max_body_bytes:
            await self._too_large(send)
            return
        until = asyncio.get_running_loop().time() + self.timeout_s
        body = b""
        if scope["method"] in ("POST", "PUT", "PATCH"):
            try:
                async with asyncio.timeout_at(until):
                    read = await self._body(receive)
            except TimeoutError:
                found = fault(
                    "TOO-SLOW", f"the body took more than {self.timeout_s:g} s",
                    next_step="send it faster, or begin the server with a longer --timeout-s",
                )  # fmt: skip
                await refuse(send, 408, found)
                return
            if read is None:
                return  # gone
            if len(read) > self.max_body_bytes:
                await self._too_large(send)
                return
            body = read
        given = False

        async def receive_body() -> Any:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await self.app({**scope, UNTIL: until}, receive_body, send)

    async def _too_large(self, send: Any) -> None:
        found = fault(
            "TOO-LARGE", f"at most {self.max_body_bytes:,} bytes",
            next_step="ask less at once, or begin the server with a larger --max-body-bytes",
        )  # fmt: skip
        await refuse(send, 413, found)

    async def _body(self, receive: Any) -> bytes | None:
        """All of the body, one byte too many at most; None where the client went away."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.max_body_bytes or not message.get("more_body"):
                return b"".join(parts)


async def refuse(send: Any, status: int, found: dict[str, Any]) -> None:
    """An answer in JSON that says what was wrong, and the end of the connection."""
    body = json.dumps(found).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
