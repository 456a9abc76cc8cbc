"""What stands before every request: size, time, and where it may come from. Plain ASGI."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

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
            await refuse(send, 421, "HOST", "this server does not go by that name")
            return
        length = headers.get("content-length", b"0")
        if not length.isdigit() or int(length) > self.max_body_bytes:
            await refuse(send, 413, "TOO-LARGE", f"at most {self.max_body_bytes} bytes")
            return
        until = asyncio.get_running_loop().time() + self.timeout_s
        body = b""
        if scope["method"] in ("POST", "PUT", "PATCH"):
            try:
                async with asyncio.timeout_at(until):
                    found = await self._body(receive)
            except TimeoutError:
                await refuse(send, 408, "TOO-SLOW", f"the body took more than {self.timeout_s} s")
                return
            if found is None:
                return  # gone
            if len(found) > self.max_body_bytes:
                await refuse(send, 413, "TOO-LARGE", f"at most {self.max_body_bytes} bytes")
                return
            body = found
        given = False

        async def receive_body() -> Any:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await self.app({**scope, UNTIL: until}, receive_body, send)

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


async def refuse(send: Any, status: int, code: str, found: str) -> None:
    """An answer in JSON that says what was wrong."""
    body = json.dumps(fault(code, found)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def fault(code: str, found: str, place: str = "") -> dict[str, Any]:
    """What every refusal looks like."""
    return {"fault": {"code": code, "place": place, "found": found}}
