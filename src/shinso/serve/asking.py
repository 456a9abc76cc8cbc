"""The way of a question to its run and of the answer back, as short as it can be made.

A small network answers in less time than a web framework needs to find a route and to check types
twice; then no batch could gain anything. So questions are taken before any router, in plain ASGI,
and read once, straight from their bytes, into the run's own type. What FastAPI says of them on its
OpenAPI page is held against what is answered here by tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shinso.extras import need
from shinso.serve.batching import Batcher, QueueFull, Stopped
from shinso.serve.guard import UNTIL
from shinso.serve.refusals import fault, logged_bug, misread, unanswered
from shinso.serve.tasks import Service, Unanswerable

Reply = tuple[int, bytes]
"""Status and body of an answer."""
TEXT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def place(service: Service) -> str:
    """Where a run says what can be asked of it; unquoted, as an application reads it."""
    return f"/v1/runs/{service.name}"


def address(service: Service) -> str:
    """Where questions to a run go."""
    return f"{place(service)}/answer"


class Asking:
    """Answers questions; whatever else comes is for the application behind it.

    It stands behind the Guard, which has read the body: the first message holds all of it."""

    def __init__(
        self,
        app: Any,
        services: Sequence[Service],
        batchers: Mapping[str, Batcher],
        *,
        timeout_s: float,
    ) -> None:
        self.app, self.timeout_s = app, timeout_s
        self.asked = {address(one): (one, batchers[one.name]) for one in services}
        self.wrong_type: type[Exception] = need("pydantic").ValidationError

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        asked = None
        if scope["type"] == "http" and scope["method"] == "POST":
            asked = self.asked.get(scope["path"])
        if asked is None:
            await self.app(scope, receive, send)
            return
        message = await receive()
        try:
            status, body = await self.reply(*asked, message["body"], scope[UNTIL])
        except Exception as error:
            status, body = 500, _text(logged_bug(error, scope["path"]))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def reply(self, service: Service, batcher: Batcher, body: bytes, until: float) -> Reply:
        """The answer to the question in a body, or the refusal that it deserves. until: when the
        request's time is over."""
        try:
            question = service.question.model_validate_json(body)
        except self.wrong_type as error:
            return 422, _text(misread(error, _example(service), "body"))
        try:
            async with asyncio.timeout_at(until):
                found = await batcher.ask(question)
        except QueueFull:
            found = fault("BUSY", "too many requests wait", next_step="ask again in a second")
            return 503, _text(found)
        except Stopped:
            found = fault(
                "STOPPING", "the service is being stopped", next_step="ask it once it is back"
            )  # fmt: skip
            return 503, _text(found)
        except TimeoutError:
            found = fault(
                "TIMEOUT", f"no answer in {self.timeout_s:g} s",
                next_step="ask again, or begin the server with a longer --timeout-s",
            )  # fmt: skip
            return 504, _text(found)
        except Unanswerable as reason:
            return 422, _text(unanswered(reason, _example(service)))
        return 200, _text(found)


def _example(service: Service) -> str:
    """Where a question stands that is answered."""
    return f"GET {quote(place(service))}"


def _text(found: Any) -> bytes:
    return TEXT.encode(found).encode("utf-8", "replace")
